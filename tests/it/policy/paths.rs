//! Rules match paths byte by byte, and paths that are not canonical are rejected.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tonic::Code;
use tonic::body::Body;
use tonic_passport::Rejection;
use tonic_passport::policy::{PolicyBuilder, PolicyError};
use tonic_passport::{AccessDenied, Policy, Rule};

use super::harness::EntryPoint;
use super::order_protos::{self, SERVICE};
use super::recording_sink::{RecordingSink, counts};
use crate::support::{raw, reason, token};

/// Paths that are not canonical, but that some server might accept.
const NON_CANONICAL: [&str; 34] = [
    "/",
    "//",
    "///",
    "*",
    "/shop.v1.OrderService",
    "/shop.v1.OrderService/",
    "/shop.v1.OrderService//",
    "//CreateOrder",
    "//shop.v1.OrderService/CreateOrder",
    "///shop.v1.OrderService/CreateOrder",
    "/shop.v1.OrderService//CreateOrder",
    "/shop.v1.OrderService/CreateOrder/",
    "/shop.v1.OrderService/CreateOrder//",
    "/shop.v1.OrderService/CreateOrder/x",
    "/x/shop.v1.OrderService/CreateOrder",
    "/shop.v1.OrderService/./CreateOrder",
    "/x/../shop.v1.OrderService/CreateOrder",
    "/shop.v1.OrderService/../shop.v1.OrderService/CreateOrder",
    "/shop.v1.OrderService/CreateOrder?",
    "/shop.v1.OrderService/CreateOrder?x=y",
    "/shop.v1.OrderService/CreateOrder;x",
    "/shop.v1.OrderService/%43reateOrder",
    "/shop.v1.OrderService%2FCreateOrder",
    "/shop.v1.OrderService/CreateOrder%2F",
    "/shop%2Ev1.OrderService/CreateOrder",
    "/shop.v1.OrderService/CreateOrder%00",
    "/shop.v1.OrderService/CreateOrder%20",
    "/shop..v1.OrderService/CreateOrder",
    "/.shop.v1.OrderService/CreateOrder",
    "/shop.v1.OrderService./CreateOrder",
    "/shop.v1.OrderService/Create.Order",
    "/shop.v1.OrderService/Create-Order",
    "/shop.v1.OrderService/CreateOrder:x",
    "/shop.v1.OrderService/CreateOrd\u{e9}r",
];

/// Policies that allow all calls: with method rules, default rules, and fallbacks.
fn permissive() -> [(&'static str, PolicyBuilder); 4] {
    let set = order_protos::whole_service("{ public: true }");
    let described = || Policy::builder().descriptor_set(&set);
    [
        ("described", described()),
        ("default rule", Policy::builder().default_rule(SERVICE, Rule::public())),
        ("fallback", Policy::builder().fallback_rule(Rule::public())),
        ("described, with a fallback", described().fallback_rule(Rule::public())),
    ]
}

/// Number of decisions of a policy.
fn decisions(policy: &Policy) -> u64 {
    counts(policy).iter().map(|(_, allowed, denied)| allowed + denied).sum()
}

#[tokio::test]
async fn a_non_canonical_path_is_rejected_before_any_rule_is_evaluated() -> Result<(), PolicyError>
{
    for (case, builder) in permissive() {
        let sink = RecordingSink::default();
        let policy = builder.audit(sink.clone()).build()?;
        let shadow = Policy::builder().fallback_rule(Rule::public());
        let shadow = shadow.audit(sink.clone()).build()?;
        let calls = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&calls);
        let layer = EntryPoint::Edge.layer().policy(policy.clone()).shadow_policy(shadow.clone());
        let handler = move |_| {
            counter.fetch_add(1, Ordering::Relaxed);
            async { raw::ok().header("grpc-status", "0").body(Body::empty()).unwrap() }
        };
        let server = raw::serve_with(layer, handler).await;
        let channel = server.connect().await;

        let bearer = format!("Bearer {}", token::good("alice"));
        for path in NON_CANONICAL {
            let known = raw::post(path).header("authorization", &bearer);
            for request in [raw::post(path), known] {
                let request = request.body(Body::empty()).expect(path);
                let status = raw::send(channel.clone(), request).await.status();
                assert_eq!(status.code(), Code::Unimplemented, "{case}, {path}: {status:?}");
                assert_eq!(reason(&status), "METHOD_PATH_INVALID", "{case}, {path}");
            }
        }
        assert_eq!(calls.load(Ordering::Relaxed), 0, "{case}");
        assert_eq!((decisions(&policy), decisions(&shadow)), (0, 0), "{case}");
        assert_eq!(sink.take(), [], "{case}");

        // The canonical path is evaluated and allowed.
        let request = raw::post(raw::METHOD).body(Body::empty()).unwrap();
        assert_eq!(raw::send(channel, request).await.status().code(), Code::Ok, "{case}");
        assert_eq!(calls.load(Ordering::Relaxed), 1, "{case}");
        assert_eq!((decisions(&policy), decisions(&shadow)), (1, 1), "{case}");
        assert_eq!(sink.take().len(), 2, "{case}");
    }
    Ok(())
}

/// A custom entry point may pass any text as the path.
#[test]
fn authorize_denies_non_canonical_paths() -> Result<(), PolicyError> {
    for (case, builder) in permissive() {
        let policy = builder.build()?;
        for path in NON_CANONICAL {
            let expected = AccessDenied::RuleMissing { method: path.to_owned() };
            let rejection = policy.authorize(path, None).unwrap_err();
            assert!(
                matches!(&rejection, Rejection::PolicyDenied { denied, .. } if *denied == expected),
                "{case}: {rejection:?}"
            );
        }
        assert_eq!(decisions(&policy), 0, "{case}");
        assert!(policy.authorize(raw::METHOD, None).is_ok(), "{case}");
    }
    Ok(())
}

#[tokio::test]
async fn similar_paths_are_different_methods() -> Result<(), PolicyError> {
    let set = order_protos::each_method("{ public: true }");
    let policy = Policy::builder().descriptor_set(set).build()?;
    let layer = EntryPoint::Edge.layer().policy(policy.clone());
    let handler = |_| async { raw::ok().header("grpc-status", "0").body(Body::empty()).unwrap() };
    let server = raw::serve_with(layer, handler).await;
    let channel = server.connect().await;
    let spellings = [
        "/shop.v1.OrderService/createorder",
        "/shop.v1.OrderService/createOrder",
        "/shop.v1.OrderService/CREATEORDER",
        "/shop.v1.OrderService/Create_Order",
        "/shop.v1.OrderService/CreateOrder_",
        "/shop.v1.OrderService/CreateOrde",
        "/shop.v1.OrderService/CreateOrders",
        "/shop.v1.orderservice/CreateOrder",
        "/Shop.V1.OrderService/CreateOrder",
        "/OrderService/CreateOrder",
        "/v1.OrderService/CreateOrder",
        "/shop.v1.OrderService.CreateOrder/CreateOrder",
        "/shop_v1_OrderService/CreateOrder",
    ];
    for path in spellings {
        let request = raw::post(path).body(Body::empty()).unwrap();
        let status = raw::send(channel.clone(), request).await.status();
        assert_eq!(status.code(), Code::PermissionDenied, "{path}: {status:?}");
        assert_eq!(reason(&status), "RULE_MISSING", "{path}");
    }
    assert_eq!(decisions(&policy), 0);
    let request = raw::post(raw::METHOD).body(Body::empty()).unwrap();
    assert_eq!(raw::send(channel, request).await.status().code(), Code::Ok);
    assert_eq!(decisions(&policy), 1);
    Ok(())
}
