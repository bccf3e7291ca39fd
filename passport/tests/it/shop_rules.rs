//! Without any one of its rules, the shop does not start, and says which method lacks it.

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

/// The shop's protocol buffers without one of their rules.
struct Removed {
    /// The statement that is not there.
    statement: String,
    /// The methods that have no rule without it.
    methods: Vec<String>,
    set: Vec<u8>,
}

/// Removes each rule in turn.
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

/// The methods that the statement is for: the one that it stands in, or else all that follow.
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

/// The methods that a server does not start for.
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
fn the_shop_has_ten_rules_of_which_one_is_for_two_methods() {
    let removed = each_removed();
    let methods: Vec<usize> = removed.iter().map(|removed| removed.methods.len()).collect();
    assert_eq!(methods, [1, 1, 1, 1, 1, 1, 1, 1, 1, 2]);
}

#[tokio::test]
async fn without_any_one_of_its_rules_the_shop_does_not_start() {
    for Removed { statement, methods, set } in each_removed() {
        let served = Shop::bind(0).await.unwrap().serve(&set).await;
        assert_eq!(uncovered(served, &statement), methods, "{statement}");
    }
}

#[tokio::test]
async fn without_any_one_of_its_rules_a_service_does_not_start_and_the_others_do() {
    for Removed { statement, methods, set } in each_removed() {
        let set = set.as_slice();
        for (name, served) in [
            ("InventoryService", start(|on| inventory_service::serve(on, set)).await),
            ("OrderService", start(|on| order_service::serve(on, set, nobody(), nobody())).await),
            ("UserService", start(|on| user_service::serve(on, set)).await),
        ] {
            if methods[0].starts_with(&format!("/shop.v1.{name}/")) {
                let served = served.expect("it does not start");
                assert_eq!(uncovered(served, &statement), methods, "{statement}");
            } else {
                assert!(served.is_none(), "{statement}: {name}: {served:?}");
            }
        }
    }
}

/// How serving ended; `None` for a server that accepts connections.
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

fn nobody() -> Channel {
    Endpoint::from_static("http://127.0.0.1:1").connect_lazy()
}

#[test]
fn without_any_one_of_its_rules_the_command_fails() {
    for Removed { statement, methods, set } in each_removed() {
        let (output, file) = check(&set, &[]);
        let (table, error) = written(&output);
        assert_eq!(output.status.code(), Some(1), "{statement}");
        let expected = format!("passport: {file}: no rule for {}", methods.join(", "));
        let (named, hint) = error.split_at(expected.len().min(error.len()));
        assert_eq!(named, expected, "{statement}");
        // The default of the users was the only rule of its file.
        assert_eq!(hint.contains("user.proto imports"), statement.contains("user.proto"));
        let without: Vec<&str> = table
            .lines()
            .filter_map(|line| line.strip_suffix(" none")?.split(' ').next())
            .collect();
        assert_eq!(without, methods, "{statement}");
    }
}
