//! Rules are for methods as they are called, to the letter: another spelling is another method, or
//! none.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tonic::Code;
use tonic::body::Body;
use tonic_passport::authenticate::Rejection;
use tonic_passport::policy::{PolicyBuilder, PolicyError};
use tonic_passport::{AccessDenied, Policy, Rule};

use super::auditor::{Auditor, counts};
use super::callers::Door;
use super::protos::{self, SERVICE};
use crate::support::{raw, reason, token};

/// What is no method's path, whatever it may mean to somebody.
const STRANGE: [&str; 34] = [
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

/// Rules that would let everybody in: those of methods, of services, and of whatever else there is.
fn generous() -> [(&'static str, PolicyBuilder); 4] {
    let set = protos::whole_service("{ public: true }");
    let described = || Policy::builder().descriptor_set(&set);
    [
        ("described", described()),
        ("for the service", Policy::builder().default_rule(SERVICE, Rule::public())),
        ("for other services", Policy::builder().fallback_rule(Rule::public())),
        ("all of it", described().fallback_rule(Rule::public())),
    ]
}

/// How often the rules of a policy were asked.
fn asked(policy: &Policy) -> u64 {
    counts(policy).iter().map(|(_, allowed, denied)| allowed + denied).sum()
}

#[tokio::test]
async fn no_rule_is_asked_about_a_path_that_is_none() -> Result<(), PolicyError> {
    for (case, builder) in generous() {
        let auditor = Auditor::default();
        let policy = builder.audit(auditor.clone()).build()?;
        let shadow = Policy::builder().fallback_rule(Rule::public());
        let shadow = shadow.audit(auditor.clone()).build()?;
        let calls = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&calls);
        let layer = Door::Edge.layer().policy(policy.clone()).shadow_policy(shadow.clone());
        let handler = move |_| {
            counter.fetch_add(1, Ordering::Relaxed);
            async { raw::ok().header("grpc-status", "0").body(Body::empty()).unwrap() }
        };
        let server = raw::serve_with(layer, handler).await;
        let channel = server.connect().await;

        let bearer = format!("Bearer {}", token::good("alice"));
        for path in STRANGE {
            let known = raw::post(path).header("authorization", &bearer);
            for request in [raw::post(path), known] {
                let request = request.body(Body::empty()).expect(path);
                let status = raw::send(channel.clone(), request).await.status();
                assert_eq!(status.code(), Code::Unimplemented, "{case}, {path}: {status:?}");
                assert_eq!(reason(&status), "METHOD_PATH_INVALID", "{case}, {path}");
            }
        }
        assert_eq!(calls.load(Ordering::Relaxed), 0, "{case}");
        assert_eq!((asked(&policy), asked(&shadow)), (0, 0), "{case}");
        assert_eq!(auditor.take(), [], "{case}");

        // The path itself is asked about, and let in.
        let request = raw::post(raw::METHOD).body(Body::empty()).unwrap();
        assert_eq!(raw::send(channel, request).await.status().code(), Code::Ok, "{case}");
        assert_eq!(calls.load(Ordering::Relaxed), 1, "{case}");
        assert_eq!((asked(&policy), asked(&shadow)), (1, 1), "{case}");
        assert_eq!(auditor.take().len(), 2, "{case}");
    }
    Ok(())
}

/// An entry point of one's own asks with what it has for a path.
#[test]
fn a_path_that_is_none_is_denied_by_a_policy_that_is_asked_directly() -> Result<(), PolicyError> {
    for (case, builder) in generous() {
        let policy = builder.build()?;
        for path in STRANGE {
            let expected = AccessDenied::RuleMissing { method: path.to_owned() };
            let rejection = policy.authorize(path, None).unwrap_err();
            assert!(
                matches!(&rejection, Rejection::PolicyDenied { denied, .. } if *denied == expected),
                "{case}: {rejection:?}"
            );
        }
        assert_eq!(asked(&policy), 0, "{case}");
        assert!(policy.authorize(raw::METHOD, None).is_ok(), "{case}");
    }
    Ok(())
}

#[tokio::test]
async fn a_name_in_another_case_is_another_method() -> Result<(), PolicyError> {
    let set = protos::each_method("{ public: true }");
    let policy = Policy::builder().descriptor_set(set).build()?;
    let layer = Door::Edge.layer().policy(policy.clone());
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
    assert_eq!(asked(&policy), 0);
    let request = raw::post(raw::METHOD).body(Body::empty()).unwrap();
    assert_eq!(raw::send(channel, request).await.status().code(), Code::Ok);
    assert_eq!(asked(&policy), 1);
    Ok(())
}
