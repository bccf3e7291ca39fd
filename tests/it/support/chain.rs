//! A chain of an edge and two services, each of which calls the next one for every call.

use std::sync::{Arc, Mutex};

use http::{HeaderMap, Request, Response};
use tonic::body::Body;
use tonic::service::InterceptorLayer;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Channel, Server};
use tonic::{Code, Status};
use tonic_passport::propagation::PropagatedField;
use tonic_passport::{
    Authenticator, CallContext, ClientInterceptor, ClientLayer, ForwardedContext, JwtAuthenticator,
    ServerInterceptor, ServerLayer,
};
use tower::ServiceExt;
use tower::util::BoxCloneSyncService;

use super::probe::with;
use super::server::TestServer;
use super::{raw, token};

/// A boxed client of a service.
pub type BoxedClient = BoxCloneSyncService<Request<Body>, Response<Body>, tonic::transport::Error>;

/// The kind of middleware that the services and their clients use.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Middleware {
    Layers,
    Interceptors,
}

impl Middleware {
    pub const ALL: [Self; 2] = [Self::Layers, Self::Interceptors];
}

/// Settings of one service.
#[derive(Clone, Copy, Debug, Default)]
pub struct ServiceConfig<'a> {
    /// The fields that it propagates.
    pub propagated: &'a [PropagatedField],
    /// The metadata that its outgoing calls already have.
    pub own_metadata: &'a [(&'a str, &'a str)],
}

impl<'a> ServiceConfig<'a> {
    pub fn propagating(propagated: &'a [PropagatedField]) -> Self {
        Self { propagated, own_metadata: &[] }
    }
}

pub struct Chain {
    edge: Channel,
    services: [Service; 3],
    _servers: [TestServer; 3],
}

impl Chain {
    pub async fn start(
        middleware: Middleware,
        [edge, second, third]: [ServiceConfig<'_>; 3],
    ) -> Self {
        let bearer = Box::new(JwtAuthenticator::new(token::verifier()));
        let forwarded = || Box::new(ForwardedContext::trust_private_network());
        let third_service = Service::new(middleware, None, third);
        let third = third_service.serve(forwarded(), third.propagated).await;
        let second_service = Service::new(middleware, Some(third.connect().await), second);
        let second = second_service.serve(forwarded(), second.propagated).await;
        let edge_service = Service::new(middleware, Some(second.connect().await), edge);
        let edge = edge_service.serve(bearer, edge.propagated).await;
        Self {
            edge: edge.connect().await,
            services: [edge_service, second_service, third_service],
            _servers: [edge, second, third],
        }
    }

    /// Calls the edge with a token of alice's and these additional fields, unchanged. Returns the
    /// metadata that each of the three handlers received.
    pub async fn call(&self, fields: &[(&str, &str)], case: &str) -> [HeaderMap; 3] {
        let bearer = format!("Bearer {}", token::good("alice"));
        let request = raw::post(raw::METHOD).header("authorization", bearer);
        let mut request = request.body(Body::empty()).unwrap();
        request.headers_mut().extend(with(fields, ()).into_parts().0.into_headers());
        let status = raw::send(self.edge.clone(), request).await.status();
        assert_eq!(status.code(), Code::Ok, "{case}: {status:?}");
        self.services.each_ref().map(|service| {
            let mut seen = std::mem::take(&mut *service.seen.lock().unwrap());
            assert_eq!(seen.len(), 1, "{case}: {seen:?}");
            let seen = seen.remove(0);
            assert_eq!(seen["x-user-id"], "alice", "{case}");
            assert!(!seen.contains_key("x-passport-one-hop"), "{case}: {seen:?}");
            seen
        })
    }
}

/// Returns all values of a field.
pub fn values<'a>(fields: &'a HeaderMap, name: &str) -> Vec<&'a str> {
    fields.get_all(name).iter().map(|value| str::from_utf8(value.as_bytes()).unwrap()).collect()
}

/// The handler of a service.
#[derive(Clone)]
struct Service {
    middleware: Middleware,
    seen: Arc<Mutex<Vec<HeaderMap>>>,
    next: Option<BoxedClient>,
    own_metadata: HeaderMap,
}

impl Service {
    fn new(middleware: Middleware, next: Option<Channel>, config: ServiceConfig<'_>) -> Self {
        let next = next.map(|channel| match middleware {
            Middleware::Layers => {
                let service = ClientLayer::new().wrap(channel);
                BoxedClient::new(service.map_response(|response| response.map(Body::new)))
            }
            Middleware::Interceptors => {
                let service = InterceptedService::new(channel, ClientInterceptor::new());
                BoxedClient::new(service.map_response(|response| response.map(Body::new)))
            }
        });
        let own_metadata = with(config.own_metadata, ()).into_parts().0.into_headers();
        Self { middleware, seen: Arc::default(), next, own_metadata }
    }

    async fn serve(
        &self,
        authenticator: Box<dyn Authenticator>,
        propagated: &[PropagatedField],
    ) -> TestServer {
        let (middleware, service, propagated) =
            (self.middleware, self.clone(), propagated.to_vec());
        let routes = raw::routes(move |request| service.clone().response(request));
        match middleware {
            Middleware::Layers => {
                let layer = ServerLayer::new(authenticator).propagate(propagated);
                TestServer::start(|incoming| {
                    Server::builder().layer(layer).add_routes(routes).serve_with_incoming(incoming)
                })
                .await
            }
            Middleware::Interceptors => {
                let interceptor = ServerInterceptor::new(authenticator).propagate(propagated);
                let layer = InterceptorLayer::new(interceptor);
                TestServer::start(|incoming| {
                    Server::builder().layer(layer).add_routes(routes).serve_with_incoming(incoming)
                })
                .await
            }
        }
    }

    async fn response(self, request: Request<Body>) -> Response<Body> {
        let (parts, _) = request.into_parts();
        tracing::info!("called");
        self.seen.lock().unwrap().push(parts.headers);
        let Some(next) = self.next else {
            return Status::new(Code::Ok, "").into_http();
        };
        let mut request = raw::post(raw::METHOD).body(Body::empty()).unwrap();
        request.headers_mut().extend(self.own_metadata);
        let calling = raw::send(next, request);
        let response = match self.middleware {
            Middleware::Layers => calling.await,
            // An interceptor cannot open the scope for the handler.
            Middleware::Interceptors => {
                parts.extensions.get::<CallContext>().cloned().unwrap().scope(calling).await
            }
        };
        response.status().into_http()
    }
}
