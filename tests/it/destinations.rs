//! Destinations: a client layer sends the context only to the destinations it is bound to.

use std::convert::Infallible;
use std::time::Duration;

use http::{Request, Response, Uri};
use tokio::net::{TcpListener, TcpStream};
use tonic::body::Body;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};
use tonic_passport::client::{ClientService, Destination};
use tonic_passport::propagation::PropagatedField;
use tonic_passport::{CallContext, ClientLayer, Deadline};
use tower::ServiceExt;

use crate::support::chain::values;
use crate::support::probe::{Kind, Probe, call, with};
use crate::support::shop::CreateOrderRequest;
use crate::support::shop::order_service_client::OrderServiceClient;
use crate::support::{assert_refused, context_of, forged, reason};

const NOT_ALLOWED: (Code, &str) = (Code::Internal, "DESTINATION_NOT_ALLOWED");

fn bound_to<const N: usize>(destinations: [&str; N]) -> ClientLayer {
    ClientLayer::new().destinations(destinations.map(|text| text.parse().unwrap()))
}

fn uri(authority: &str) -> Uri {
    let uri = Uri::builder().scheme("http").authority(authority).path_and_query("/");
    uri.build().unwrap_or_else(|error| panic!("{authority:?}: {error}"))
}

#[test]
fn an_invalid_destination_is_refused_by_the_parser() {
    let invalid = [
        "",
        " ",
        "*",
        "*.",
        "*:50053",
        "*.:50053",
        "**",
        "**.shop.internal",
        "*.*.internal",
        "a.*.internal",
        "inventory*",
        "*inventory",
        "*-inventory.shop.internal",
        ".shop.internal",
        "*..shop.internal",
        "http://inventory:50053",
        "//inventory",
        "inventory/",
        "inventory/path",
        "inventory:50053/path",
        "inventory?query",
        "inventory#fragment",
        "mallory@inventory",
        "mallory:secret@inventory:50053",
        "@inventory",
        "*.mallory@inventory",
        "inventory:",
        "inventory:port",
        "inventory:0x50",
        "inventory:-1",
        "inventory:+1",
        "inventory:65536",
        "inventory:050053",
        "inventory:1:2",
        ":50053",
        "inventory, orders",
        "inventory orders",
        " inventory",
        "inventory ",
        "inventory\n",
        "inventory\0",
        "inv%65ntory",
        "inv\u{e9}ntory",
        "fd00::7",
        "[fd00::7",
        "fd00::7]",
        "[]",
        "[fd00::7]50053",
        "[fd00::7]x",
        "*.[fd00::7]",
        "*.[fd00::7]:50053",
        "[*]",
    ];
    for text in invalid {
        let error = text.parse::<Destination>().expect_err(text);
        assert_eq!(error.text(), text);
        assert!(error.to_string().contains(&format!("{text:?}")), "{error}");
        assert_eq!(Destination::try_from(text).unwrap_err(), error);
    }
}

#[test]
fn a_destination_is_displayed_as_written() {
    let valid = [
        "inventory",
        "inventory:50053",
        "Inventory:1",
        "inventory.",
        "inventory:0",
        "inventory:65535",
        "*.shop.internal",
        "*.shop.internal:50053",
        "*.internal",
        "10.0.0.7",
        "10.0.0.7:50053",
        "[fd00::7]",
        "[fd00::7]:50053",
        "xn--caf-dma.example",
    ];
    for text in valid {
        let destination: Destination = text.parse().expect(text);
        assert_eq!(destination.to_string(), text);
        assert_eq!(Destination::try_from(text), Ok(destination));
    }
}

/// Destinations, with the authorities that they include and those that they do not.
const INCLUSIONS: [(&str, &[&str], &[&str]); 11] = [
    (
        "inventory:50053",
        &["inventory:50053", "INVENTORY:50053", "Inventory:050053"],
        &[
            "inventory",
            "inventory:",
            "inventory:5005",
            "inventory:500530",
            "inventory:65536",
            "inventory.:50053",
            "inventory.shop:50053",
            "orders.inventory:50053",
            "orders:50053",
            "mallory@inventory:50053",
            "inventory:50053@mallory",
            "inventory:50053@mallory:50053",
        ],
    ),
    (
        "inventory",
        &["inventory", "inventory:1", "inventory:65535", "iNVENTORY:50053"],
        &[
            "inventory.",
            "inventory.shop",
            "my-inventory",
            "inventory-2",
            "inventor",
            "mallory@inventory",
            ":@inventory",
            "inventory@mallory",
            "inventory:x@mallory",
            "inv%65ntory",
        ],
    ),
    // A URI with the scheme http and no port means port 80.
    ("inventory:80", &["inventory:80", "inventory"], &["inventory:8080", "inventory:443"]),
    ("Inventory.Shop", &["inventory.shop", "INVENTORY.SHOP:7"], &["inventory", "shop"]),
    ("inventory.", &["inventory.", "inventory.:1"], &["inventory", "inventory.."]),
    (
        "*.shop.internal",
        &[
            "a.shop.internal",
            "a.b.shop.internal:1",
            "A.SHOP.Internal",
            "*.shop.internal",
            "_grpc.a.shop.internal",
        ],
        &[
            "shop.internal",
            ".shop.internal",
            "..shop.internal",
            "a..shop.internal",
            "a.shop.internal.",
            "ashop.internal",
            "a-shop.internal",
            "evil-shop.internal:50053",
            "a.shop.internal.evil.example",
            "a.shop.internals",
            "a.shop.interna",
            "internal",
            "mallory@a.shop.internal",
            "a.shop.internal@mallory",
            "a.shop.internal:1@mallory",
            "[fd00::7]",
        ],
    ),
    (
        "*.Shop.internal:50053",
        &["a.shop.internal:50053", "a.b.SHOP.internal:50053"],
        &["a.shop.internal", "a.shop.internal:50054", "shop.internal:50053"],
    ),
    (
        "10.0.0.7",
        &["10.0.0.7", "10.0.0.7:50053"],
        &["10.0.0.70", "110.0.0.7", "10.0.0.07", "10.7", "167772167", "0xa000007", "10.0.0.7."],
    ),
    ("10.0.0.7:50053", &["10.0.0.7:50053"], &["10.0.0.7", "10.0.0.7:50054", "10.0.0.8:50053"]),
    (
        "[fd00::A]",
        &["[fd00::a]", "[FD00::A]:50053"],
        &["[fd00::b]", "[fd00:0::a]", "[fd00::000a]", "[fd00::a%1]"],
    ),
    ("[fd00::a]:50053", &["[fd00::a]:50053"], &["[fd00::a]", "[fd00::a]:50054", "[::a]:50053"]),
];

#[tokio::test]
async fn a_destination_matches_exactly_the_authorities_it_names() {
    for (pattern, within, outside) in INCLUSIONS {
        let layer = bound_to([pattern]).allow_anonymous();
        let responses = tower::service_fn(|_: Request<Body>| async {
            Ok::<_, Infallible>(Response::new(Body::empty()))
        });
        let within = within.iter().map(|authority| (authority, true));
        for (authority, expected) in within.chain(outside.iter().map(|other| (other, false))) {
            // Some of these are no valid URI.
            let place = Uri::builder().scheme("http").authority(*authority).path_and_query("/");
            let Ok(place) = place.build() else {
                assert!(!expected, "{authority:?}");
                continue;
            };
            let request = || Request::new(Body::empty());
            let channel =
                layer.wrap_with_origin(responses, &place).oneshot(request()).await.unwrap();
            let mut request = request();
            *request.uri_mut() = place;
            let origin = layer.wrap(responses).oneshot(request).await.unwrap();
            for (said_by, response) in [("the channel", channel), ("the request", origin)] {
                let is_sent = !response.headers().contains_key("grpc-status");
                assert_eq!(is_sent, expected, "{authority:?}, {said_by} says, to {pattern:?}");
            }
        }
    }
}

#[tokio::test]
async fn the_context_is_sent_to_an_allowed_channel_uri() {
    let probe = Probe::default();
    let server = probe.serve().await;
    let endpoint = server.endpoint();
    let port = server.addr.port();
    let exactly = format!("127.0.0.1:{port}");
    let context = context_of(&[], []).await;

    for layer in [
        bound_to([&exactly]),
        bound_to(["127.0.0.1"]),
        bound_to(["inventory", "*.shop.internal", &exactly]),
        bound_to(["127.0.0.1"]).allow_other_destinations(),
    ] {
        let channel = layer.wrap_with_origin(endpoint.connect_lazy(), endpoint.uri());
        for kind in Kind::ALL {
            let case = format!("{layer:?}, {kind:?}");
            context.clone().scope(call(kind, channel.clone(), &[])).await.expect(&case);
            let seen = probe.take_one().metadata;
            forged::assert_context(&seen, &[("x-user-id", "alice")], &case);
            let id = context.request_id().unwrap().as_str();
            assert_eq!(values(&seen, "x-request-id"), [id], "{case}");
        }
    }
}

type Orders = OrderServiceClient<ClientService<Channel>>;

/// Creates an order on behalf of alice.
async fn create_order(mut orders: Orders, fields: &[(&str, &str)]) -> Result<(), Status> {
    let context = context_of(&[], []).await;
    context.scope(orders.create_order(with(fields, CreateOrderRequest::default()))).await.map(drop)
}

#[tokio::test]
async fn the_context_is_sent_to_an_allowed_client_origin() {
    let probe = Probe::default();
    let server = probe.serve().await;
    let layer = bound_to(["*.shop.internal:50053", "127.0.0.1"]);
    let origin = || uri("orders.shop.internal:50053");
    let endpoint = server.endpoint();
    let channel = server.connect().await;

    for (case, service) in [
        ("the origin alone is known", layer.wrap(channel.clone())),
        ("the channel is known as well", layer.wrap_with_origin(channel, endpoint.uri())),
    ] {
        create_order(Orders::with_origin(service, origin()), &[]).await.expect(case);
        forged::assert_context(&probe.take_one().metadata, &[("x-user-id", "alice")], case);
    }
}

/// Asserts that no client has connected.
async fn assert_untouched(listener: &TcpListener, case: &str) {
    let own = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (_, peer) = listener.accept().await.unwrap();
    assert_eq!(peer, own.local_addr().unwrap(), "{case}: another client has connected before");
}

#[tokio::test]
async fn a_call_to_another_destination_is_refused_by_name_without_a_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let here = listener.local_addr().unwrap().to_string();
    let endpoint = Endpoint::try_from(format!("http://{here}")).unwrap();
    let unknown = "the destination of the call is unknown";
    let cases: [(&str, ClientLayer, bool, Option<&str>, &str); 9] = [
        ("unknown origin", bound_to([&here]), false, None, unknown),
        ("unknown origin, no destination", bound_to([]), false, None, unknown),
        ("no destination", bound_to([]), true, None, &here),
        ("another channel", bound_to(["*.shop.internal"]), true, None, &here),
        ("another port", bound_to(["127.0.0.1:1"]), true, None, &here),
        ("another origin", bound_to(["orders"]), false, Some("evil.example:8"), "evil.example:8"),
        (
            "an allowed channel, another origin",
            bound_to([&here]),
            true,
            Some("evil.example"),
            "evil",
        ),
        ("another channel, an allowed origin", bound_to(["orders"]), true, Some("orders"), &here),
        ("a password", bound_to(["orders"]), false, Some("mallory:hunter2@orders:1"), "orders:1"),
    ];
    for (case, layer, is_channel_known, origin, named) in cases {
        for (case, layer) in [
            (case.to_owned(), layer.clone()),
            (format!("{case}, anyone may call"), layer.allow_anonymous()),
        ] {
            let channel = endpoint.connect_lazy();
            let service = if is_channel_known {
                layer.wrap_with_origin(channel, endpoint.uri())
            } else {
                layer.wrap(channel)
            };
            let orders = match origin {
                Some(origin) => Orders::with_origin(service, uri(origin)),
                None => Orders::new(service),
            };
            let status = create_order(orders, &[]).await.expect_err(&case);
            assert_eq!((status.code(), &*reason(&status)), NOT_ALLOWED, "{case}: {status:?}");
            assert!(status.message().contains(named), "{case}: {status:?}");
            assert!(!status.message().contains("hunter2"), "{case}: {status:?}");
            assert_untouched(&listener, &case).await;
        }
    }
}

#[tokio::test]
async fn no_kind_of_call_is_sent_to_another_destination() {
    let probe = Probe::default();
    let server = probe.serve().await;
    let endpoint = server.endpoint();
    let channel = server.connect().await;
    let layer = bound_to(["inventory:50053"]);
    let context = context_of(&[], []).await;
    for (known, service) in [
        ("unknown origin", layer.wrap(channel.clone())),
        ("known origin", layer.wrap_with_origin(channel, endpoint.uri())),
    ] {
        for kind in Kind::ALL {
            let case = format!("{known}, {kind:?}");
            let response = context.clone().scope(call(kind, service.clone(), &[])).await;
            assert_refused(response, NOT_ALLOWED, &probe, &case);
        }
    }
}

const SENT: [(&str, &str); 8] = [
    ("x-request-id", "r-1"),
    ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
    ("tracestate", "a=1"),
    ("baggage", "tenant=acme"),
    ("baggage", "plan=gold"),
    ("x-user-tenant", "acme"),
    ("x-experiment", "blue"),
    ("x-debug", "1"),
];

/// A context with every propagated value.
async fn full_context() -> CallContext {
    let lists = [PropagatedField::every_hop("x-experiment"), PropagatedField::one_hop("x-debug")];
    let context = context_of(&SENT, lists.map(Result::unwrap)).await;
    context.with_deadline(Deadline::after(Duration::from_secs(60)))
}

/// Returns the names of the context's fields.
fn of_context(metadata: &http::HeaderMap) -> Vec<&str> {
    let names = metadata.keys().map(http::HeaderName::as_str);
    let mut names: Vec<_> = names
        .filter(|name| {
            name.starts_with("x-") || ["traceparent", "tracestate", "baggage"].contains(name)
        })
        .collect();
    names.sort_unstable();
    names
}

#[tokio::test]
async fn calls_to_other_destinations_carry_nothing_of_the_context() {
    let probe = Probe::default();
    let server = probe.serve().await;
    let endpoint = server.endpoint();
    let channel = server.connect().await;
    let outside = bound_to(["inventory:50053"]).allow_other_destinations();
    let inside = bound_to(["127.0.0.1"]).allow_other_destinations();
    let everything = [
        "baggage",
        "traceparent",
        "tracestate",
        "x-debug",
        "x-experiment",
        "x-passport-one-hop",
        "x-request-id",
        "x-user-id",
        "x-user-tenant",
    ];
    let cases: [(&str, ClientService<Channel>, &[&str]); 3] = [
        ("unknown origin", outside.wrap(channel.clone()), &[]),
        ("another destination", outside.wrap_with_origin(channel.clone(), endpoint.uri()), &[]),
        ("an allowed destination", inside.wrap_with_origin(channel, endpoint.uri()), &everything),
    ];
    let copied: Vec<_> = SENT.into_iter().chain([("x-passport-one-hop", "x-debug")]).collect();
    for (place, service, expected) in cases {
        for kind in Kind::ALL {
            for (copies, fields) in [("nothing copied", &[][..]), ("all of it copied", &copied)] {
                // At an allowed destination, fields copied by the call itself are sent.
                if !fields.is_empty() && !expected.is_empty() {
                    continue;
                }
                let case = format!("{place}, {copies}, {kind:?}");
                let context = full_context().await;
                context.scope(call(kind, service.clone(), fields)).await.expect(&case);
                let seen = probe.take_one().metadata;
                assert_eq!(of_context(&seen), expected, "{case}");
                assert!(seen.contains_key("grpc-timeout"), "{case}: {seen:?}");
            }
        }
    }
}

#[tokio::test]
async fn metadata_set_by_the_call_itself_is_sent_to_other_destinations() {
    let probe = Probe::default();
    let server = probe.serve().await;
    let service = bound_to([]).allow_other_destinations().wrap(server.connect().await);
    let own = [
        ("x-request-id", "r-2"),
        ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01"),
        ("tracestate", "b=2"),
        ("baggage", "c=3"),
        ("x-experiment", "red"),
        ("x-api-key", "1"),
    ];
    let context = full_context().await;
    context.scope(call(Kind::Unary, service.clone(), &own)).await.unwrap();
    let seen = probe.take_one().metadata;
    for (name, value) in own {
        assert_eq!(values(&seen, name), [value], "{name}");
    }

    // Such a call needs no user.
    call(Kind::Unary, service, &[("x-user-id", "mallory")]).await.unwrap();
    assert_eq!(of_context(&probe.take_one().metadata), Vec::<&str>::new());
}

#[tokio::test]
async fn a_call_to_another_destination_keeps_its_deadline() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint =
        Endpoint::try_from(format!("http://{}", listener.local_addr().unwrap())).unwrap();
    let service = bound_to([]).allow_other_destinations().wrap(endpoint.connect_lazy());
    let context = CallContext::default().with_deadline(Deadline::after(Duration::ZERO));
    let status = context.scope(call(Kind::Unary, service, &[])).await.unwrap_err();
    let expected = (Code::DeadlineExceeded, "DEADLINE_EXCEEDED");
    assert_eq!((status.code(), &*reason(&status)), expected);
    assert_untouched(&listener, "no time is left").await;
}
