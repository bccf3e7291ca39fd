//! Propagation of request ids, traces, baggage and listed fields. Malformed and oversized fields
//! are dropped, and the call continues.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::sync::{Arc, Mutex};

use http::HeaderMap;
use tonic::body::Body;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Channel;
use tonic_passport::propagation::{InvalidField, PropagatedField};
use tonic_passport::{ClientInterceptor, ClientLayer};
use tower::ServiceExt;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id};
use tracing::{Event, Subscriber};
use tracing_subscriber::Registry;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;

use crate::support::chain::{BoxedClient, Chain, Middleware, ServiceConfig, values};
use crate::support::metrics::Metrics;
use crate::support::probe::{Kind, Probe, call};
use crate::support::{context_of, forged};

const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

type Fields<'a> = &'a [(&'a str, &'a str)];

fn every_hop(name: &str) -> PropagatedField {
    PropagatedField::every_hop(name).unwrap()
}

fn one_hop(name: &str) -> PropagatedField {
    PropagatedField::one_hop(name).unwrap()
}

/// The values of a field, and whether they are valid.
struct Case {
    what: &'static str,
    values: Vec<String>,
    is_valid: bool,
}

fn valid<const N: usize>(what: &'static str, values: [&str; N]) -> Case {
    Case { what, values: values.map(str::to_owned).into(), is_valid: true }
}

fn invalid<const N: usize>(what: &'static str, values: [&str; N]) -> Case {
    Case { is_valid: false, ..valid(what, values) }
}

/// Asserts for each case that valid values reach all three services unchanged, and that invalid
/// ones reach none, not even the first. The `other` fields of the request reach all services.
async fn assert_propagated(name: &str, other: Fields<'_>, cases: &[Case]) {
    let metrics = Metrics::start();
    for middleware in Middleware::ALL {
        let chain = Chain::start(middleware, [ServiceConfig::default(); 3]).await;
        for Case { what, values: sent, is_valid } in cases {
            let case = format!("{name}, {middleware:?}, {what}");
            let fields = sent.iter().map(|value| (name, value.as_str()));
            let fields: Vec<_> = fields.chain(other.iter().copied()).collect();
            let seen = chain.call(&fields, &case).await;

            let expected: &[String] = if *is_valid { sent } else { &[] };
            for (hop, seen) in seen.iter().enumerate() {
                assert_eq!(values(seen, name), expected, "{case}, service {hop}");
                for (name, value) in other {
                    assert_eq!(values(seen, name), [*value], "{case}, service {hop}");
                }
            }
            assert_eq!(dropped(&metrics), counts(name, u64::from(!is_valid)), "{case}");
        }
    }
}

/// The number of dropped fields since the last call of this function, by name.
fn dropped(metrics: &Metrics) -> BTreeMap<String, u64> {
    let all = metrics.take().into_iter();
    all.filter(|(name, _)| name.starts_with("passport_fields_dropped_total")).collect()
}

fn counts(name: &str, times: u64) -> BTreeMap<String, u64> {
    let label = format!("passport_fields_dropped_total{{name={name}}}");
    [(label, times)].into_iter().filter(|(_, times)| *times > 0).collect()
}

#[tokio::test]
async fn a_valid_traceparent_is_propagated_and_an_invalid_one_dropped() {
    let version = |version: &str, further: &str| format!("{version}{}{further}", &PARENT[2..]);
    let longest = version("01", &format!("-{}", "x".repeat(256 - PARENT.len() - 1)));
    assert_eq!(longest.len(), 256);
    let cases = [
        valid("sampled", [PARENT]),
        valid("not sampled", [&PARENT.replace("-01", "-00")]),
        valid("flags of a later day", [&PARENT.replace("-01", "-ff")]),
        valid("a later version", [&version("01", "")]),
        valid("the last version", [&version("fe", "")]),
        valid("a later version with more", [&version("cc", "-what-the-future-will-be-like")]),
        valid("a later version with as much as possible", [&longest]),
        invalid("a later version with more than that", [&format!("{longest}x")]),
        invalid(
            "a later version with a dot",
            [&version("cc", ".what-the-future-will-not-be-like")],
        ),
        invalid("a later version with longer flags", [&version("01", "0")]),
        invalid("version 00 with more", [&version("00", "-more")]),
        invalid("version 00 with a dash", [&version("00", "-")]),
        invalid("version ff", [&version("ff", "")]),
        invalid("version FE", [&version("FE", "")]),
        invalid("no hexadecimal version", [&version("0g", "")]),
        invalid("empty", [""]),
        invalid("short by a digit", [&PARENT[..54]]),
        invalid("without flags", [&PARENT[..52]]),
        invalid("without a version", [&PARENT[3..]]),
        invalid("upper case", [&PARENT.to_uppercase()]),
        invalid("one letter in upper case", [&PARENT.replace("0af7", "0Af7")]),
        invalid("no trace", [&format!("00-{}-b7ad6b7169203331-01", "0".repeat(32))]),
        invalid(
            "no parent",
            [&format!("00-0af7651916cd43dd8448eb211c80319c-{}-01", "0".repeat(16))],
        ),
        invalid("a trace that is not hexadecimal", [&PARENT.replace("0af7", "0xf7")]),
        invalid("a parent that is not hexadecimal", [&PARENT.replace("b7ad", "b7a.")]),
        invalid("flags that are not hexadecimal", [&PARENT.replace("-01", "-0x")]),
        invalid("other separators", [&PARENT.replace('-', "_")]),
        invalid("no separators", [&PARENT.replace('-', "0")]),
        invalid("a list", [&format!("{PARENT},{PARENT}")]),
        invalid("not ASCII", [&PARENT.replace("01", "0\u{e9}")]),
        invalid("twice", [PARENT, PARENT]),
        invalid("two", [PARENT, &PARENT.replace("-01", "-00")]),
        invalid("an invalid one as well", [PARENT, ""]),
    ];
    assert_propagated("traceparent", &[("x-request-id", "r-1")], &cases).await;
}

#[tokio::test]
async fn a_valid_tracestate_is_propagated_and_an_invalid_one_dropped() {
    let members = |count| vec!["a=1"; count].join(",");
    let padded = |length: usize| {
        let rest = length - "a=,b=".len() - 256;
        format!("a={},b={}", "1".repeat(256), "2".repeat(rest))
    };
    assert_eq!(padded(512).len(), 512);
    let cases = [
        valid("a member", ["rojo=00f067aa0ba902b7"]),
        valid("two", ["rojo=00f067aa0ba902b7,congo=t61rcWkgMzE"]),
        valid("spaces and tabs between them", ["a=1 ,\tb=2"]),
        valid("every character of a key", ["az09_-*/@=1"]),
        valid("a key that begins with a digit", ["0a=1"]),
        valid("a key of several tenants", ["fw529a3039@dt=FfffffffffffffffFFFF"]),
        valid("characters of a value", ["a=! \"#$%&'()*+-./:;<>?@[\\]^_`{|}~"]),
        valid("a key of 256 characters", [&format!("{}=1", "a".repeat(256))]),
        valid("a value of 256 characters", [&format!("a={}", "1".repeat(256))]),
        valid("empty", [""]),
        valid("empty members", ["a=1,,b=2, ,"]),
        valid("several fields", ["a=1", "b=2,c=3", "d=4"]),
        valid("32 members", [&members(32)]),
        valid("32 members in two fields", [&members(16), &members(16)]),
        valid("512 bytes", [&padded(512)]),
        invalid("33 members", [&members(33)]),
        invalid("33 members in two fields", [&members(16), &members(17)]),
        invalid("513 bytes", [&padded(513)]),
        invalid("513 bytes in two fields", [&padded(508), "c=3,"]),
        invalid("no value", ["a"]),
        invalid("an empty value", ["a="]),
        invalid("an empty key", ["=1"]),
        invalid("a key in upper case", ["A=1"]),
        invalid("a space in a key", ["a =1"]),
        invalid("two equals signs", ["a=1=2"]),
        invalid("a key of 257 characters", [&format!("{}=1", "a".repeat(257))]),
        invalid("a value of 257 characters", [&format!("a={}", "1".repeat(257))]),
        invalid("a tab in a value", ["a=1\t2"]),
        invalid("not ASCII", ["a=\u{e9}"]),
        invalid("one invalid member of many", ["a=1,b=2,c,d=4"]),
        invalid("an invalid one as well", ["a=1", "b"]),
    ];
    assert_propagated("tracestate", &[("traceparent", PARENT)], &cases).await;
}

#[tokio::test]
async fn a_tracestate_without_a_valid_traceparent_is_dropped() {
    let metrics = Metrics::start();
    for middleware in Middleware::ALL {
        let chain = Chain::start(middleware, [ServiceConfig::default(); 3]).await;
        for parents in [&[][..], &["00-0-0-01"], &[PARENT, PARENT]] {
            let case = format!("{middleware:?}, {parents:?}");
            let fields = parents.iter().map(|parent| ("traceparent", *parent));
            let fields: Vec<_> = fields.chain([("tracestate", "a=1")]).collect();
            for (hop, seen) in chain.call(&fields, &case).await.iter().enumerate() {
                for name in ["traceparent", "tracestate"] {
                    assert!(!seen.contains_key(name), "{case}, service {hop}: {name}");
                }
            }
            let mut expected = counts("tracestate", 1);
            expected.extend(counts("traceparent", u64::from(!parents.is_empty())));
            assert_eq!(dropped(&metrics), expected, "{case}");
        }
    }
}

#[tokio::test]
async fn valid_baggage_is_propagated_and_invalid_baggage_dropped() {
    let members = |count| vec!["a=1"; count].join(",");
    let padded = |length: usize| format!("a={}", "1".repeat(length - 2));
    let cases = [
        valid("a member", ["userId=alice"]),
        valid("several", ["userId=alice,serverNode=DF%2028,isProduction=false"]),
        valid("spaces and tabs around everything", ["a = 1\t; p = 2 ; q , b=2"]),
        valid("properties", ["key1=value1;property1;property2, key2 = value2; propertyKey=value"]),
        valid("percent-encoded", ["serverNode=DF%2028,x=%E2%82%AC%2C%3B"]),
        valid("a percent sign that encodes nothing", ["a=100%"]),
        valid("an equals sign in a value", ["a=1=2=="]),
        valid("an empty value", ["a="]),
        valid("every character of a key", ["!#$%&'*+-.^_`|~09azAZ=1"]),
        valid("characters of a value", ["a=!#$%&'()*+-./09:<=>?@AZ[]^_`az{|}~"]),
        valid("several fields", ["a=1", "b=2,c=3;p", "d=4"]),
        valid("64 members", [&members(64)]),
        valid("64 members in two fields", [&members(32), &members(32)]),
        valid("8192 bytes", [&padded(8192)]),
        valid("8192 bytes in two fields", [&padded(4096), &padded(4095)]),
        invalid("65 members", [&members(65)]),
        invalid("65 members in two fields", [&members(32), &members(33)]),
        invalid("8193 bytes", [&padded(8193)]),
        invalid("8193 bytes in two fields", [&padded(4096), &padded(4096)]),
        invalid("empty", [""]),
        invalid("an empty member", ["a=1,,b=2"]),
        invalid("a comma at the end", ["a=1,"]),
        invalid("a semicolon at the end", ["a=1;"]),
        invalid("no value", ["a"]),
        invalid("an empty key", ["=1"]),
        invalid("a space in a key", ["a b=1"]),
        invalid("a key that is no token", ["a(b)=1"]),
        invalid("a quoted value", ["a=\"1\""]),
        invalid("a backslash", ["a=1\\2"]),
        invalid("a space in a value", ["a=1 2"]),
        invalid("not ASCII", ["a=\u{20ac}"]),
        invalid("a property that is no token", ["a=1;p q"]),
        invalid("a property of a invalid value", ["a=1;p=\"2\""]),
        invalid("one invalid member of many", ["a=1,b=2,c,d=4"]),
        invalid("an invalid one as well", ["a=1", "b"]),
    ];
    assert_propagated("baggage", &[("traceparent", PARENT)], &cases).await;
}

/// Returns the request id, after asserting that all three services have received the same one.
fn common_id(seen: &[HeaderMap; 3], case: &str) -> String {
    let ids = seen.each_ref().map(|seen| values(seen, "x-request-id"));
    assert_eq!(ids[0].len(), 1, "{case}: {ids:?}");
    assert!(ids.iter().all(|id| *id == ids[0]), "{case}: {ids:?}");
    ids[0][0].to_owned()
}

/// Asserts that an id is a random UUID in its text form (RFC 9562).
fn assert_random(id: &str, case: &str) {
    let groups: Vec<&str> = id.split('-').collect();
    assert_eq!(groups.iter().map(|group| group.len()).collect::<Vec<_>>(), [8, 4, 4, 4, 12]);
    let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    assert!(groups.concat().bytes().all(is_digit), "{case}: {id}");
    assert!(groups[2].starts_with('4'), "{case}: {id}");
    assert!(groups[3].starts_with(['8', '9', 'a', 'b']), "{case}: {id}");
}

#[tokio::test]
async fn a_valid_request_id_is_propagated_and_an_invalid_one_replaced() {
    let metrics = Metrics::start();
    let cases = [
        valid("short", ["1"]),
        valid("a UUID", ["0190f5a4-7c1e-7bb2-9d8a-6f1f2a3b4c5d"]),
        valid("every character", ["azAZ09-._~:+/=@"]),
        valid("128 characters", [&"r".repeat(128)]),
        invalid("129 characters", [&"r".repeat(129)]),
        invalid("empty", [""]),
        invalid("a space", ["r 1"]),
        invalid("a comma", ["r-1,r-2"]),
        invalid("a quote", ["\"r-1\""]),
        invalid("an escape of a log", ["r-1%0a"]),
        invalid("a brace", ["${jndi}"]),
        invalid("not ASCII", ["r-\u{e9}"]),
        invalid("twice", ["r-1", "r-1"]),
        invalid("two", ["r-1", "r-2"]),
    ];
    for middleware in Middleware::ALL {
        let chain = Chain::start(middleware, [ServiceConfig::default(); 3]).await;
        for Case { what, values: sent, is_valid } in &cases {
            let case = format!("{middleware:?}, {what}");
            let fields: Vec<_> = sent.iter().map(|id| ("x-request-id", id.as_str())).collect();
            let id = common_id(&chain.call(&fields, &case).await, &case);
            if *is_valid {
                assert_eq!([id], **sent, "{case}");
            } else {
                assert_random(&id, &case);
            }
            assert_eq!(dropped(&metrics), counts("x-request-id", u64::from(!is_valid)), "{case}");
        }
    }
}

#[tokio::test]
async fn the_edge_generates_an_id_for_a_request_without_one() {
    for middleware in Middleware::ALL {
        let chain = Chain::start(middleware, [ServiceConfig::default(); 3]).await;
        let case = format!("{middleware:?}");
        let first = common_id(&chain.call(&[], &case).await, &case);
        let second = common_id(&chain.call(&[], &case).await, &case);
        assert_random(&first, &case);
        assert_random(&second, &case);
        assert_ne!(first, second, "{case}");
    }
}

/// Layer that records the request ids of all spans, and of the spans around each event.
#[derive(Clone, Default)]
struct Ids {
    spans: Arc<Mutex<Vec<(&'static str, String)>>>,
    events: Arc<Mutex<Vec<Option<String>>>>,
}

struct FindId(Option<String>);

impl Visit for FindId {
    fn record_debug(&mut self, _: &Field, _: &dyn Debug) {}

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "request_id" {
            self.0 = Some(value.to_owned());
        }
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Ids {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut found = FindId(None);
        attributes.record(&mut found);
        if let Some(request_id) = found.0 {
            self.spans.lock().unwrap().push((attributes.metadata().name(), request_id.clone()));
            context.span(id).unwrap().extensions_mut().insert(request_id);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        // Only the events of the handlers in the chain.
        if event.metadata().target().ends_with("support::chain") {
            let mut spans = context.event_scope(event).into_iter().flatten();
            let id = spans.find_map(|span| span.extensions().get::<String>().cloned());
            self.events.lock().unwrap().push(id);
        }
    }
}

#[tokio::test]
async fn the_request_id_is_in_the_spans_of_every_service() {
    let ids = Ids::default();
    let _guard = tracing::subscriber::set_default(Registry::default().with(ids.clone()));
    // While only one subscriber exists, tracing caches the interest in a call site as the first
    // thread evaluates it, which may be the thread of a test without a subscriber. A second
    // subscriber disables that.
    let _another = tracing::Dispatch::new(tracing::subscriber::NoSubscriber::new());
    let chain = Chain::start(Middleware::Layers, [ServiceConfig::default(); 3]).await;
    for fields in [&[][..], &[("x-request-id", "r-1")]] {
        let case = format!("{fields:?}");
        let id = common_id(&chain.call(fields, &case).await, &case);
        let spans = std::mem::take(&mut *ids.spans.lock().unwrap());
        let of_service = ["call", "authenticate"].map(|span| (span, id.clone()));
        assert_eq!(spans, [of_service.clone(), of_service.clone(), of_service].as_flattened());
        let events = std::mem::take(&mut *ids.events.lock().unwrap());
        assert_eq!(events, [Some(id.clone()), Some(id.clone()), Some(id)], "{case}");
    }
}

#[tokio::test]
async fn a_listed_field_is_propagated_as_far_as_the_services_list_it() {
    let (every, one) = (every_hop("x-experiment"), one_hop("x-experiment"));
    let (every, one) = (Some(&every), Some(&one));
    // The edge always receives the field, because the client sends it as metadata.
    let cases = [
        ("nowhere", [None, None, None], [true, false, false]),
        ("everywhere", [every, every, every], [true, true, true]),
        ("but for the last, which sends nothing", [every, every, None], [true, true, true]),
        ("at the edge", [every, None, None], [true, true, false]),
        ("not at the edge", [None, every, every], [true, false, false]),
        ("not in between", [every, None, every], [true, true, false]),
        ("for one hop, at the edge", [one, None, None], [true, true, false]),
        ("for one hop, everywhere", [one, one, one], [true, true, false]),
        ("for one hop, and for every one", [one, every, every], [true, true, false]),
        ("for every hop, and then for one", [every, one, every], [true, true, true]),
    ];
    for middleware in Middleware::ALL {
        for (case, lists, arrivals) in &cases {
            let case = format!("{middleware:?}, listed {case}");
            let stations = lists
                .map(|list| ServiceConfig::propagating(list.map_or(&[], std::slice::from_ref)));
            let chain = Chain::start(middleware, stations).await;
            let seen = chain.call(&[("x-experiment", "blue")], &case).await;
            let arrived = seen.each_ref().map(|seen| values(seen, "x-experiment"));
            let expected = arrivals.map(|arrives| if arrives { vec!["blue"] } else { vec![] });
            assert_eq!(arrived, expected, "{case}");
        }
    }
}

#[tokio::test]
async fn all_values_of_a_listed_field_are_propagated_unchanged_and_in_order() {
    let list = [every_hop("X-Many"), every_hop("x-blob-bin"), every_hop("x-odd")];
    let fields = [
        ("x-many", "2"),
        ("x-many", "1, 3"),
        ("x-blob-bin", "AAEC/w"),
        ("x-many", ""),
        ("x-many", "1, 3"),
        ("x-odd", "\u{e9}=\"%2C\"; q=1"),
    ];
    for middleware in Middleware::ALL {
        let chain = Chain::start(middleware, [ServiceConfig::propagating(&list); 3]).await;
        let seen = chain.call(&fields, &format!("{middleware:?}")).await;
        for (hop, seen) in seen.iter().enumerate() {
            let case = format!("{middleware:?}, service {hop}");
            assert_eq!(values(seen, "x-many"), ["2", "1, 3", "", "1, 3"], "{case}");
            assert_eq!(values(seen, "x-blob-bin"), ["AAEC/w"], "{case}");
            assert_eq!(values(seen, "x-odd"), ["\u{e9}=\"%2C\"; q=1"], "{case}");
        }
    }
}

#[tokio::test]
async fn a_trace_and_its_baggage_can_be_listed_for_one_hop() {
    let sent = [("traceparent", PARENT), ("tracestate", "a=1"), ("baggage", "b=2")];
    let cases = [
        (&["baggage"][..], &["traceparent", "tracestate"][..]),
        (&["tracestate"], &["traceparent", "baggage"]),
        // `tracestate` is not propagated without `traceparent`.
        (&["traceparent"], &["baggage"]),
        (&["traceparent", "tracestate", "baggage"], &[]),
    ];
    for middleware in Middleware::ALL {
        for (listed, expected) in cases {
            let case = format!("{middleware:?}, {listed:?}");
            let metrics = Metrics::start();
            let list: Vec<_> = listed.iter().map(|name| one_hop(name)).collect();
            let chain = Chain::start(middleware, [ServiceConfig::propagating(&list); 3]).await;
            let seen = chain.call(&sent, &case).await;
            let arrived = seen.each_ref().map(|seen| {
                let names = sent.iter().map(|(name, _)| *name);
                names.filter(|name| seen.contains_key(*name)).collect::<Vec<_>>()
            });
            let all = ["traceparent", "tracestate", "baggage"];
            assert_eq!(arrived, [&all, &all, expected], "{case}");
            assert_eq!(dropped(&metrics), BTreeMap::new(), "{case}");
        }
    }
}

/// A client layer and a client interceptor around the same channel.
fn clients(channel: &Channel) -> [(&'static str, BoxedClient); 2] {
    let layered = ClientLayer::new().wrap(channel.clone());
    let intercepted = InterceptedService::new(channel.clone(), ClientInterceptor::new());
    [
        ("layer", BoxedClient::new(layered.map_response(|response| response.map(Body::new)))),
        (
            "interceptor",
            BoxedClient::new(intercepted.map_response(|response| response.map(Body::new))),
        ),
    ]
}

#[tokio::test]
async fn one_hop_fields_are_named_in_a_field_for_the_receiver() {
    let probe = Probe::default();
    let server = probe.serve().await;
    let channel = server.connect().await;
    let sent = [("x-debug", "1"), ("x-debug", "2"), ("x-experiment", "blue"), ("baggage", "a=1")];
    let names = ["x-debug", "x-experiment", "baggage"];
    let cases: [(&[&str], &[&str]); 4] = [
        (&[], &[]),
        (&["x-absent"], &[]),
        (&["x-debug"], &["x-debug"]),
        (&["baggage", "x-debug"], &["baggage", "x-debug"]),
    ];
    for (client, channel) in clients(&channel) {
        for (listed, expected) in cases {
            let case = format!("{client}, {listed:?}");
            let others = names.iter().filter(|name| !listed.contains(name));
            let lists = listed.iter().map(|name| one_hop(name));
            let lists = lists.chain(others.map(|name| every_hop(name)));
            let context = context_of(&sent, lists).await;
            // A value that a handler copies or sets itself is not sent.
            let copied = [("x-passport-one-hop", "x-experiment,x-request-id")];
            context.scope(call(Kind::Unary, channel.clone(), &copied)).await.expect(&case);

            let seen = probe.take_one().metadata;
            for name in names {
                let expected: Vec<_> =
                    sent.iter().filter(|field| field.0 == name).map(|field| field.1).collect();
                assert_eq!(values(&seen, name), expected, "{case}: {name}");
            }
            let marks = values(&seen, "x-passport-one-hop");
            assert!(marks.len() <= 1, "{case}: {marks:?}");
            let marks = marks.first().map(|marks| marks.split(',').collect::<BTreeSet<_>>());
            let expected = expected.iter().copied().collect();
            assert_eq!(marks.unwrap_or_default(), expected, "{case}");
        }
    }
}

#[tokio::test]
async fn fields_that_a_call_has_already_are_not_replaced() {
    let child = PARENT.replace("b7ad6b7169203331", "00f067aa0ba902b7");
    let sent = [
        ("x-request-id", "r-1"),
        ("traceparent", PARENT),
        ("tracestate", "a=1"),
        ("baggage", "a=1"),
        ("x-experiment", "blue"),
        ("x-debug", "1"),
    ];
    let lists = [every_hop("x-experiment"), one_hop("x-debug")];
    let cases: [(&str, Fields<'_>, &[&str]); 8] = [
        ("nothing", &[], &[]),
        ("an id", &[("x-request-id", "r-2")], &[]),
        // The received state belongs to the received trace.
        ("a trace", &[("traceparent", &child)], &["tracestate"]),
        ("a trace with a state", &[("traceparent", &child), ("tracestate", "b=2")], &[]),
        ("a state", &[("tracestate", "b=2")], &[]),
        ("baggage", &[("baggage", "b=2"), ("baggage", "c=3")], &[]),
        ("a listed field", &[("x-experiment", "red"), ("x-experiment", "")], &[]),
        ("a field for one hop", &[("x-debug", "2")], &[]),
    ];
    for middleware in Middleware::ALL {
        for (case, brings, dropped) in &cases {
            let case = format!("{middleware:?}, {case}");
            let edge = ServiceConfig { own_metadata: brings, ..ServiceConfig::propagating(&lists) };
            let chain =
                Chain::start(middleware, [edge, ServiceConfig::propagating(&lists), edge]).await;
            let [_, second, third] = chain.call(&sent, &case).await;
            for (name, came_in) in sent {
                let own = brings.iter().filter(|field| field.0 == name);
                let own: Vec<_> = own.map(|field| field.1).collect();
                let is_own = !own.is_empty();
                let expected = match is_own {
                    true => own,
                    false if dropped.contains(&name) => vec![],
                    false => vec![came_in],
                };
                assert_eq!(values(&second, name), expected, "{case}: {name}");
                // The received value has gone its one hop. A value of the call itself goes one more.
                let stays = name == "x-debug" && !is_own;
                let expected = if stays { vec![] } else { expected };
                assert_eq!(values(&third, name), expected, "{case}: {name}, further on");
            }
        }
    }
}

/// A client can stop the propagation of its own fields, and of nothing else.
#[tokio::test]
async fn a_client_can_name_its_own_fields_for_one_hop() {
    let list = [every_hop("x-experiment"), every_hop("x-other")];
    for middleware in Middleware::ALL {
        let chain = Chain::start(middleware, [ServiceConfig::propagating(&list); 3]).await;
        for marks in
            [&["x-experiment, x-user-id,x-request-id"][..], &["", "x-user-id", " x-experiment\t"]]
        {
            let case = format!("{middleware:?}, {marks:?}");
            let fields = [("x-experiment", "blue"), ("x-other", "1"), ("x-request-id", "r-1")];
            let marks = marks.iter().map(|mark| ("x-passport-one-hop", *mark));
            let fields: Vec<_> = marks.chain(fields).collect();
            let seen = chain.call(&fields, &case).await;
            let arrived = seen.each_ref().map(|seen| seen.contains_key("x-experiment"));
            assert_eq!(arrived, [true, false, false], "{case}");
            for seen in &seen {
                assert_eq!(values(seen, "x-other"), ["1"], "{case}");
                assert_eq!(values(seen, "x-request-id"), ["r-1"], "{case}");
            }
        }
    }
}

#[tokio::test]
async fn the_last_entry_of_a_field_that_is_listed_twice_is_used() {
    let cases = [
        ([one_hop("x-debug"), every_hop("x-debug")], [1, 1, 1]),
        ([every_hop("x-debug"), one_hop("x-debug")], [1, 1, 0]),
    ];
    for middleware in Middleware::ALL {
        for (list, expected) in &cases {
            let chain = Chain::start(middleware, [ServiceConfig::propagating(list); 3]).await;
            let case = format!("{middleware:?}, {list:?}");
            let seen = chain.call(&[("x-debug", "1")], &case).await;
            let times = seen.each_ref().map(|seen| values(seen, "x-debug").len());
            assert_eq!(times, *expected, "{case}");
        }
    }
}

/// Otherwise a client could make a service exceed the metadata limit of the services that it calls.
#[tokio::test]
async fn listed_fields_that_exceed_their_maximum_size_together_are_dropped_and_counted() {
    let list = [every_hop("x-experiment"), every_hop("x-other")];
    // A field counts as gRPC counts metadata.
    let room = 4096 - "x-experiment".len() - 32 - "x-other".len() - 32 - "1".len();
    for (length, is_small) in [(room, true), (room + 1, false)] {
        for middleware in Middleware::ALL {
            let case = format!("{middleware:?}, {length}");
            let metrics = Metrics::start();
            let chain = Chain::start(middleware, [ServiceConfig::propagating(&list); 3]).await;
            let large = "x".repeat(length);
            let fields = [("x-experiment", &*large), ("x-other", "1")];
            for seen in chain.call(&fields, &case).await {
                for name in ["x-experiment", "x-other"] {
                    assert_eq!(seen.contains_key(name), is_small, "{case}: {name}");
                }
            }
            let expected = if is_small { BTreeMap::new() } else { counts("listed", 2) };
            assert_eq!(dropped(&metrics), expected, "{case}");
        }
    }
}

/// The size is limited because each field is looked up in the list.
#[tokio::test]
async fn an_oversized_list_of_one_hop_fields_counts_as_naming_all_fields() {
    let list = [every_hop("x-experiment")];
    for middleware in Middleware::ALL {
        let chain = Chain::start(middleware, [ServiceConfig::propagating(&list); 3]).await;
        for (length, is_propagated) in [(1024, true), (1025, false)] {
            let case = format!("{middleware:?}, {length}");
            let marks = ",".repeat(length);
            let fields = [("x-passport-one-hop", &*marks), ("x-experiment", "blue")];
            let [_, second, _] = chain.call(&fields, &case).await;
            assert_eq!(second.contains_key("x-experiment"), is_propagated, "{case}");
        }
    }
}

#[test]
fn reserved_and_protocol_fields_cannot_be_listed() {
    let reserved = [
        "authorization",
        "Authorization",
        "authorization-2",
        "proxy-authorization",
        "txn-token",
        "x-user-id",
        "X-User-Email",
        "x-user-anything",
        "x-passport-one-hop",
        "X-Passport-One-Hop",
        "x-request-id",
        "X-Request-Id",
        "grpc-timeout",
        "grpc-encoding",
        "grpc-status",
        "GRPC-Accept-Encoding",
        "grpc-",
        "connection",
        "keep-alive",
        "proxy-connection",
        "transfer-encoding",
        "upgrade",
        "content-length",
        "content-type",
        "host",
        "te",
        "trailer",
        "user-agent",
    ];
    let names = forged::names();
    let reserved = reserved.iter().copied().chain(names.iter().map(String::as_str));
    for name in reserved {
        let expected = InvalidField::Reserved { name: name.to_owned() };
        assert_eq!(PropagatedField::every_hop(name), Err(expected.clone()), "{name:?}");
        assert_eq!(PropagatedField::one_hop(name), Err(expected), "{name:?}");
    }

    for name in ["", " ", "bad name", "x-a:", ":path", "x-a,x-b", "x-\u{e9}", "x-a\r\nx-b", "\0"] {
        let expected = InvalidField::Malformed { name: name.to_owned() };
        assert_eq!(PropagatedField::every_hop(name), Err(expected.clone()), "{name:?}");
        assert_eq!(PropagatedField::one_hop(name), Err(expected), "{name:?}");
    }
}

#[test]
fn any_other_field_can_be_listed() {
    let names = ["accept-language", "b3", "user-id", "x-blob-bin", "x-grpc-timeout", "x_odd.name"];
    for name in names.into_iter().chain(["baggage", "traceparent", "tracestate"]) {
        for (given, field) in [
            (name.to_owned(), PropagatedField::every_hop(name)),
            (name.to_uppercase(), PropagatedField::one_hop(&name.to_uppercase())),
        ] {
            let field = field.unwrap_or_else(|error| panic!("{given:?}: {error}"));
            assert_eq!(field.name(), name, "{given:?}");
            assert_eq!(field.to_string(), name, "{given:?}");
        }
    }
}
