//! The peers, each in the configuration that its documentation shows, with what makes it fastest
//! where there is a choice: keys in memory, claims as a type of their own, cryptography by
//! aws-lc-rs where it can be chosen.
//!
//! All of them read the token out of `authorization`, check its signature, `exp` and `iss`, and
//! leave the claims in the request's extensions. None of them caches, none strips anything from the
//! request, none writes metadata.

use jsonwebtoken_11::crypto::aws_lc;
use serde::Deserialize;

mod jwt_authorizer;
mod token;
pub mod tonic_passport;
mod tower_oauth2_resource_server;
mod webgates_tonic;

pub use self::jwt_authorizer::jwt_authorizer;
pub use self::tower_oauth2_resource_server::tower_oauth2_resource_server;
pub use self::webgates_tonic::{webgates_tonic, webgates_tonic_rs256};

/// The user as the peers that leave the choice of a type get to know them.
#[derive(Clone, Debug, Deserialize)]
#[expect(dead_code, reason = "a handler would read them all")]
struct User {
    sub: String,
    email: String,
    roles: Vec<String>,
    permissions: Vec<String>,
}

/// Selects aws-lc-rs for jsonwebtoken 11, because webgates also enables its other backend.
fn use_aws_lc() {
    // An error only means that it was selected before.
    aws_lc::DEFAULT_PROVIDER.install_default().ok();
}
