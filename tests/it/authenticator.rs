//! Custom authenticators: closures and types, with a credential in any metadata field.

use std::sync::Arc;

use http::{HeaderName, HeaderValue};
use tonic::Code;
use tonic_passport::authenticate::{Authentication, Authenticator, Credentials};
use tonic_passport::{Rejection, ServerLayer, UserContext};

use crate::support::probe::{Kind, Probe, call};
use crate::support::rules::optional;
use crate::support::{assert_refused, forged};

const INVALID: (Code, &str) = (Code::Unauthenticated, "CREDENTIAL_INVALID");
const MISSING: (Code, &str) = (Code::Unauthenticated, "CREDENTIAL_MISSING");

fn identify(key: Option<&[u8]>) -> Result<Option<UserContext>, Rejection> {
    match key {
        None => Ok(None),
        Some(b"3f8c") => Ok(Some(UserContext::builder("importer").build()?)),
        Some(b"later") => {
            Err(Rejection::AuthenticationUnavailable("the keys are being loaded".into()))
        }
        Some(_) => Err(Rejection::CredentialInvalid("unknown api key".into())),
    }
}

fn by_authorization(credentials: &Credentials<'_>) -> Result<Option<UserContext>, Rejection> {
    identify(credentials.get("Authorization")?.map(HeaderValue::as_bytes))
}

/// Authenticator with a credential in a custom field.
struct ByApiKey([HeaderName; 1]);

impl ByApiKey {
    fn new() -> Self {
        Self([HeaderName::from_static("x-api-key")])
    }
}

impl Authenticator for ByApiKey {
    fn authenticate(&self, credentials: &Credentials<'_>) -> Authentication {
        let key = credentials.get("x-api-key");
        key.and_then(|key| identify(key.map(HeaderValue::as_bytes))).into()
    }

    fn credential_names(&self) -> &[HeaderName] {
        &self.0
    }
}

/// Asserts the behaviour of an authenticator whose credential is in this field.
async fn authenticates(name: &str, strategy: impl Authenticator) {
    let probe = Probe::default();
    let server = probe.serve_with(ServerLayer::new(strategy)).await;
    let channel = server.connect().await;
    for kind in Kind::ALL {
        let case = format!("{name}, {kind:?}");
        let good = [(name, "3f8c"), ("x-user-roles", forged::VALUE)];
        assert_eq!(call(kind, channel.clone(), &good).await.unwrap(), "importer", "{case}");
        let seen = probe.take_one();
        forged::assert_context(&seen.metadata, &[("x-user-id", "importer")], &case);
        assert!(!seen.metadata.contains_key(name), "{case}: the credential is forwarded");

        let unavailable = (Code::Unavailable, "AUTHENTICATION_UNAVAILABLE");
        let refusals: [(&[(&str, &str)], _); 5] = [
            (&[], MISSING),
            (&[(name, "guess")], INVALID),
            (&[(name, "3f8c"), (name, "3f8c")], INVALID),
            (&[(name, "guess"), (name, "guess")], INVALID),
            (&[(name, "later")], unavailable),
        ];
        for (fields, expected) in refusals {
            let case = format!("{case}, {fields:?}");
            let response = call(kind, channel.clone(), fields).await;
            let metadata = response.as_ref().map_err(|status| status.metadata().clone());
            assert!(!metadata.unwrap_err().contains_key("www-authenticate"), "{case}");
            assert_refused(response, expected, &probe, &case);
        }
    }
}

#[tokio::test]
async fn a_closure_authenticates() {
    authenticates("authorization", by_authorization).await;
}

#[tokio::test]
async fn a_custom_authenticator_reads_its_own_field() {
    authenticates("x-api-key", ByApiKey::new()).await;
}

#[tokio::test]
async fn an_authenticator_can_be_a_trait_object() {
    let boxed: Box<dyn Authenticator> = Box::new(ByApiKey::new());
    authenticates("x-api-key", boxed).await;
    let shared: Arc<dyn Authenticator> = Arc::new(ByApiKey::new());
    authenticates("x-api-key", shared).await;
}

#[tokio::test]
async fn a_repeated_credential_is_not_an_anonymous_caller() {
    let probe = Probe::default();
    let layer = ServerLayer::new(by_authorization).policy(optional(Kind::paths()));
    let server = probe.serve_with(layer).await;
    let channel = server.connect().await;
    for kind in Kind::ALL {
        let twice = [("authorization", "guess"), ("authorization", "guess")];
        let response = call(kind, channel.clone(), &twice).await;
        assert_refused(response, INVALID, &probe, &format!("{kind:?}"));

        assert_eq!(call(kind, channel.clone(), &[]).await.unwrap(), "", "{kind:?}");
        probe.take_one();
    }
}

#[tokio::test]
async fn a_declared_credential_field_is_removed_in_every_spelling() {
    let probe = Probe::default();
    let layer = ServerLayer::new(ByApiKey::new()).policy(optional(Kind::paths()));
    let server = probe.serve_with(layer).await;
    let channel = server.connect().await;
    for name in ["x_api_key", "x.api.key", "xapikey", "x-api--key", "X-API_KEY"] {
        let fields = [("x-api-key", "3f8c"), (name, "guess")];
        let user = call(Kind::Unary, channel.clone(), &fields).await;
        assert_eq!(user.unwrap(), "importer", "{name}");
        let seen = probe.take_one().metadata;
        assert!(!seen.values().any(|value| value == "guess"), "{name}: {seen:?}");
    }
}

#[tokio::test]
async fn reading_an_undeclared_credential_field_is_not_an_anonymous_caller() {
    // A closure has no `credential_names`.
    let unnamed = |credentials: &Credentials<'_>| {
        identify(credentials.get("x-api-key")?.map(HeaderValue::as_bytes))
    };
    let probe = Probe::default();
    let server = probe.serve_with(ServerLayer::new(unnamed).policy(optional(Kind::paths()))).await;
    let channel = server.connect().await;
    for kind in Kind::ALL {
        for fields in [&[][..], &[("x-api-key", "guess")]] {
            let response = call(kind, channel.clone(), fields).await;
            let expected = (Code::Unavailable, "AUTHENTICATION_UNAVAILABLE");
            assert_refused(response, expected, &probe, &format!("{kind:?}, {fields:?}"));
        }
    }
}

/// Unit tests of handlers insert the user like this.
#[test]
fn without_a_layer_the_user_in_the_extensions_is_the_caller() {
    let mut request = tonic::Request::new(());
    assert!(UserContext::from_request(&request).is_err());
    let alice = UserContext::builder("alice").build().unwrap();
    request.extensions_mut().insert(alice.clone());
    assert_eq!(UserContext::from_request(&request).unwrap(), alice);
}
