//! Identity metadata over HTTP/1, which a server may accept for grpc-web.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Server;
use tonic_passport::{ForwardedContext, Gateway, JwtAuthenticator, ServerLayer};

use crate::support::probe::{Probe, with};
use crate::support::rules::optional;
use crate::support::server::TestServer;
use crate::support::shop::Item;
use crate::support::shop::order_service_client::OrderServiceClient;
use crate::support::shop::order_service_server::SERVICE_NAME;
use crate::support::{raw, token};

const EMPTY: &str = "content-length: 5\r\n\r\n\0\0\0\0\0";

/// Makes a call over HTTP/1 with these fields and this body. Returns the head of the response.
async fn call(server: &TestServer, fields: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(server.addr).await.unwrap();
    let bearer = token::good("alice");
    let request = format!(
        "POST {} HTTP/1.1\r\nhost: shop\r\ncontent-type: application/grpc\r\n\
         authorization: Bearer {bearer}\r\n{fields}\r\n{body}",
        raw::METHOD
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        head.push(char::from(stream.read_u8().await.unwrap()));
    }
    head
}

/// A gateway that accepts HTTP/1, in front of a service that accepts anonymous callers.
async fn start(probe: &Probe) -> (TestServer, TestServer) {
    let inside =
        ServerLayer::new(ForwardedContext::trust_private_network()).policy(optional([raw::METHOD]));
    let upstream = probe.serve_with(inside).await;
    let routes = Gateway::builder().route(SERVICE_NAME, upstream.connect().await).build().unwrap();
    let routes = routes.into_routes();
    let edge = ServerLayer::new(JwtAuthenticator::new(token::verifier()));
    let gateway = TestServer::start(|incoming| {
        let mut server = Server::builder().accept_http1(true).layer(edge);
        server.add_routes(routes).serve_with_incoming(incoming)
    })
    .await;
    (upstream, gateway)
}

#[tokio::test]
async fn a_connection_header_removes_no_identity() {
    let probe = Probe::default();
    let (_upstream, gateway) = start(&probe).await;
    for fields in [
        "connection: keep-alive",
        "connection: x-user-id",
        "connection: x-user-roles, x-user-permissions",
        "connection: x-user-id, x-user-email, x-user-roles, x-user-permissions",
        "connection: x-user-roles\r\nconnection: x-user-email",
        "proxy-connection: x-user-roles",
        "keep-alive: x-user-roles",
        "connection: authorization",
    ] {
        let head = call(&gateway, fields, EMPTY).await;
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{fields}: {head}");
        let seen = probe.take_one();
        let user = seen.user.expect(fields);
        assert_eq!(user.id(), "alice", "{fields}");
        assert!(user.roles().eq(["buyer"]), "{fields}");
        assert_eq!(user.email(), Some("alice@example.com"), "{fields}");
        assert!(user.permissions().eq(["orders:create", "orders:read"]), "{fields}");
        assert!(!seen.metadata.contains_key("connection"), "{fields}");
    }
}

#[tokio::test]
async fn hop_by_hop_trailers_are_not_relayed() {
    let probe = Probe::default();
    let (_upstream, gateway) = start(&probe).await;
    for trailer in
        ["connection: x", "keep-alive: x", "upgrade: x", "te: gzip", "x-user-id: admin", "x-sum: 1"]
    {
        let body = format!("\r\n5\r\n\0\0\0\0\0\r\n0\r\n{trailer}\r\n\r\n");
        let response = call(&gateway, "transfer-encoding: chunked", &body);
        let head = timeout(Duration::from_secs(10), response).await.expect(trailer);
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{trailer}: {head}");
        assert_eq!(probe.take_one().user.expect(trailer).id(), "alice", "{trailer}");
    }
}

#[tokio::test]
async fn metadata_that_would_break_the_shared_connection_is_not_relayed() {
    let probe = Probe::default();
    let (_upstream, gateway) = start(&probe).await;
    let (send, items) = mpsc::channel(1);
    let bearer = format!("Bearer {}", token::good("alice"));
    let request = with(&[("authorization", &bearer)], ReceiverStream::new(items));
    send.send(Item::default()).await.unwrap();
    let mut client = OrderServiceClient::new(gateway.connect().await);
    let mut responses = client.check_items(request).await.unwrap().into_inner();
    responses.message().await.unwrap().unwrap();
    probe.take_one();

    for (count, relayed) in [(1, true), (2, false), (6, false), (40, false)] {
        let fields: Vec<_> = (0..count).map(|n| format!("n-{n}: {}", "~".repeat(9000))).collect();
        let head = call(&gateway, &fields.join("\r\n"), EMPTY).await;
        assert_eq!(!head.contains("grpc-status: 8"), relayed, "{count}: {head}");
        assert_eq!(probe.take_all().len(), usize::from(relayed), "{count}");

        send.send(Item::default()).await.unwrap();
        responses.message().await.unwrap().expect("the other call");
    }
}
