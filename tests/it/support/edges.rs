//! Two edges with the same keys: one with a token cache, one without.

use tonic::transport::Channel;
use tonic::{Code, Status};
use tonic_passport::jwt::Verifier;
use tonic_passport::{JwtAuthenticator, ServerLayer};

use super::probe::{Kind, Probe, call};
use super::reason;
use super::server::TestServer;

/// Two edges with one probe behind them, and a connection to each.
pub struct Edges {
    pub verifier: Verifier,
    pub probe: Probe,
    pub channels: [Channel; 2],
    _servers: [TestServer; 2],
}

impl Edges {
    pub async fn start(verifier: Verifier) -> Self {
        let probe = Probe::default();
        let edge = |verifier| probe.serve_with(ServerLayer::new(JwtAuthenticator::new(verifier)));
        let warm = edge(verifier.clone()).await;
        let cold = edge(verifier.clone().max_cached_tokens(0)).await;
        let channels = [warm.connect().await, cold.connect().await];
        Self { verifier, probe, channels, _servers: [warm, cold] }
    }

    /// Asserts that both accept a token of alice's.
    pub async fn accept(&self, token: &str, case: &str) {
        for channel in &self.channels {
            let user = call_with(channel, token).await;
            assert_eq!(user.unwrap_or_else(|status| panic!("{case}: {status:?}")), "alice");
        }
    }

    /// Asserts that both refuse a token with this code and reason, and that no handler is called.
    pub async fn refuse(&self, token: &str, expected: (Code, &str), case: &str) {
        let before = self.probe.calls();
        self.refuse_under_load(token, expected, case).await;
        assert_eq!(self.probe.calls(), before, "{case}");
    }

    /// Like [`refuse`](Self::refuse), while other calls reach the handlers.
    pub async fn refuse_under_load(&self, token: &str, (code, expected): (Code, &str), case: &str) {
        for channel in &self.channels {
            let status = call_with(channel, token).await.expect_err(case);
            assert_eq!((status.code(), &*reason(&status)), (code, expected), "{case}: {status:?}");
        }
    }
}

/// Makes a unary call with this token. Returns the id of the user.
pub async fn call_with(channel: &Channel, token: &str) -> Result<String, Status> {
    let bearer = format!("Bearer {token}");
    call(Kind::Unary, channel.clone(), &[("authorization", &bearer)]).await
}
