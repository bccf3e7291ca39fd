//! [jwt-authorizer](https://docs.rs/jwt-authorizer): a layer for axum 0.7 and tonic 0.12, around
//! any service of `http::Request`.
//!
//! It uses jsonwebtoken 9 with ring, which leaves no choice of cryptography. Checks `aud`.

use http::{Extensions, Response};
use jsonwebtoken_9::TokenData;
use jwt_authorizer::{AuthError, Authorizer, IntoLayer, JwtAuthorizer, Validation};
use tonic::Status;
use tonic::body::Body;
use tower::{Layer, ServiceExt};

use super::User;
use super::token;
use crate::job::{Handler, calls, ready};

/// Response that the layer can convert a rejection into; implemented for axum 0.7 and tonic 0.12
/// only.
struct AxumResponse(Response<Body>);

impl From<AuthError> for AxumResponse {
    fn from(error: AuthError) -> Self {
        Self(Status::unauthenticated(error.to_string()).into_http())
    }
}

/// The layer, with the issuer's key set as text.
pub fn jwt_authorizer() -> impl FnMut() {
    let validation = Validation::new().iss(&[token::ISSUER]).aud(&[token::AUDIENCE]);
    let builder = JwtAuthorizer::<User>::from_jwks_text(&token::rsa_jwks()).validation(validation);
    let authorizer: Authorizer<User> = ready(builder.build()).expect("a good configuration");

    let handler = Handler::new(user).map_response(AxumResponse);
    let service = authorizer.into_layer().layer(handler);
    calls(service.map_response(|AxumResponse(response)| response), &token::rs256())
}

fn user(extensions: &Extensions) -> Option<&str> {
    Some(&extensions.get::<TokenData<User>>()?.claims.sub)
}
