//! `first_of`: the strategy whose credential is present decides, and its decision is final.

use http::{HeaderName, HeaderValue};
use tonic::Code;
use tonic::transport::server::TcpConnectInfo;
use tonic_passport::authenticate::{
    Authentication, Authenticator, CredentialField, Credentials, LookupAuthenticator, first_of,
};
use tonic_passport::{ForwardedContext, JwtAuthenticator, Rejection, ServerLayer, UserContext};

use crate::support::probe::{Kind, Probe, call};
use crate::support::rules::optional;
use crate::support::{assert_refused, token};

const INVALID: (Code, &str) = (Code::Unauthenticated, "CREDENTIAL_INVALID");

async fn find_owner(key: String) -> Result<UserContext, Rejection> {
    match key.as_str() {
        "3f8c" => Ok(UserContext::builder("importer").build()?),
        _ => Err(Rejection::CredentialInvalid("unknown api key".into())),
    }
}

/// Bearer tokens, API keys in a field of their own, and API keys in `authorization`.
fn combined() -> impl Authenticator {
    let own_field = CredentialField::new(HeaderName::from_static("x-api-key"));
    first_of((
        JwtAuthenticator::new(token::verifier()),
        LookupAuthenticator::new(own_field, find_owner),
        LookupAuthenticator::new(CredentialField::authorization("ApiKey"), find_owner),
    ))
}

/// Fields of a request: names and values.
type Fields<'a> = &'a [(&'a str, &'a str)];

#[tokio::test]
async fn the_strategy_whose_credential_is_present_authenticates_the_caller() {
    let bearer = format!("Bearer {}", token::good("alice"));
    let cases: [(&str, Fields<'_>, &str); 5] = [
        ("a token", &[("authorization", &bearer)], "alice"),
        ("a key in its own field", &[("x-api-key", "3f8c")], "importer"),
        ("a key after its scheme", &[("authorization", "ApiKey 3f8c")], "importer"),
        ("a scheme in lower case", &[("authorization", "apikey 3f8c")], "importer"),
        ("forged metadata besides", &[("x-api-key", "3f8c"), ("x-user-id", "admin")], "importer"),
    ];
    let probe = Probe::default();
    let server = probe.serve_with(ServerLayer::new(combined())).await;
    let channel = server.connect().await;
    for kind in Kind::ALL {
        for (case, fields, expected) in cases {
            let case = format!("{case}, {kind:?}");
            assert_eq!(call(kind, channel.clone(), fields).await.unwrap(), expected, "{case}");
            let metadata = probe.take_one().metadata;
            assert_eq!(metadata["x-user-id"], expected, "{case}");
            assert!(!metadata.contains_key("authorization"), "{case}");
            assert!(!metadata.contains_key("x-api-key"), "{case}");
        }
    }
}

#[tokio::test]
async fn an_invalid_credential_never_falls_through_to_another_strategy() {
    let bearer = format!("Bearer {}", token::good("alice"));
    let token_invalid = (Code::Unauthenticated, "TOKEN_INVALID");
    let token_malformed = (Code::Unauthenticated, "TOKEN_MALFORMED");
    let cases: [(&str, &[(&str, &str)], _); 12] = [
        ("bad token", &[("authorization", "Bearer x")], token_invalid),
        ("bad key", &[("x-api-key", "guess")], INVALID),
        ("bad key after its scheme", &[("authorization", "ApiKey guess")], INVALID),
        ("bad token, good key", &[("authorization", "Bearer x"), ("x-api-key", "3f8c")], INVALID),
        ("good token, bad key", &[("authorization", &bearer), ("x-api-key", "guess")], INVALID),
        ("good token, good key", &[("authorization", &bearer), ("x-api-key", "3f8c")], INVALID),
        ("a key twice", &[("x-api-key", "3f8c"), ("x-api-key", "3f8c")], INVALID),
        (
            "a token twice",
            &[("authorization", &bearer), ("authorization", &bearer)],
            token_malformed,
        ),
        ("two schemes", &[("authorization", &bearer), ("authorization", "ApiKey 3f8c")], INVALID),
        ("unknown scheme", &[("authorization", "Basic eDp5")], INVALID),
        ("no scheme", &[("authorization", "3f8c")], INVALID),
        ("scheme alone", &[("authorization", "ApiKey")], INVALID),
    ];
    // Where anonymous callers are allowed, too.
    for policy in [None, Some(optional(Kind::paths()))] {
        let probe = Probe::default();
        let allows_anonymous = policy.is_some();
        let layer = ServerLayer::new(combined());
        let layer = policy.into_iter().fold(layer, ServerLayer::policy);
        let server = probe.serve_with(layer).await;
        let channel = server.connect().await;
        for kind in Kind::ALL {
            for (case, fields, expected) in cases {
                let case = format!("{case}, {kind:?}, anonymous allowed: {allows_anonymous}");
                let response = call(kind, channel.clone(), fields).await;
                assert_refused(response, expected, &probe, &case);
            }
        }
    }
}

#[tokio::test]
async fn a_request_without_a_credential_gets_the_challenge_of_the_first_strategy() {
    let probe = Probe::default();
    let server = probe.serve_with(ServerLayer::new(combined())).await;
    let channel = server.connect().await;
    for fields in [&[][..], &[("x-user-id", "admin")], &[("x_api_key", "3f8c")]] {
        for kind in Kind::ALL {
            let response = call(kind, channel.clone(), fields).await;
            let missing = (Code::Unauthenticated, "TOKEN_MISSING");
            assert_refused(response, missing, &probe, &format!("{kind:?}, {fields:?}"));
        }
    }
}

#[tokio::test]
async fn a_forwarded_context_beside_a_token_is_ambiguous() {
    let bearer = format!("Bearer {}", token::good("alice"));
    let strategies = first_of((
        ForwardedContext::trust_private_network(),
        JwtAuthenticator::new(token::verifier()),
    ));
    let probe = Probe::default();
    let server = probe.serve_with(ServerLayer::new(strategies)).await;
    let channel = server.connect().await;
    for kind in Kind::ALL {
        let alone = [("x-user-id", "bob")];
        assert_eq!(call(kind, channel.clone(), &alone).await.unwrap(), "bob", "{kind:?}");
        probe.take_one();
        for name in ["x-user-id", "x-user-roles", "x_user_id", "x-user-id-bin"] {
            let both = [("authorization", &*bearer), (name, "YWRtaW4")];
            let response = call(kind, channel.clone(), &both).await;
            assert_refused(response, INVALID, &probe, &format!("{kind:?}, {name}"));
        }
    }
}

#[tokio::test]
async fn a_strategy_that_ignores_its_credential_makes_no_anonymous_caller() {
    // It recognizes its scheme only, and takes every other credential for none.
    let by_scheme = |credentials: &Credentials<'_>| {
        let value = credentials.get("authorization")?;
        match value.map(HeaderValue::as_bytes) {
            Some(b"ApiKey 3f8c") => Ok(Some(UserContext::builder("importer").build()?)),
            _ => Ok(None),
        }
    };
    let field = CredentialField::new(HeaderName::from_static("x-api-key"));
    let strategies = first_of((by_scheme, LookupAuthenticator::new(field, find_owner)));
    let probe = Probe::default();
    let layer = ServerLayer::new(strategies).policy(optional(Kind::paths()));
    let server = probe.serve_with(layer).await;
    let channel = server.connect().await;
    for kind in Kind::ALL {
        let known = [("authorization", "ApiKey 3f8c")];
        assert_eq!(call(kind, channel.clone(), &known).await.unwrap(), "importer");
        probe.take_one();
        let response = call(kind, channel.clone(), &[("authorization", "Basic eDp5")]).await;
        assert_refused(response, INVALID, &probe, &format!("{kind:?}"));
    }
}

#[tokio::test]
async fn a_token_is_taken_from_the_field_that_is_configured() {
    let assertion = HeaderName::from_static("x-goog-iap-jwt-assertion");
    let strategy = JwtAuthenticator::new(token::verifier()).field(CredentialField::new(assertion));
    let probe = Probe::default();
    let server = probe.serve_with(ServerLayer::new(strategy)).await;
    let channel = server.connect().await;
    let good = token::good("alice");
    let bearer = format!("Bearer {good}");
    for kind in Kind::ALL {
        let case = format!("{kind:?}");
        let fields = [("x-goog-iap-jwt-assertion", &*good), ("authorization", "Basic eDp5")];
        assert_eq!(call(kind, channel.clone(), &fields).await.unwrap(), "alice", "{case}");
        let metadata = probe.take_one().metadata;
        assert!(!metadata.contains_key("x-goog-iap-jwt-assertion"), "{case}");
        assert!(!metadata.contains_key("authorization"), "{case}");

        let refusals: [(&[(&str, &str)], &str); 4] = [
            (&[("authorization", &bearer)], "TOKEN_MISSING"),
            (&[("x-goog-iap-jwt-assertion", &bearer)], "TOKEN_MALFORMED"),
            (&[("x-goog-iap-jwt-assertion", "x")], "TOKEN_INVALID"),
            (
                &[("x-goog-iap-jwt-assertion", &good), ("x-goog-iap-jwt-assertion", &good)],
                "TOKEN_MALFORMED",
            ),
        ];
        for (fields, reason) in refusals {
            let response = call(kind, channel.clone(), fields).await;
            let expected = (Code::Unauthenticated, reason);
            assert_refused(response, expected, &probe, &format!("{case}, {fields:?}"));
        }
    }
}

/// Identifies every caller by the connection, as by a peer certificate: without any field.
struct ByConnection(&'static str);

impl Authenticator for ByConnection {
    fn authenticate(&self, credentials: &Credentials<'_>) -> Authentication {
        let is_known = credentials.extensions().get::<TcpConnectInfo>().is_some();
        let user = is_known.then(|| UserContext::builder(self.0).build());
        user.transpose().map_err(Rejection::from).into()
    }

    fn has_credential(&self, _: &Credentials<'_>) -> bool {
        false
    }
}

#[tokio::test]
async fn without_a_credential_strategies_that_need_no_field_are_asked() {
    let bearer = format!("Bearer {}", token::good("alice"));
    let tokens = || JwtAuthenticator::new(token::verifier());
    let key = CredentialField::new(HeaderName::from_static("x-api-key"));
    let keys = || LookupAuthenticator::new(key.clone(), find_owner);
    let probe = Probe::default();
    let one = first_of((tokens(), keys(), ByConnection("peer")));
    let two = first_of((tokens(), ByConnection("peer"), ByConnection("other")));
    let one = probe.serve_with(ServerLayer::new(one)).await;
    let two = probe.serve_with(ServerLayer::new(two)).await;
    for kind in Kind::ALL {
        let case = format!("{kind:?}");
        let none: &[(&str, &str)] = &[("x-user-id", "admin")];
        assert_eq!(call(kind, one.connect().await, none).await.unwrap(), "peer", "{case}");
        probe.take_one();
        let with_token = [("authorization", &*bearer)];
        assert_eq!(call(kind, one.connect().await, &with_token).await.unwrap(), "alice", "{case}");
        probe.take_one();
        let response = call(kind, two.connect().await, none).await;
        assert_refused(response, INVALID, &probe, &case);
    }
}

#[tokio::test]
async fn a_credential_that_the_selected_strategy_does_not_recognize_is_rejected() {
    let inner = first_of((
        LookupAuthenticator::new(CredentialField::authorization("ApiKey"), find_owner),
        LookupAuthenticator::new(
            CredentialField::new(HeaderName::from_static("x-api-key")),
            find_owner,
        ),
    ));
    let nested = first_of((JwtAuthenticator::new(token::verifier()), inner));
    let bearer = format!("Bearer {}", token::good("alice"));
    let probe = Probe::default();
    let flat = probe.serve_with(ServerLayer::new(combined())).await;
    let nested = probe.serve_with(ServerLayer::new(nested)).await;
    let cases: [(&[(&str, &str)], _); 5] = [
        (&[("x-api-key", "3f8c"), ("authorization", "Basic eDp5")], None),
        (&[("x-api-key", "3f8c"), ("authorization", "")], None),
        (&[("authorization", "Basic eDp5")], None),
        (&[("authorization", &bearer)], Some("alice")),
        (&[("authorization", "ApiKey 3f8c")], Some("importer")),
    ];
    for server in [&flat, &nested] {
        let channel = server.connect().await;
        for kind in Kind::ALL {
            for (fields, expected) in cases {
                let case = format!("{kind:?}, {fields:?}");
                let response = call(kind, channel.clone(), fields).await;
                match expected {
                    Some(user) => {
                        assert_eq!(response.unwrap(), user, "{case}");
                        probe.take_one();
                    }
                    None => assert_refused(response, INVALID, &probe, &case),
                }
            }
        }
    }
}

#[tokio::test]
async fn forged_metadata_is_rejected_whichever_strategy_is_selected() {
    let key = CredentialField::new(HeaderName::from_static("x-api-key"));
    let strict = JwtAuthenticator::new(token::verifier()).reject_forged_metadata();
    let strategies = first_of((LookupAuthenticator::new(key, find_owner), strict));
    let probe = Probe::default();
    let layer = ServerLayer::new(strategies).policy(optional(Kind::paths()));
    let server = probe.serve_with(layer).await;
    let bearer = format!("Bearer {}", token::good("alice"));
    let forged = (Code::Unauthenticated, "CONTEXT_INVALID");
    let cases: [(&[(&str, &str)], _); 3] = [
        (&[("x-user-id", "admin")], forged),
        (&[("x_user_id", "admin"), ("authorization", &bearer)], forged),
        (&[("x-user-id", "admin"), ("x-api-key", "3f8c")], INVALID),
    ];
    let channel = server.connect().await;
    for kind in Kind::ALL {
        for (fields, expected) in cases {
            let response = call(kind, channel.clone(), fields).await;
            assert_refused(response, expected, &probe, &format!("{kind:?}, {fields:?}"));
        }
    }
}

/// Forwards `authenticate` and nothing else, as a wrapper for logging may.
struct Wrapper<A>(A);

impl<A: Authenticator> Authenticator for Wrapper<A> {
    fn authenticate(&self, credentials: &Credentials<'_>) -> Authentication {
        self.0.authenticate(credentials)
    }
}

#[tokio::test]
async fn a_wrapper_that_hides_the_names_of_credentials_makes_no_anonymous_caller() {
    let key = || CredentialField::new(HeaderName::from_static("x-api-key"));
    let tokens = Wrapper(JwtAuthenticator::new(token::verifier()).field(key()));
    let keys = Wrapper(LookupAuthenticator::new(key(), find_owner));
    let probe = Probe::default();
    let strategies: [Box<dyn Authenticator>; 2] = [Box::new(tokens), Box::new(keys)];
    for strategy in strategies {
        let layer = ServerLayer::new(strategy).policy(optional(Kind::paths()));
        let server = probe.serve_with(layer).await;
        let channel = server.connect().await;
        for kind in Kind::ALL {
            for fields in [&[][..], &[("x-api-key", "3f8c")]] {
                let response = call(kind, channel.clone(), fields).await;
                let expected = (Code::Unavailable, "AUTHENTICATION_UNAVAILABLE");
                assert_refused(response, expected, &probe, &format!("{kind:?}, {fields:?}"));
            }
        }
    }
}
