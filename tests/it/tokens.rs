//! An invalid token never reaches a handler.

use tonic::transport::Channel;
use tonic::{Code, Status};
use tonic_passport::jwt::{TokenError, Verifier};
use tonic_passport::{JwtAuthenticator, ServerLayer};
use tonic_types::StatusExt;

use crate::support::probe::{Kind, Probe, call};
use crate::support::reason;
use crate::support::rules::{optional, public};
use crate::support::server::TestServer;

mod algorithms;
mod compact;
mod credentials;
mod header;
mod issuers;
mod json;
mod registered_claims;
mod signatures;

/// The method that the tests call.
const METHOD: &str = "/shop.v1.OrderService/CreateOrder";

/// The response to the caller: reason, message, and the value of `www-authenticate`.
type Told = (&'static str, &'static str, &'static str);

const EXPIRED: Told = (
    "TOKEN_EXPIRED",
    "the token has expired",
    r#"Bearer error="invalid_token", error_description="the token has expired""#,
);
const INVALID: Told =
    ("TOKEN_INVALID", "the token is not valid", r#"Bearer error="invalid_token""#);
const MALFORMED: Told = (
    "TOKEN_MALFORMED",
    "the credential field does not hold exactly one token",
    r#"Bearer error="invalid_request""#,
);
const MISSING: Told = ("TOKEN_MISSING", "a token is required", "Bearer");

/// An edge with a probe behind it, and one connection to it.
struct Edge {
    verifier: Verifier,
    probe: Probe,
    channel: Channel,
    _server: TestServer,
}

impl Edge {
    async fn start(verifier: Verifier) -> Self {
        let layer = ServerLayer::new(JwtAuthenticator::new(verifier.clone()));
        Self::behind(layer, verifier).await
    }

    /// An edge where authentication is optional for the method.
    async fn start_optional(verifier: Verifier) -> Self {
        let layer =
            ServerLayer::new(JwtAuthenticator::new(verifier.clone())).policy(optional([METHOD]));
        Self::behind(layer, verifier).await
    }

    /// An edge where the method is public.
    async fn start_public(verifier: Verifier) -> Self {
        let layer =
            ServerLayer::new(JwtAuthenticator::new(verifier.clone())).policy(public([METHOD]));
        Self::behind(layer, verifier).await
    }

    async fn behind(layer: ServerLayer<JwtAuthenticator>, verifier: Verifier) -> Self {
        let probe = Probe::default();
        let server = probe.serve_with(layer).await;
        Self { verifier, probe, channel: server.connect().await, _server: server }
    }

    async fn call(&self, authorization: &[&str]) -> Result<String, Status> {
        let fields: Vec<_> = authorization.iter().map(|value| ("authorization", *value)).collect();
        call(Kind::Unary, self.channel.clone(), &fields).await
    }

    async fn accepts(&self, case: &str, token: &str) {
        let user = self.call(&[&format!("Bearer {token}")]).await;
        assert_eq!(user.unwrap_or_else(|status| panic!("{case}: {status:?}")), "alice", "{case}");
        self.probe.take_one();
    }

    /// Asserts that the verifier returns this error, and the server a generic response.
    async fn refuses(&self, case: &str, token: &str, error: TokenError) {
        let told = if error == TokenError::Expired { EXPIRED } else { INVALID };
        assert_eq!(self.verifier.verify(token).err(), Some(error), "{case}");
        self.turns_away(case, &[&format!("Bearer {token}")], told).await;
    }

    /// Asserts that the call fails with this response and nothing else, before the handler.
    async fn turns_away(&self, case: &str, authorization: &[&str], told: Told) {
        let status = self.call(authorization).await.expect_err(case);
        let challenges: Vec<_> = status.metadata().get_all("www-authenticate").iter().collect();
        assert_eq!(status.code(), Code::Unauthenticated, "{case}");
        assert_eq!((&*reason(&status), status.message()), (told.0, told.1), "{case}");
        assert_eq!(challenges, [told.2], "{case}");
        assert!(status.get_error_details().error_info().unwrap().metadata.is_empty(), "{case}");
        assert_eq!(self.probe.calls(), 0, "{case}");
    }
}
