//! Fetching of a key set over HTTP, by discovery or from its URL.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Client, StatusCode, Url};
use tokio::time::timeout;

use super::address::{PublicResolver, is_public};
use super::config::RemoteKeys;
use crate::jwt::algorithm::Algorithm;
use crate::jwt::error::{KeyError, excerpt};
use crate::jwt::json::{Json, Object};
use crate::jwt::key_set::KeySet;
use crate::util::describe;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// The timeout of a whole fetch, discovery included.
const TIMEOUT: Duration = Duration::from_secs(5);
/// The maximum size of a response body in bytes.
const MAX_BODY_SIZE: usize = 64 * 1024;

/// Client for the key set of one issuer.
pub(super) struct Fetcher {
    client: Client,
    issuer: String,
    source: Source,
    algorithm: Option<Algorithm>,
    allowed: Arc<[String]>,
}

enum Source {
    /// The URL of the discovery document.
    Discovery(Url),
    /// The URL of the key set.
    Jwks(Url),
}

/// Reason why a fetch failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum FetchError {
    #[error("{url}: not a public address (RemoteKeys::allow_host allows a host)")]
    Address { url: Url },
    #[error("the discovery document names the issuer {issuer:?}")]
    ForeignIssuer { issuer: String },
    #[error("request failed")]
    Http(#[from] reqwest::Error),
    #[error("the key set is unusable")]
    Keys(#[from] KeyError),
    #[error("the discovery document is malformed: {0}")]
    Malformed(&'static str),
    #[error("{url}: not https (RemoteKeys::allow_host allows a host)")]
    Scheme { url: Url },
    #[error("{url}: the response status is {status}")]
    Status { url: Url, status: StatusCode },
    #[error("timed out after {} seconds", TIMEOUT.as_secs())]
    Timeout,
    #[error("{url}: the response is longer than {MAX_BODY_SIZE} bytes")]
    TooLarge { url: Url },
}

impl Fetcher {
    /// Checks the URL, and creates the HTTP client.
    pub(super) fn new(issuer: &str, keys: &RemoteKeys) -> Result<Self, String> {
        let allowed: Arc<[String]> = keys.allowed_hosts.as_slice().into();
        let parse = |url: &str| Url::parse(url).map_err(|error| format!("{url:?}: {error}"));
        let source = if let Some(url) = &keys.jwks_uri {
            Source::Jwks(parse(url)?)
        } else {
            let issuer = issuer.strip_suffix('/').unwrap_or(issuer);
            Source::Discovery(parse(&format!("{issuer}/.well-known/openid-configuration"))?)
        };
        let (Source::Discovery(url) | Source::Jwks(url)) = &source;
        check(url, &allowed).map_err(|error| error.to_string())?;
        let client = client(url, &allowed).map_err(|error| describe(&error))?;
        Ok(Self { client, issuer: issuer.to_owned(), source, algorithm: keys.algorithm, allowed })
    }

    /// Fetches the set, after discovery if configured.
    pub(super) async fn fetch(&self) -> Result<KeySet, FetchError> {
        timeout(TIMEOUT, self.fetch_set()).await.unwrap_or(Err(FetchError::Timeout))
    }

    async fn fetch_set(&self) -> Result<KeySet, FetchError> {
        let discovered;
        let url = match &self.source {
            Source::Jwks(url) => url,
            Source::Discovery(url) => {
                discovered = self.discover(url).await?;
                &discovered
            }
        };
        Ok(KeySet::parse_remote(&self.get(url).await?, self.algorithm)?)
    }

    async fn discover(&self, url: &Url) -> Result<Url, FetchError> {
        let document = self.get(url).await?;
        let document = Object::parse(&document)
            .map_err(|_| FetchError::Malformed("not a JSON object without duplicate names"))?;
        let text = |name| document.get(name).and_then(Json::as_str);
        let issuer = text("issuer").ok_or(FetchError::Malformed("issuer is missing"))?;
        if issuer != self.issuer {
            return Err(FetchError::ForeignIssuer { issuer: excerpt(issuer) });
        }
        let url = text("jwks_uri").ok_or(FetchError::Malformed("jwks_uri is missing"))?;
        Url::parse(url).map_err(|_| FetchError::Malformed("jwks_uri is not a URL"))
    }

    async fn get(&self, url: &Url) -> Result<Vec<u8>, FetchError> {
        check(url, &self.allowed)?;
        let mut response = self.client.get(url.clone()).send().await?;
        if response.status() != StatusCode::OK {
            return Err(FetchError::Status { url: url.clone(), status: response.status() });
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await? {
            if body.len() + chunk.len() > MAX_BODY_SIZE {
                return Err(FetchError::TooLarge { url: url.clone() });
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }
}

/// Checks the scheme, and the host if it is an address. [`PublicResolver`] checks names.
fn check(url: &Url, allowed: &[String]) -> Result<(), FetchError> {
    let host = url.host_str().unwrap_or_default();
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let allowed = allowed.iter().any(|allowed| allowed.eq_ignore_ascii_case(host));
    match (url.scheme(), host.parse::<IpAddr>()) {
        ("http" | "https", _) if allowed => Ok(()),
        ("https", Ok(address)) if !is_public(address) => {
            Err(FetchError::Address { url: url.clone() })
        }
        ("https", _) => Ok(()),
        _ => Err(FetchError::Scheme { url: url.clone() }),
    }
}

fn client(url: &Url, allowed: &Arc<[String]>) -> Result<Client, reqwest::Error> {
    let builder = || {
        Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .redirect(Policy::none())
            .no_proxy()
            .dns_resolver(PublicResolver { allowed: Arc::clone(allowed) })
            .user_agent(concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION")))
    };
    match builder().build() {
        // On a system without root certificates the builder fails. Plain http needs none.
        Err(_) if url.scheme() == "http" => builder().tls_certs_only([]).build(),
        built => built,
    }
}
