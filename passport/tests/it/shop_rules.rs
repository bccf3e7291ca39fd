//! The sample shop does not start without any one of its rules, and names the uncovered methods.

use std::error::Error;
use std::future::Future;

use shop::in_process::Shop;
use shop::{inventory_service, order_service, user_service};
use tokio::net::TcpListener;
use tonic::transport::{Channel, Endpoint};
use tonic_passport::policy::PolicyError;
use tower::BoxError;

use crate::support::{check, compile, proto, written};

const FILES: [&str; 3] = ["shop/v1/inventory.proto", "shop/v1/order.proto", "shop/v1/user.proto"];

/// The shop's protocol buffers, with one rule removed.
struct Removed {
    /// The removed option statement.
    statement: String,
    /// The methods that lost their rule.
    methods: Vec<String>,
    set: Vec<u8>,
}

/// Returns a variant for each rule of the shop.
fn each_removed() -> Vec<Removed> {
    let texts = FILES.map(|name| (name, proto(name)));
    let mut removed = Vec::new();
    for (file, text) in &texts {
        for (start, _) in text.match_indices("option (passport.v1.") {
            let end = start + text[start..].find("};").unwrap() + "};".len();
            let changed = format!("{}{}", &text[..start], &text[end..]);
            let files = texts.each_ref().map(|(name, text)| {
                (*name, if name == file { changed.as_str() } else { text.as_str() })
            });
            removed.push(Removed {
                statement: format!("{file}: {}", &text[start..end]),
                methods: methods_of(text, start),
                set: compile(&files),
            });
        }
    }
    removed
}

/// Returns the methods that a statement applies to: the enclosing method, or all of the service.
fn methods_of(text: &str, statement: usize) -> Vec<String> {
    let (before, after) = text.split_at(statement);
    let name = |rest: &str| rest.split(['(', ' ']).next().unwrap().to_owned();
    let service = name(before.rsplit("\nservice ").next().unwrap());
    let methods: Vec<String> = match before.rsplit_once("rpc ") {
        Some((_, method)) => vec![name(method)],
        None => after.split("rpc ").skip(1).map(name).collect(),
    };
    let mut paths: Vec<String> =
        methods.iter().map(|method| format!("/shop.v1.{service}/{method}")).collect();
    paths.sort();
    paths
}

/// Returns the methods without a rule in the error of a server.
#[track_caller]
fn uncovered(served: Result<(), BoxError>, statement: &str) -> Vec<String> {
    let error = served.expect_err(statement);
    let error: &(dyn Error + 'static) = &*error;
    let Some(PolicyError::Uncovered { methods, .. }) = error.downcast_ref() else {
        panic!("{statement}: {error}")
    };
    let mut methods: Vec<String> = methods.iter().map(ToString::to_string).collect();
    methods.sort();
    methods
}

#[test]
fn the_shop_declares_ten_rules_for_eleven_methods() {
    let removed = each_removed();
    let methods: Vec<usize> = removed.iter().map(|removed| removed.methods.len()).collect();
    assert_eq!(methods, [1, 1, 1, 1, 1, 1, 1, 1, 1, 2]);
}

#[tokio::test]
async fn the_shop_does_not_start_without_any_one_of_its_rules() {
    for Removed { statement, methods, set } in each_removed() {
        let served = Shop::bind(0).await.unwrap().serve(&set).await;
        assert_eq!(uncovered(served, &statement), methods, "{statement}");
    }
}

#[tokio::test]
async fn only_the_service_that_lacks_a_rule_does_not_start() {
    for Removed { statement, methods, set } in each_removed() {
        let set = set.as_slice();
        for (name, served) in [
            ("InventoryService", start(|on| inventory_service::serve(on, set)).await),
            (
                "OrderService",
                start(|on| order_service::serve(on, set, unused_channel(), unused_channel())).await,
            ),
            ("UserService", start(|on| user_service::serve(on, set)).await),
        ] {
            if methods[0].starts_with(&format!("/shop.v1.{name}/")) {
                let served = served.expect("the server should not start");
                assert_eq!(uncovered(served, &statement), methods, "{statement}");
            } else {
                assert!(served.is_none(), "{statement}: {name}: {served:?}");
            }
        }
    }
}

/// Returns the result of a server that ended, or `None` for one that accepts connections.
async fn start<F>(serve: impl FnOnce(TcpListener) -> F) -> Option<Result<(), BoxError>>
where
    F: Future<Output = Result<(), BoxError>>,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint =
        Endpoint::try_from(format!("http://{}", listener.local_addr().unwrap())).unwrap();
    tokio::select! {
        biased;
        served = serve(listener) => Some(served),
        connected = endpoint.connect() => {
            connected.unwrap();
            None
        }
    }
}

fn unused_channel() -> Channel {
    Endpoint::from_static("http://127.0.0.1:1").connect_lazy()
}

#[test]
fn policy_check_fails_without_any_one_of_the_rules() {
    for Removed { statement, methods, set } in each_removed() {
        let (output, file) = check(&set, &[]);
        let (table, error) = written(&output);
        assert_eq!(output.status.code(), Some(1), "{statement}");
        let expected = format!("passport: {file}: no rule for {}", methods.join(", "));
        let (named, hint) = error.split_at(expected.len().min(error.len()));
        assert_eq!(named, expected, "{statement}");
        // The default rule of UserService is the only rule in its file.
        assert_eq!(hint.contains("user.proto imports"), statement.contains("user.proto"));
        let without: Vec<&str> = table
            .lines()
            .filter_map(|line| line.strip_suffix(" none")?.split(' ').next())
            .collect();
        assert_eq!(without, methods, "{statement}");
    }
}
