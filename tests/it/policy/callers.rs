//! Who calls, through which door, and how a policy answers them.

use tonic::transport::Channel;
use tonic::{Code, Status};
use tonic_passport::{Authenticator, ForwardedContext, JwtAuthenticator, Policy, ServerLayer};

use crate::support::probe::{Kind, Probe, call};
use crate::support::server::TestServer;
use crate::support::{assert_refused, token};

/// Whoever calls: alice, where it is known.
#[derive(Clone, Copy, Debug)]
pub enum Caller {
    Anonymous,
    Known { roles: &'static [&'static str], permissions: &'static [&'static str] },
}

impl Caller {
    /// Known, and without any role or permission.
    pub const PLAIN: Self = Self::Known { roles: &[], permissions: &[] };

    pub const fn with_roles(roles: &'static [&'static str]) -> Self {
        Self::Known { roles, permissions: &[] }
    }

    pub const fn with_permissions(permissions: &'static [&'static str]) -> Self {
        Self::Known { roles: &[], permissions }
    }
}

/// Where the service is: at the edge, or behind it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Door {
    Edge,
    Inside,
}

impl Door {
    pub const ALL: [Self; 2] = [Self::Edge, Self::Inside];

    pub fn layer(self) -> ServerLayer<Box<dyn Authenticator>> {
        ServerLayer::new(match self {
            Self::Edge => Box::new(JwtAuthenticator::new(token::verifier())),
            Self::Inside => Box::new(ForwardedContext::trust_private_network()),
        })
    }

    /// What a caller is told who says nothing and would have to.
    pub fn challenge(self) -> (Code, &'static str) {
        match self {
            Self::Edge => (Code::Unauthenticated, "TOKEN_MISSING"),
            Self::Inside => (Code::Unauthenticated, "CONTEXT_MISSING"),
        }
    }

    /// The metadata of this caller's calls.
    pub fn fields(self, caller: Caller) -> Vec<(&'static str, String)> {
        let Caller::Known { roles, permissions } = caller else { return Vec::new() };
        if self == Self::Edge {
            let token = token::token("alice").roles(roles.to_vec());
            let token = token.permissions(permissions.to_vec()).sign();
            return vec![("authorization", format!("Bearer {token}"))];
        }
        let lists = [("x-user-roles", roles), ("x-user-permissions", permissions)];
        let lists = lists.into_iter().filter(|(_, items)| !items.is_empty());
        let lists = lists.map(|(name, items)| (name, items.join(",")));
        std::iter::once(("x-user-id", "alice".to_owned())).chain(lists).collect()
    }

    /// Makes a call of this kind as this caller.
    pub async fn call(
        self,
        kind: Kind,
        channel: Channel,
        caller: Caller,
    ) -> Result<String, Status> {
        let fields = self.fields(caller);
        let fields: Vec<_> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        call(kind, channel, &fields).await
    }
}

/// How a call is answered.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Answer {
    /// The handler runs, and knows who is calling.
    Known,
    /// The handler runs, and does not know who is calling.
    Unknown,
    /// The caller may not, whatever is said of them.
    Denied,
    /// The caller is asked who they are.
    Challenged,
    /// There is no rule.
    NoRule,
}

/// A door with a policy, and the probe behind it.
pub struct Served {
    pub door: Door,
    pub probe: Probe,
    pub channel: Channel,
    pub server: TestServer,
}

impl Served {
    pub async fn start(door: Door, policy: Policy) -> Self {
        Self::start_behind(door, door.layer().policy(policy)).await
    }

    pub async fn start_behind(door: Door, layer: ServerLayer<Box<dyn Authenticator>>) -> Self {
        let probe = Probe::default();
        let server = probe.serve_with(layer).await;
        Self { door, probe, channel: server.connect().await, server }
    }

    pub async fn call(&self, kind: Kind, caller: Caller) -> Result<String, Status> {
        self.door.call(kind, self.channel.clone(), caller).await
    }

    /// Makes a call of this kind as this caller, and demands that it is answered like this. The
    /// handler sees it once, or not at all.
    pub async fn expect(&self, kind: Kind, caller: Caller, expected: Answer, case: &str) {
        let case = format!("{case}: {kind:?} at {:?} as {caller:?}", self.door);
        let answer = self.call(kind, caller).await;
        let refusal = match expected {
            Answer::Known | Answer::Unknown => {
                let id = if expected == Answer::Known { "alice" } else { "" };
                assert_eq!(answer.unwrap_or_else(|status| panic!("{case}: {status:?}")), id);
                let seen = self.probe.take_one();
                assert_eq!(seen.user.as_ref().map_or("", |user| user.id()), id, "{case}");
                assert_eq!(seen.metadata.contains_key("x-user-id"), !id.is_empty(), "{case}");
                return;
            }
            Answer::Denied => (Code::PermissionDenied, "PERMISSION_MISSING"),
            Answer::Challenged => self.door.challenge(),
            Answer::NoRule => (Code::PermissionDenied, "RULE_MISSING"),
        };
        assert_refused(answer, refusal, &self.probe, &case);
    }
}
