//! User service, which returns the identity of its caller.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::net::TcpListener;
use tonic::service::Routes;
use tonic::{Request, Response, Status};
use tonic_passport::policy::Guarded;
use tonic_passport::{AccessDenied, Authorized, ForwardedContext, ServerLayer, UserContext};
use tower::BoxError;

use crate::access_log::{log_call, metadata_names};
use crate::proto::user_service_server::{SERVICE_NAME, UserService, UserServiceServer};
use crate::proto::{GetUserRequest, User, WhoAmIRequest, WhoAmIResponse};
use crate::{behind_gateway, operations};

/// Serves `UserService` with the rules of this descriptor set.
pub async fn serve(listener: TcpListener, descriptor_set: &[u8]) -> Result<(), BoxError> {
    let layer = ServerLayer::new(ForwardedContext::trust_private_network())
        .policy(operations::policy(SERVICE_NAME, descriptor_set)?);

    let routes = Routes::new(UserServiceServer::new(Users::default()));
    let routes = operations::add_to(routes, &[SERVICE_NAME]).await?;
    behind_gateway::serve(listener, layer, routes).await
}

/// Store of the users on whose behalf the service was called.
#[derive(Default)]
struct Users {
    by_id: Mutex<HashMap<String, User>>,
}

#[tonic::async_trait]
impl UserService for Users {
    async fn who_am_i(
        &self,
        request: Request<WhoAmIRequest>,
    ) -> Result<Response<WhoAmIResponse>, Status> {
        let user = Authorized::from_request(&request)?;
        log_call("WhoAmI", &user, &request);

        Ok(Response::new(WhoAmIResponse {
            permissions: user.permissions().map(str::to_owned).collect(),
            metadata_keys: metadata_names(&request),
            user: Some(self.remember(&user)),
        }))
    }

    async fn get_user(&self, request: Request<GetUserRequest>) -> Result<Response<User>, Status> {
        let user = Authorized::from_request(&request)?;
        log_call("GetUser", &user, &request);

        let wanted = user.authorize(request.into_inner())?;
        self.remember(&user);
        let found = self.lock().get(&wanted.id).cloned();
        found.map(Response::new).ok_or_else(|| Status::not_found("no such user"))
    }
}

/// A user may be read by themselves, and by administrators.
impl Guarded for GetUserRequest {
    fn authorize(&self, user: &UserContext) -> Result<(), AccessDenied> {
        if self.id == user.id() {
            return Ok(());
        }
        user.require_role("admin")
    }
}

impl Users {
    fn remember(&self, user: &UserContext) -> User {
        let user = User {
            id: user.id().to_owned(),
            email: user.email().unwrap_or_default().to_owned(),
            roles: user.roles().map(str::to_owned).collect(),
        };
        self.lock().insert(user.id.clone(), user.clone());
        user
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, User>> {
        self.by_id.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
