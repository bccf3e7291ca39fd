//! Logs, spans and metrics of requests: outcome and reason, and never a token.

use std::collections::BTreeMap;
use std::fmt::{Debug, Write};
use std::sync::{Arc, Mutex};

use tonic_passport::jwt::{RevocationList, Verifier};
use tonic_passport::testing::{IdentityProvider, MockResponse, TestIssuer};
use tonic_passport::{ForwardedContext, JwtAuthenticator, ServerInterceptor, ServerLayer};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::DefaultGuard;
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{Layer, Registry};

use crate::support::metrics::Metrics;
use crate::support::probe::{Kind, Probe, call};
use crate::support::rules::{optional, public};

type Fields = BTreeMap<String, String>;

/// Captures the log of this thread.
#[derive(Clone, Default)]
struct Log {
    /// The fields of each event, with those of its spans.
    events: Arc<Mutex<Vec<Fields>>>,
    /// Everything that was recorded, including spans.
    text: Arc<Mutex<String>>,
}

struct Collect<'a>(&'a mut Fields, &'a Mutex<String>);

impl Visit for Collect<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        writeln!(self.1.lock().unwrap(), "{field}={value:?}").unwrap();
        self.0.insert(field.name().to_owned(), format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Log {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut fields = Fields::new();
        fields.insert("span".to_owned(), attributes.metadata().name().to_owned());
        attributes.record(&mut Collect(&mut fields, &self.text));
        context.span(id).unwrap().extensions_mut().insert(fields);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let span = context.span(id).unwrap();
        let mut extensions = span.extensions_mut();
        values.record(&mut Collect(extensions.get_mut().unwrap(), &self.text));
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut fields = Fields::new();
        event.record(&mut Collect(&mut fields, &self.text));
        for span in context.event_scope(event).into_iter().flatten() {
            // The innermost span takes precedence.
            let extensions = span.extensions();
            for (name, value) in extensions.get::<Fields>().unwrap() {
                fields.entry(name.clone()).or_insert_with(|| value.clone());
            }
        }
        self.events.lock().unwrap().push(fields);
    }
}

impl Log {
    fn start() -> (Self, DefaultGuard) {
        let log = Self::default();
        let guard = tracing::subscriber::set_default(Registry::default().with(log.clone()));
        (log, guard)
    }

    /// Returns the only event in `authenticate` since the last call, without its message and without
    /// the request id, which differs for each request.
    fn take(&self) -> Fields {
        let events = std::mem::take(&mut *self.events.lock().unwrap());
        let mut found: Vec<Fields> = events
            .into_iter()
            .filter(|fields| fields.get("span").is_some_and(|span| span == "authenticate"))
            // Policy decisions are logged there as well.
            .filter(|fields| !fields.contains_key("authorized"))
            .collect();
        assert_eq!(found.len(), 1, "{found:?}");
        let mut fields = found.remove(0);
        fields.remove("span");
        fields.remove("message");
        assert_eq!(fields.remove("request_id").unwrap().len(), 36);
        fields
    }

    fn text(&self) -> String {
        self.text.lock().unwrap().clone()
    }
}

fn fields<const N: usize>(expected: [(&str, &str); N]) -> Fields {
    expected.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

const METHOD: &str = "/shop.v1.OrderService/CreateOrder";

#[tokio::test]
async fn each_request_is_logged_with_its_outcome_and_reason() {
    let (log, _guard) = Log::start();
    let issuer = TestIssuer::new("https://id.example.com");
    let revocations = RevocationList::new();
    revocations.revoke_subject(issuer.name(), "carol", std::time::SystemTime::now());
    let verifier = issuer.verifier().revocation(revocations);
    let probe = Probe::default();
    let server = probe.serve_with(ServerLayer::new(JwtAuthenticator::new(verifier))).await;
    let channel = server.connect().await;

    let accepted = |cache_hit| {
        fields([
            ("cache_hit", cache_hit),
            ("issuer", "https://id.example.com"),
            ("key_id", "test"),
            ("method", METHOD),
            ("outcome", "accepted"),
            ("user.id", "alice"),
        ])
    };
    let refused = |reason, cause, known: &[(&str, &str)]| {
        let mut fields = fields([
            ("cause", cause),
            ("method", METHOD),
            ("outcome", "rejected"),
            ("reason", reason),
        ]);
        let known = known.iter().map(|(name, value)| (name.to_string(), value.to_string()));
        fields.extend(known);
        fields
    };
    let known = [("cache_hit", "false"), ("issuer", "https://id.example.com"), ("key_id", "test")];
    let good = issuer.token("alice").email("alice@example.com").sign();
    let cases = [
        (good.clone(), accepted("false")),
        (good, accepted("true")),
        (
            issuer.token("alice").expired().sign(),
            refused("TOKEN_EXPIRED", "invalid token: the token has expired", &known),
        ),
        (
            issuer.token("carol").sign(),
            refused("TOKEN_REVOKED", "invalid token: the token has been revoked", &known),
        ),
        (
            issuer.token("alice").sign_with(|_| vec![1; 64]),
            refused("TOKEN_INVALID", "invalid token: the signature is invalid", &known),
        ),
        (
            issuer.token("alice").header("kid", "\u{1b}[31m\nother").sign(),
            refused(
                "TOKEN_INVALID",
                r#"invalid token: the issuer has no key with the id "\u{1b}[31m\nother""#,
                &known[..2],
            ),
        ),
        (
            issuer.token("alice").claim("iss", "https://evil.example.com").sign(),
            refused(
                "TOKEN_INVALID",
                r#"invalid token: the issuer "https://evil.example.com" is not configured"#,
                &known[..1],
            ),
        ),
    ];
    for (token, expected) in cases {
        let authorization = format!("Bearer {token}");
        drop(call(Kind::Unary, channel.clone(), &[("authorization", &authorization)]).await);
        assert_eq!(log.take(), expected);
        let text = log.text();
        for part in token.split('.') {
            assert!(!text.contains(part), "a part of the token is in the log");
        }
    }
    assert!(!log.text().contains("alice@example.com"), "{}", log.text());

    drop(call(Kind::Unary, channel, &[]).await);
    assert_eq!(log.take(), refused("TOKEN_MISSING", "no token", &[]));
}

#[tokio::test]
async fn requests_without_a_caller_have_an_outcome_of_their_own() {
    let (log, _guard) = Log::start();
    let issuer = TestIssuer::new("https://id.example.com");
    let layer = || ServerLayer::new(JwtAuthenticator::new(issuer.verifier()));
    let anonymous = layer().policy(optional([METHOD]));
    let public = layer().policy(public([METHOD]));
    for (layer, outcome) in [(anonymous, "anonymous"), (public, "public")] {
        let server = Probe::default().serve_with(layer).await;
        call(Kind::Unary, server.connect().await, &[]).await.unwrap();
        assert_eq!(log.take(), fields([("method", METHOD), ("outcome", outcome)]));
    }
}

#[tokio::test]
async fn an_e_mail_address_is_recorded_only_if_configured() {
    let (log, _guard) = Log::start();
    let layer = ServerLayer::new(ForwardedContext::trust_private_network());
    let context = [("x-user-id", "alice"), ("x-user-email", "alice@example.com")];
    for (layer, recorded) in
        [(layer.clone(), None), (layer.record_email(), Some("alice@example.com"))]
    {
        let server = Probe::default().serve_with(layer).await;
        call(Kind::Unary, server.connect().await, &context).await.unwrap();
        let fields = log.take();
        assert_eq!(fields["user.id"], "alice");
        assert_eq!(fields.get("user.email").map(String::as_str), recorded);
        assert_eq!(log.text().contains("alice@example.com"), recorded.is_some());
    }
}

#[test]
fn an_interceptor_logs_the_fields_it_can() {
    use tonic::service::Interceptor;
    let (log, _guard) = Log::start();
    let mut interceptor = ServerInterceptor::new(ForwardedContext::trust_private_network());
    assert!(interceptor.call(tonic::Request::new(())).is_err());
    let expected =
        [("cause", "no user context"), ("outcome", "rejected"), ("reason", "CONTEXT_MISSING")];
    assert_eq!(log.take(), fields(expected));
}

fn metrics<const N: usize>(expected: [(&str, u64); N]) -> BTreeMap<String, u64> {
    expected.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

#[tokio::test]
async fn requests_and_verifications_are_counted_and_timed() {
    let metrics_of = Metrics::start();
    let issuer = TestIssuer::new("https://id.example.com");
    let server = Probe::default()
        .serve_with(ServerLayer::new(JwtAuthenticator::new(issuer.verifier())))
        .await;
    let channel = server.connect().await;
    let good = format!("Bearer {}", issuer.token("alice").sign());
    let foreign = TestIssuer::new("https://evil.example.com").token("alice").sign();
    let foreign = format!("Bearer {foreign}");
    for authorization in [&good, &good, &good, &foreign] {
        drop(call(Kind::Unary, channel.clone(), &[("authorization", authorization)]).await);
    }
    drop(call(Kind::Unary, channel, &[]).await);

    let expected = metrics([
        ("passport_requests_total{outcome=accepted,reason=}", 3),
        ("passport_requests_total{outcome=rejected,reason=TOKEN_INVALID}", 1),
        ("passport_requests_total{outcome=rejected,reason=TOKEN_MISSING}", 1),
        ("passport_token_verification_duration_seconds{cache=hit}", 2),
        ("passport_token_verification_duration_seconds{cache=miss}", 2),
        (
            "passport_tokens_total{cache=hit,error=,issuer=https://id.example.com,outcome=accepted}",
            2,
        ),
        (
            "passport_tokens_total{cache=miss,error=,issuer=https://id.example.com,outcome=accepted}",
            1,
        ),
        ("passport_tokens_total{cache=miss,error=unknown_issuer,issuer=,outcome=rejected}", 1),
    ]);
    assert_eq!(metrics_of.take(), expected);
}

#[tokio::test]
async fn fetches_of_keys_are_counted_and_timed() {
    let metrics_of = Metrics::start();
    let provider = IdentityProvider::start().await;
    provider.set_keys_response(MockResponse::status(503));
    let verifier = Verifier::new([provider.issuer()]).unwrap();
    provider.wait_for_fetches(1).await;
    // A fetch is counted before the next one begins.
    provider.wait_for_fetches(2).await;
    provider.reset();
    verifier.wait_until_ready().await;

    let counted = metrics_of.take();
    let failed = format!("passport_key_fetches_total{{issuer={},outcome=failed}}", provider.url());
    let succeeded =
        format!("passport_key_fetches_total{{issuer={},outcome=succeeded}}", provider.url());
    let timed = format!("passport_key_fetch_duration_seconds{{issuer={}}}", provider.url());
    assert!(counted[&failed] >= 1, "{counted:?}");
    assert_eq!(counted[&succeeded], 1, "{counted:?}");
    assert_eq!(counted[&timed], counted[&failed] + counted[&succeeded]);
}
