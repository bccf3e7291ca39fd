//! Identity provider for development, which issues a token to every caller.
//!
//! It serves a discovery document (OpenID Connect Discovery 1.0) and a key set, as a real one does.
//! Unlike a real one, it asks for no password and no consent.

use std::fmt;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Json, Router};
use jsonwebtoken::jwk::{Jwk, JwkSet, PublicKeyUse};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tower::BoxError;

use crate::startup;

const KEY_ID: &str = "shop";

/// Issues tokens, signed with a key that lives as long as the process.
pub struct IdentityProvider {
    issuer: String,
    audience: String,
    signing_key: EncodingKey,
    /// A JWK Set (RFC 7517).
    jwks: Vec<u8>,
}

impl fmt::Debug for IdentityProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IdentityProvider").field("issuer", &self.issuer).finish_non_exhaustive()
    }
}

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    sub: &'a str,
    aud: &'a str,
    iat: i64,
    exp: i64,
    email: String,
    roles: &'a [&'a str],
    permissions: &'a [&'a str],
}

/// Response for an unknown path.
const PATHS: &str = "unknown path; use /token/ACCOUNT?expires_in=SECONDS, /jwks.json or \
                     /.well-known/openid-configuration\n";

struct Account {
    name: &'static str,
    roles: &'static [&'static str],
    permissions: &'static [&'static str],
}

const ACCOUNTS: [Account; 3] = [
    Account { name: "buyer", roles: &["buyer"], permissions: &["orders:create", "orders:read"] },
    Account { name: "viewer", roles: &[], permissions: &["orders:read"] },
    Account { name: "admin", roles: &["admin"], permissions: &["orders:create", "orders:read"] },
];

#[derive(Deserialize)]
struct TokenQuery {
    /// Lifetime of the token in seconds. Zero or less issues a token that has expired.
    #[serde(default = "five_minutes")]
    expires_in: i32,
}

fn five_minutes() -> i32 {
    300
}

impl IdentityProvider {
    /// Creates an identity provider with a new key. `issuer` is the URL it is served under, and
    /// `audience` the `aud` of its tokens.
    pub fn new(issuer: String, audience: String) -> Result<Self, BoxError> {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)?;
        let signing_key = EncodingKey::from_ec_der(pair.to_pkcs8v1()?.as_ref());
        let mut jwk = Jwk::from_encoding_key(&signing_key, Algorithm::ES256)?;
        jwk.common.key_id = Some(KEY_ID.to_owned());
        jwk.common.public_key_use = Some(PublicKeyUse::Signature);
        let jwks = serde_json::to_vec(&JwkSet { keys: vec![jwk] })?;
        Ok(Self { issuer, audience, signing_key, jwks })
    }

    /// Returns the key set that verifies the tokens.
    pub fn jwks(&self) -> &[u8] {
        &self.jwks
    }

    /// Serves discovery, the key set and tokens, until the program is stopped.
    pub async fn serve(self, listener: TcpListener) -> Result<(), BoxError> {
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(configuration))
            .route("/jwks.json", get(jwks))
            .route("/token/{account}", get(token))
            .fallback((StatusCode::NOT_FOUND, PATHS))
            .with_state(Arc::new(self));
        axum::serve(listener, router).with_graceful_shutdown(startup::stopped()).await?;
        Ok(())
    }

    fn token(&self, account: &Account, expires_in: i32) -> Result<String, BoxError> {
        let now = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs())?;
        let claims = Claims {
            iss: &self.issuer,
            sub: account.name,
            aud: &self.audience,
            iat: now,
            exp: now + i64::from(expires_in),
            email: format!("{}@example.com", account.name),
            roles: account.roles,
            permissions: account.permissions,
        };
        let header = Header { kid: Some(KEY_ID.to_owned()), ..Header::new(Algorithm::ES256) };
        Ok(jsonwebtoken::encode(&header, &claims, &self.signing_key)?)
    }
}

async fn configuration(State(provider): State<Arc<IdentityProvider>>) -> Json<Value> {
    let issuer = &provider.issuer;
    Json(json!({
        "issuer": issuer,
        "jwks_uri": format!("{issuer}/jwks.json"),
        "id_token_signing_alg_values_supported": ["ES256"],
        "response_types_supported": ["token"],
        "subject_types_supported": ["public"],
    }))
}

async fn jwks(State(provider): State<Arc<IdentityProvider>>) -> impl IntoResponse {
    ([(CONTENT_TYPE, "application/jwk-set+json")], provider.jwks().to_vec())
}

async fn token(
    State(provider): State<Arc<IdentityProvider>>,
    Path(name): Path<String>,
    Query(query): Query<TokenQuery>,
) -> Result<String, (StatusCode, String)> {
    let Some(account) = ACCOUNTS.iter().find(|account| account.name == name) else {
        let names = ACCOUNTS.map(|account| account.name).join(", ");
        return Err((StatusCode::NOT_FOUND, format!("unknown account; use one of {names}\n")));
    };
    provider.token(account, query.expires_in).map_err(|error| {
        tracing::error!(error, "signing the token failed");
        (StatusCode::INTERNAL_SERVER_ERROR, "signing the token failed\n".to_owned())
    })
}
