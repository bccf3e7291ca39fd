//! Keys that an issuer publishes. They are fetched in the background, and lookups never wait.

mod address;
mod backoff;
mod config;
mod fetch;
mod store;

pub use config::RemoteKeys;
pub(super) use store::KeyStore;
