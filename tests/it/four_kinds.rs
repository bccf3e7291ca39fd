//! Identity reaches the handler of every kind of call in the same way.

use tonic_passport::{BearerToken, ServerLayer, UserContext};

use crate::support::probe::{Kind, Probe, call};
use crate::support::token;

#[tokio::test]
async fn the_edge_tells_the_handler_of_every_kind_of_call_who_is_calling() {
    let probe = Probe::default();
    let server = probe.behind(ServerLayer::new(BearerToken::new(token::verifier()))).await;
    let bearer = format!("Bearer {}", token::good("alice"));

    for kind in Kind::ALL {
        let user = call(kind, server.connect().await, &[("authorization", &bearer)]).await;
        assert_eq!(user.unwrap(), "alice", "{kind:?}");

        let seen = probe.take_one();
        assert_eq!(seen.metadata["x-user-id"], "alice", "{kind:?}");
        assert_eq!(seen.metadata["x-user-permissions"], "orders:create,orders:read", "{kind:?}");
        assert_eq!(seen.user.as_ref().map(UserContext::id), Some("alice"), "{kind:?}");
        assert_eq!(seen.user, seen.current, "{kind:?}");
    }
}
