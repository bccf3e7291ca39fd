//! Keys that an issuer publishes: fetched in the background, read without waiting.

mod address;
mod backoff;
mod config;
mod fetch;
mod store;

pub use config::RemoteKeys;
pub(super) use store::KeyStore;
