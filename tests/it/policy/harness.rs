//! Test service behind a policy, its callers, and the expected outcomes of their calls.

use tonic::transport::Channel;
use tonic::{Code, Status};
use tonic_passport::{Authenticator, ForwardedContext, JwtAuthenticator, Policy, ServerLayer};

use crate::support::probe::{Kind, Probe, call};
use crate::support::server::TestServer;
use crate::support::{assert_refused, token};

/// Caller of a method. An authenticated caller is alice.
#[derive(Clone, Copy, Debug)]
pub enum Caller {
    Anonymous,
    Authenticated { roles: &'static [&'static str], permissions: &'static [&'static str] },
}

impl Caller {
    /// Authenticated caller without roles and permissions.
    pub const UNPRIVILEGED: Self = Self::Authenticated { roles: &[], permissions: &[] };

    pub const fn with_roles(roles: &'static [&'static str]) -> Self {
        Self::Authenticated { roles, permissions: &[] }
    }

    pub const fn with_permissions(permissions: &'static [&'static str]) -> Self {
        Self::Authenticated { roles: &[], permissions }
    }
}

/// Position of the service: at the edge, with tokens, or behind it, with forwarded contexts.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum EntryPoint {
    Edge,
    Internal,
}

impl EntryPoint {
    pub const ALL: [Self; 2] = [Self::Edge, Self::Internal];

    pub fn layer(self) -> ServerLayer<Box<dyn Authenticator>> {
        ServerLayer::new(match self {
            Self::Edge => Box::new(JwtAuthenticator::new(token::verifier())),
            Self::Internal => Box::new(ForwardedContext::trust_private_network()),
        })
    }

    /// Code and reason for an anonymous caller of a method that needs authentication.
    pub fn challenge(self) -> (Code, &'static str) {
        match self {
            Self::Edge => (Code::Unauthenticated, "TOKEN_MISSING"),
            Self::Internal => (Code::Unauthenticated, "CONTEXT_MISSING"),
        }
    }

    /// Metadata that identifies the caller here.
    pub fn fields(self, caller: Caller) -> Vec<(&'static str, String)> {
        let Caller::Authenticated { roles, permissions } = caller else { return Vec::new() };
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

    /// Makes a call as the caller.
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

/// Expected outcome of a call.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// The handler runs, without a user context.
    Anonymous,
    /// The handler runs, with alice's context.
    Authenticated,
    /// The caller does not meet the rule.
    Denied,
    /// The policy has no rule for the method.
    RuleMissing,
    /// The rule needs an authenticated caller.
    Unauthenticated,
}

/// Service behind a layer, with a probe as its handler.
pub struct TestService {
    pub entry_point: EntryPoint,
    pub probe: Probe,
    pub channel: Channel,
    pub server: TestServer,
}

impl TestService {
    pub async fn start(entry_point: EntryPoint, policy: Policy) -> Self {
        Self::start_behind(entry_point, entry_point.layer().policy(policy)).await
    }

    pub async fn start_behind(
        entry_point: EntryPoint,
        layer: ServerLayer<Box<dyn Authenticator>>,
    ) -> Self {
        let probe = Probe::default();
        let server = probe.serve_with(layer).await;
        Self { entry_point, probe, channel: server.connect().await, server }
    }

    pub async fn call(&self, kind: Kind, caller: Caller) -> Result<String, Status> {
        self.entry_point.call(kind, self.channel.clone(), caller).await
    }

    /// Makes a call, and asserts its outcome and that the handler ran once, or not at all.
    pub async fn assert_outcome(&self, kind: Kind, caller: Caller, expected: Outcome, case: &str) {
        let case = format!("{case}: {kind:?} at {:?} as {caller:?}", self.entry_point);
        let response = self.call(kind, caller).await;
        let refusal = match expected {
            Outcome::Authenticated | Outcome::Anonymous => {
                let id = if expected == Outcome::Authenticated { "alice" } else { "" };
                assert_eq!(response.unwrap_or_else(|status| panic!("{case}: {status:?}")), id);
                let seen = self.probe.take_one();
                assert_eq!(seen.user.as_ref().map_or("", |user| user.id()), id, "{case}");
                assert_eq!(seen.metadata.contains_key("x-user-id"), !id.is_empty(), "{case}");
                return;
            }
            Outcome::Denied => (Code::PermissionDenied, "PERMISSION_MISSING"),
            Outcome::RuleMissing => (Code::PermissionDenied, "RULE_MISSING"),
            Outcome::Unauthenticated => self.entry_point.challenge(),
        };
        assert_refused(response, refusal, &self.probe, &case);
    }
}
