//! An issuer's HTTP server, which does as it is told.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::State;
use axum::http::{Uri, header};
use axum::response::{IntoResponse, Response};
use axum::{Router, http::StatusCode};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tonic_passport::jwt::{Issuer, RemoteKeys};

use super::token::AUDIENCE;

pub const DISCOVERY: &str = "/.well-known/openid-configuration";
pub const JWKS: &str = "/jwks.json";

/// What is answered to a path.
#[derive(Clone, Debug)]
pub enum Answer {
    Json(String),
    Redirect(String),
    /// None, ever.
    Silence,
    Status(u16),
}

/// Keys that are found by discovery on this machine, and may be fetched often.
pub fn keys() -> RemoteKeys {
    RemoteKeys::discovery().allow_host("127.0.0.1").min_interval(Duration::from_millis(50))
}

/// Serves until it is dropped.
pub struct IdentityProvider {
    pub url: String,
    shared: Arc<Shared>,
    _tasks: JoinSet<()>,
}

struct Shared {
    discovery: Mutex<Answer>,
    jwks: Mutex<Answer>,
    paths: Mutex<Vec<String>>,
    fetches: watch::Sender<usize>,
}

impl IdentityProvider {
    /// Publishes these keys.
    pub async fn start(keys: &[Value]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let discovery = json!({ "issuer": url, "jwks_uri": format!("{url}{JWKS}") });
        let shared = Arc::new(Shared {
            discovery: Mutex::new(Answer::Json(discovery.to_string())),
            jwks: Mutex::new(Answer::Json(json!({ "keys": keys }).to_string())),
            paths: Mutex::default(),
            fetches: watch::Sender::new(0),
        });
        let router = Router::new().fallback(answer).with_state(Arc::clone(&shared));
        let mut tasks = JoinSet::new();
        tasks.spawn(async { axum::serve(listener, router).await.unwrap() });
        Self { url, shared, _tasks: tasks }
    }

    /// The issuer, whose keys are found here, with a refresh that is not due during a test.
    pub fn issuer(&self) -> Issuer {
        self.issuer_with(keys())
    }

    pub fn issuer_with(&self, keys: RemoteKeys) -> Issuer {
        Issuer::new(&self.url, keys).audience(AUDIENCE)
    }

    pub fn publish(&self, keys: &[Value]) {
        self.answer_jwks(Answer::Json(json!({ "keys": keys }).to_string()));
    }

    pub fn answer_jwks(&self, answer: Answer) {
        *self.shared.jwks.lock().unwrap() = answer;
    }

    pub fn answer_discovery(&self, answer: Answer) {
        *self.shared.discovery.lock().unwrap() = answer;
    }

    /// Waits until the key set was asked for this often in all.
    pub async fn fetched(&self, times: usize) {
        self.shared.fetches.subscribe().wait_for(|fetches| *fetches >= times).await.unwrap();
    }

    /// How often the key set was asked for.
    pub fn fetches(&self) -> usize {
        *self.shared.fetches.borrow()
    }

    /// All that was ever asked for.
    pub fn paths(&self) -> Vec<String> {
        self.shared.paths.lock().unwrap().clone()
    }
}

async fn answer(State(shared): State<Arc<Shared>>, uri: Uri) -> Response {
    shared.paths.lock().unwrap().push(uri.to_string());
    let answer = match uri.path() {
        DISCOVERY => shared.discovery.lock().unwrap().clone(),
        JWKS => {
            let answer = shared.jwks.lock().unwrap().clone();
            shared.fetches.send_modify(|fetches| *fetches += 1);
            answer
        }
        _ => Answer::Status(404),
    };
    match answer {
        Answer::Json(text) => text.into_response(),
        Answer::Redirect(to) => (StatusCode::FOUND, [(header::LOCATION, to)]).into_response(),
        Answer::Silence => std::future::pending().await,
        Answer::Status(code) => StatusCode::from_u16(code).unwrap().into_response(),
    }
}
