//! [webgates-tonic](https://docs.rs/webgates-tonic): a layer for tonic 0.14.
//!
//! It accepts tokens of its own kind: the claims are an account of webgates, and the only algorithm
//! that its codec knows is ES384. So it is measured twice: with that codec, and with one for RS256
//! that does the same by the trait that webgates has for other codecs, and costs it less.
//!
//! By default its cryptography is that of the `RustCrypto` crates. Here it is aws-lc-rs, with which
//! it takes a fifth of the time or less. Checks no audience; checks a policy, here that the caller
//! is logged in.

use std::sync::Arc;

use http::Extensions;
use jsonwebtoken_11::{Algorithm, DecodingKey, Validation, decode, decode_header};
use tower::Layer;
use webgates::accounts::Account;
use webgates::codecs::errors::{JwtError, JwtOperation};
use webgates::codecs::jwt::{JsonWebToken, JsonWebTokenOptions, JwtClaims};
use webgates::codecs::{Codec, Error};
use webgates::groups::Group;
use webgates::roles::Role;
use webgates_tonic::context::JwtAuthContext;
use webgates_tonic::gate::Gate;

use super::token;
use super::use_aws_lc;
use crate::job::{Handler, calls};

type Claims = JwtClaims<Account<Role, Group>>;

/// The layer, with the codec that comes with it, and so with tokens signed with ES384.
pub fn webgates_tonic() -> impl FnMut() {
    let options = JsonWebTokenOptions::for_es384_verification_only(token::p384_pem().as_bytes());
    let codec = JsonWebToken::<Claims>::new_with_options(options.expect("a key"));
    layer(codec, &token::webgates_es384())
}

/// The layer, with a codec for RS256.
pub fn webgates_tonic_rs256() -> impl FnMut() {
    let key = DecodingKey::from_rsa_pem(token::rsa_pem().as_bytes()).expect("a key");
    let codec = Rs256 { key, validation: Validation::new(Algorithm::RS256) };
    layer(codec, &token::webgates_rs256())
}

fn layer<C>(codec: C, token: &str) -> impl FnMut() + use<C>
where
    C: Codec<Payload = Claims> + Send + Sync + 'static,
{
    use_aws_lc();
    let gate = Gate::bearer(token::ISSUER, Arc::new(codec)).require_login();
    calls(gate.layer(Handler::new(user)), token)
}

fn user(extensions: &Extensions) -> Option<&str> {
    Some(&extensions.get::<JwtAuthContext<Role, Group>>()?.account().user_id)
}

/// Codec that does the same as [`JsonWebToken`], for another algorithm and a single key.
#[derive(Clone)]
struct Rs256 {
    key: DecodingKey,
    validation: Validation,
}

impl Codec for Rs256 {
    type Payload = Claims;

    fn encode(&self, _: &Claims) -> Result<Vec<u8>, Error> {
        Err(JwtError::processing(JwtOperation::Encode, "this codec only verifies").into())
    }

    #[expect(clippy::disallowed_methods, reason = "it is what webgates calls")]
    fn decode(&self, token: &[u8]) -> Result<Claims, Error> {
        let error = |error| JwtError::processing(JwtOperation::Decode, format!("{error}"));
        let header = decode_header(token).map_err(error)?;
        if header.alg != Algorithm::RS256 || header.typ.as_deref() != Some("JWT") {
            return Err(JwtError::processing(JwtOperation::Validate, "not RS256").into());
        }
        Ok(decode(token, &self.key, &self.validation).map_err(error)?.claims)
    }
}
