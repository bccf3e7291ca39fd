//! The sample shop end to end: client → gateway → order → inventory and users.

use std::net::SocketAddr;

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_stream::StreamExt;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};
use tonic_passport::jwt::Algorithm;
use tonic_types::StatusExt;

use crate::sample::in_process::Shop;
use crate::sample::proto::FILE_DESCRIPTOR_SET;
use crate::sample::proto::inventory_service_client::InventoryServiceClient;
use crate::sample::proto::order_service_client::OrderServiceClient;
use crate::sample::proto::user_service_client::UserServiceClient;
use crate::sample::proto::{
    CreateOrderRequest, GetOrderRequest, GetUserRequest, Item, ListOrdersRequest,
    ListReservationsRequest, Order, WhoAmIRequest,
};
use crate::sample::{gateway, inventory_service, order_service, user_service};
use crate::support::log::Log;
use crate::support::probe::{Kind, with};
use crate::support::reason;
use crate::support::token::{self, SigningKey};

/// Metadata fields of a call.
type Fields<'a> = &'a [(&'a str, &'a str)];

/// All services of the sample, except for its identity provider: the tests sign their own tokens.
struct Parts {
    gateway: Channel,
    orders: Channel,
    inventory: Channel,
    _tasks: JoinSet<()>,
}

impl Parts {
    async fn start() -> Self {
        let [gateway, orders, inventory, users] =
            [listener().await, listener().await, listener().await, listener().await];
        let at = |listener: &TcpListener| channel(listener.local_addr().unwrap());
        let (to_gateway, to_orders) = (at(&gateway), at(&orders));
        let (to_inventory, to_users) = (at(&inventory), at(&users));

        let mut tasks = JoinSet::new();
        let serve = gateway::serve(gateway, token::verifier(), to_orders.clone(), to_users.clone());
        tasks.spawn(async { serve.await.unwrap() });
        let serve =
            order_service::serve(orders, FILE_DESCRIPTOR_SET, to_inventory.clone(), to_users);
        tasks.spawn(async { serve.await.unwrap() });
        let serve = inventory_service::serve(inventory, FILE_DESCRIPTOR_SET);
        tasks.spawn(async { serve.await.unwrap() });
        let serve = user_service::serve(users, FILE_DESCRIPTOR_SET);
        tasks.spawn(async { serve.await.unwrap() });
        Self { gateway: to_gateway, orders: to_orders, inventory: to_inventory, _tasks: tasks }
    }
}

async fn listener() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").await.unwrap()
}

fn channel(address: SocketAddr) -> Channel {
    Endpoint::try_from(format!("http://{address}")).unwrap().connect_lazy()
}

fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}

/// Returns the token of a user who may read orders, but not create them.
fn viewer() -> String {
    let mut claims = token::claims("viewer");
    claims["permissions"] = json!(["orders:read"]);
    token::key().token(&claims)
}

fn tea() -> CreateOrderRequest {
    CreateOrderRequest { items: vec![Item { sku: "tea".to_owned(), quantity: 1 }] }
}

/// Makes a call of this kind. Returns the first order of the response. For items, returns an order
/// that was created and reserved by the user for whom the item was looked up.
async fn call(kind: Kind, channel: &Channel, fields: Fields<'_>) -> Result<Order, Status> {
    let mut client = OrderServiceClient::new(channel.clone());
    let order = match kind {
        Kind::Unary => client.create_order(with(fields, tea())).await?.into_inner(),
        Kind::ServerStreaming => {
            let mut orders =
                client.list_orders(with(fields, ListOrdersRequest {})).await?.into_inner();
            orders.message().await?.expect("an order")
        }
        Kind::ClientStreaming => {
            let requests = tokio_stream::iter([tea(), tea()]);
            let imported = client.import_orders(with(fields, requests)).await?.into_inner();
            assert_eq!(imported.orders.len(), 2);
            imported.orders.into_iter().next().expect("an order")
        }
        Kind::Bidirectional => {
            let items = tokio_stream::iter(tea().items);
            let mut responses = client.check_items(with(fields, items)).await?.into_inner();
            let user = responses.message().await?.expect("an response").checked_for;
            Order { created_by: user.clone(), reserved_by: user, ..Order::default() }
        }
    };
    Ok(order)
}

#[tokio::test]
async fn every_service_works_for_the_caller_in_all_kinds_of_call() {
    let parts = Parts::start().await;
    for user in ["alice", "Zoë, of 大阪"] {
        let bearer = bearer(&token::good(user));
        for kind in Kind::ALL {
            let order = call(kind, &parts.gateway, &[("authorization", &bearer)]).await.unwrap();
            assert_eq!(order.created_by, user, "{kind:?}");
            assert_eq!(order.reserved_by, user, "{kind:?}: what the inventory service knew");
            if let Some(customer) = order.customer {
                assert_eq!(customer.id, user, "{kind:?}: what the user service knew");
                assert_eq!(customer.email, format!("{user}@example.com"), "{kind:?}");
            }
        }
    }
}

// Single-threaded, because the log is thread-local.
#[tokio::test(flavor = "current_thread")]
async fn each_service_logs_the_request_id_and_the_remaining_time() {
    let log = Log::start("info");
    let parts = Parts::start().await;
    let fields = [
        ("authorization", &*bearer(&token::good("alice"))),
        ("x-request-id", "demo-1"),
        ("grpc-timeout", "10S"),
    ];
    call(Kind::Unary, &parts.gateway, &fields).await.unwrap();

    let log = log.take();
    let hop = |what: &str| {
        let line = log.lines().find(|line| line.contains(what));
        let line = line.unwrap_or_else(|| panic!("no {what:?} in {log}"));
        for part in ["user=\"alice\"", "request_id=\"demo-1\"", "call{method="] {
            assert!(line.contains(part), "no {part:?} in {line}");
        }
        let (_, remaining) = line.split_once("remaining=").unwrap_or_else(|| panic!("{line}"));
        let seconds: f64 = remaining.split('s').next().unwrap().parse().unwrap();
        assert!((1.0..10.0).contains(&seconds), "{line}");
        seconds
    };
    let gateway = hop("relayed /shop.v1.OrderService/CreateOrder");
    let orders = hop(": CreateOrder ");
    assert!(orders < gateway, "{log}");
    assert!(hop(": Reserve ") < orders, "{log}");
    assert!(hop(": GetUser ") < orders, "{log}");
}

#[tokio::test]
async fn callers_without_a_good_token_get_no_further_than_the_gateway() {
    let good = token::good("alice");
    let expired = token::token("alice").expired().sign();
    let foreign = SigningKey::generate(Algorithm::ES256, token::key().key_id());
    let foreign = token::token("alice").signed_by(&foreign).sign();
    let (good, expired, foreign) = (bearer(&good), bearer(&expired), bearer(&foreign));
    let two_tokens: Fields<'_> = &[("authorization", &good), ("authorization", &good)];

    let cases: [(&str, Fields<'_>, &str); 8] = [
        ("no token", &[], "TOKEN_MISSING"),
        ("an id without a token", &[("x-user-id", "admin")], "TOKEN_MISSING"),
        ("another scheme", &[("authorization", "Basic YWxpY2U6")], "TOKEN_MALFORMED"),
        ("two tokens", two_tokens, "TOKEN_MALFORMED"),
        ("an expired token", &[("authorization", &expired)], "TOKEN_EXPIRED"),
        ("a foreign signature", &[("authorization", &foreign)], "TOKEN_INVALID"),
        ("not a token", &[("authorization", "Bearer admin")], "TOKEN_INVALID"),
        (
            "a good token's context beside a bad one",
            &[("authorization", &foreign), ("x-user-id", "alice")],
            "TOKEN_INVALID",
        ),
    ];
    let parts = Parts::start().await;
    for (case, fields, expected) in cases {
        for kind in Kind::ALL {
            let status = call(kind, &parts.gateway, fields).await.expect_err(case);
            assert_eq!(status.code(), Code::Unauthenticated, "{case}, {kind:?}");
            assert_eq!(reason(&status), expected, "{case}, {kind:?}");
            assert!(status.metadata().contains_key("www-authenticate"), "{case}, {kind:?}");
        }
    }
    assert_eq!(orders_of(&parts, "alice").await, 0, "one of the calls placed an order");
}

#[tokio::test]
async fn a_forged_id_beside_a_token_has_no_effect() {
    let parts = Parts::start().await;
    let (viewer, alice) = (bearer(&viewer()), bearer(&token::good("alice")));
    for name in ["x-user-id", "x_user_id", "x.user.id", "x-user-id-bin", "X-User-Roles"] {
        // Valid Base64, as binary metadata requires.
        let forged = (name, "YWRtaW4");
        for kind in Kind::ALL {
            let fields = [("authorization", alice.as_str()), forged];
            let order = call(kind, &parts.gateway, &fields).await.unwrap();
            assert_eq!(order.created_by, "alice", "{name}, {kind:?}");
            assert_eq!(order.reserved_by, "alice", "{name}, {kind:?}");
        }
        for kind in [Kind::Unary, Kind::ClientStreaming] {
            let fields = [("authorization", viewer.as_str()), forged];
            let status = call(kind, &parts.gateway, &fields).await.expect_err(name);
            assert_eq!(status.code(), Code::PermissionDenied, "{name}, {kind:?}");
            assert_eq!(reason(&status), "PERMISSION_MISSING", "{name}, {kind:?}");
        }
    }
}

#[tokio::test]
async fn a_missing_permission_is_named() {
    let parts = Parts::start().await;
    let nobody = token::claims_with(json!({ "permissions": [] }));
    let nobody = bearer(&token::key().token(&nobody));
    let cases = [
        (Kind::Unary, "orders:create"),
        (Kind::ServerStreaming, "orders:read"),
        (Kind::ClientStreaming, "orders:create"),
        (Kind::Bidirectional, "orders:read"),
    ];
    for (kind, permission) in cases {
        let status = call(kind, &parts.gateway, &[("authorization", &nobody)]).await.unwrap_err();
        assert_eq!(status.code(), Code::PermissionDenied, "{kind:?}");
        assert_eq!(reason(&status), "PERMISSION_MISSING", "{kind:?}");
        let details = status.get_error_details();
        let named = &details.error_info().unwrap().metadata["permission"];
        assert_eq!(named, permission, "{kind:?}");
    }
    assert_eq!(orders_of(&parts, "alice").await, 0);
}

#[tokio::test]
async fn a_context_over_the_maximum_size_is_refused_at_the_gateway() {
    let parts = Parts::start().await;
    let role = "r".repeat(500);
    let claims = token::claims_with(json!({ "roles": vec![role; 9] }));
    let bearer = bearer(&token::key().token(&claims));
    for kind in Kind::ALL {
        let status = call(kind, &parts.gateway, &[("authorization", &bearer)]).await.unwrap_err();
        assert_eq!(status.code(), Code::ResourceExhausted, "{kind:?}");
        assert_eq!(reason(&status), "CONTEXT_TOO_LARGE", "{kind:?}");
    }
}

#[tokio::test]
async fn an_internal_service_refuses_calls_without_one_good_context() {
    let large = "r".repeat(5000);
    let cases: [(&str, Fields<'_>, Code, &str); 8] = [
        ("none", &[], Code::Unauthenticated, "CONTEXT_MISSING"),
        ("a token", &[("authorization", "Bearer x")], Code::Unauthenticated, "CONTEXT_MISSING"),
        (
            "two ids",
            &[("x-user-id", "alice"), ("x-user-id", "admin")],
            Code::Unauthenticated,
            "CONTEXT_INVALID",
        ),
        (
            "the same id twice",
            &[("x-user-id", "alice"), ("x-user-id", "alice")],
            Code::Unauthenticated,
            "CONTEXT_INVALID",
        ),
        (
            "an alias",
            &[("x-user-id", "alice"), ("x_user_roles", "admin")],
            Code::Unauthenticated,
            "CONTEXT_INVALID",
        ),
        ("no id", &[("x-user-roles", "admin")], Code::Unauthenticated, "CONTEXT_INVALID"),
        ("a bad escape", &[("x-user-id", "ali%ce")], Code::Unauthenticated, "CONTEXT_INVALID"),
        (
            "too much",
            &[("x-user-id", "alice"), ("x-user-roles", &large)],
            Code::ResourceExhausted,
            "CONTEXT_TOO_LARGE",
        ),
    ];
    let parts = Parts::start().await;
    for (case, fields, code, expected) in cases {
        for kind in Kind::ALL {
            let status = call(kind, &parts.orders, fields).await.expect_err(case);
            assert_eq!(status.code(), code, "{case}, {kind:?}");
            assert_eq!(reason(&status), expected, "{case}, {kind:?}");
        }
        let mut inventory = InventoryServiceClient::new(parts.inventory.clone());
        let request = with(fields, ListReservationsRequest {});
        let status = inventory.list_reservations(request).await.expect_err(case);
        assert_eq!((status.code(), reason(&status).as_str()), (code, expected), "{case}");
    }
    assert_eq!(orders_of(&parts, "alice").await, 0);
}

#[tokio::test]
async fn the_raw_token_stays_at_the_gateway() {
    let parts = Parts::start().await;
    let bearer = bearer(&token::good("alice"));
    let mut users = UserServiceClient::new(parts.gateway.clone());
    let request = with(&[("authorization", &bearer), ("x-request-id", "7")], WhoAmIRequest {});
    let me = users.who_am_i(request).await.unwrap().into_inner();

    let identity: Vec<&str> = me
        .metadata_keys
        .iter()
        .map(String::as_str)
        .filter(|name| tonic_passport::metadata::is_reserved(name))
        .collect();
    assert_eq!(identity, ["x-user-email", "x-user-id", "x-user-permissions", "x-user-roles"]);
    assert!(me.metadata_keys.iter().any(|name| name == "x-request-id"), "{me:?}");
}

#[tokio::test]
async fn an_order_of_another_user_is_for_admins() {
    let parts = Parts::start().await;
    let alice = bearer(&token::good("alice"));
    let order = call(Kind::Unary, &parts.gateway, &[("authorization", &alice)]).await.unwrap();

    let claims = |user: &str, roles: &[&str]| {
        let mut claims = token::claims(user);
        claims["roles"] = json!(roles);
        bearer(&token::key().token(&claims))
    };
    let cases = [
        ("its owner", alice.clone(), Ok(())),
        ("an admin", claims("root", &["admin"]), Ok(())),
        ("another user", claims("bob", &["buyer"]), Err("ROLE_MISSING")),
        ("a user named admin without the role", claims("admin", &[]), Err("ROLE_MISSING")),
    ];
    for (case, bearer, expected) in cases {
        let mut orders = OrderServiceClient::new(parts.gateway.clone());
        let request = with(&[("authorization", &bearer)], GetOrderRequest { id: order.id.clone() });
        let read = orders.get_order(request).await.map(|read| assert_eq!(*read.get_ref(), order));
        assert_eq!(
            read.map_err(|status| reason(&status)),
            expected.map_err(str::to_owned),
            "{case}"
        );

        let mut users = UserServiceClient::new(parts.gateway.clone());
        let request =
            with(&[("authorization", &bearer)], GetUserRequest { id: "alice".to_owned() });
        let read = users.get_user(request).await.map(|user| assert_eq!(user.get_ref().id, "alice"));
        assert_eq!(
            read.map_err(|status| reason(&status)),
            expected.map_err(str::to_owned),
            "{case}"
        );
    }
}

#[tokio::test]
async fn an_invalid_order_is_refused_with_the_problem() {
    let item = |sku: &str, quantity| Item { sku: sku.to_owned(), quantity };
    let cases = [
        ("no items", vec![], Code::InvalidArgument),
        ("no sku", vec![item("", 1)], Code::InvalidArgument),
        ("a quantity of zero", vec![item("tea", 0)], Code::InvalidArgument),
        ("too many items", vec![item("tea", 1); 101], Code::InvalidArgument),
        ("an unknown sku", vec![item("gold", 1)], Code::FailedPrecondition),
        ("more than in stock", vec![item("cups", 13)], Code::FailedPrecondition),
    ];
    let parts = Parts::start().await;
    let bearer = bearer(&token::good("alice"));
    let mut orders = OrderServiceClient::new(parts.gateway.clone());
    for (case, items, code) in cases {
        let request = CreateOrderRequest { items };
        let fields = [("authorization", bearer.as_str())];
        let status = orders.create_order(with(&fields, request.clone())).await.expect_err(case);
        assert_eq!(status.code(), code, "{case}");
        // Atomic: the first order is valid, and is not placed.
        let requests = tokio_stream::iter([tea(), request]);
        let status = orders.import_orders(with(&fields, requests)).await.expect_err(case);
        assert_eq!(status.code(), code, "{case}");
    }
    assert_eq!(orders_of(&parts, "alice").await, 0);
}

#[tokio::test]
async fn no_client_can_call_the_inventory_service() {
    let parts = Parts::start().await;
    let bearer = bearer(&token::good("alice"));
    let mut inventory = InventoryServiceClient::new(parts.gateway.clone());
    let request = with(&[("authorization", &bearer)], ListReservationsRequest {});
    let status = inventory.list_reservations(request).await.unwrap_err();
    assert_eq!((status.code(), reason(&status).as_str()), (Code::Unimplemented, "SERVICE_UNKNOWN"));
}

#[tokio::test]
async fn the_accounts_of_the_identity_provider_have_their_permissions() {
    let shop = Shop::bind(0).await.unwrap();
    let addresses = shop.addresses().unwrap();
    let mut tasks = JoinSet::new();
    let verifier = shop.verifier();
    tasks.spawn(async move { shop.serve(FILE_DESCRIPTOR_SET).await.unwrap() });
    tokio::select! {
        () = verifier.wait_until_ready() => {}
        stopped = tasks.join_next() => panic!("the shop has stopped: {stopped:?}"),
    }
    addresses.ready().await.unwrap();
    let gateway = channel(addresses.gateway);

    let cases = [
        ("buyer", "", Ok("buyer")),
        ("viewer", "", Err("PERMISSION_MISSING")),
        ("admin", "", Ok("admin")),
        ("buyer", "?expires_in=60", Ok("buyer")),
        ("buyer", "?expires_in=0", Err("TOKEN_EXPIRED")),
        ("buyer", "?expires_in=-1", Err("TOKEN_EXPIRED")),
    ];
    for (account, query, expected) in cases {
        let (status, token) =
            get(addresses.identity_provider, &format!("/token/{account}{query}")).await;
        assert_eq!(status, 200, "{account}{query}: {token}");
        let created = call(Kind::Unary, &gateway, &[("authorization", &bearer(&token))]).await;
        let created = created.map(|order| order.created_by).map_err(|status| reason(&status));
        let expected = expected.map(str::to_owned).map_err(str::to_owned);
        assert_eq!(created, expected, "{account}{query}");
    }

    for (path, expected) in [("/token/nobody", 404), ("/token/buyer?expires_in=soon", 400)] {
        assert_eq!(get(addresses.identity_provider, path).await.0, expected, "{path}");
    }
    for path in ["/.well-known/openid-configuration", "/jwks.json"] {
        let (status, body) = get(addresses.identity_provider, path).await;
        assert_eq!(status, 200, "{path}");
        serde_json::from_str::<serde_json::Value>(&body).expect(path);
    }
}

/// Returns the number of the user's orders. The order and the inventory service agree on it.
async fn orders_of(parts: &Parts, user: &str) -> usize {
    let fields = [("x-user-id", user), ("x-user-permissions", "orders:read")];
    let mut orders = OrderServiceClient::new(parts.orders.clone());
    let orders = orders.list_orders(with(&fields, ListOrdersRequest {})).await.unwrap();
    let orders = orders.into_inner().collect::<Result<Vec<_>, _>>().await.unwrap().len();

    let mut inventory = InventoryServiceClient::new(parts.inventory.clone());
    let reserved = inventory.list_reservations(with(&fields, ListReservationsRequest {})).await;
    let reserved = reserved.unwrap().into_inner().collect::<Result<Vec<_>, _>>().await.unwrap();
    assert_eq!(orders, reserved.len());
    orders
}

/// Returns the status and the body of an HTTP response for this path.
async fn get(address: SocketAddr, path: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).await.unwrap();
    let (head, body) = response.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, body.to_owned())
}
