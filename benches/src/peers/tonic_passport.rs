//! This library.

use tonic_passport::jwt::{Issuer, KeySet, Verifier};
use tonic_passport::{CallContext, JwtAuthenticator, ServerLayer};

use super::token;
use crate::job::{self, Handler, USER, calls};

/// Verifies the token, and writes `x-user-id`, `-email`, `-roles` and `-permissions` into metadata.
pub fn verify_and_write() -> impl FnMut() {
    job::verify_and_write(verifier(), token::rs256())
}

/// The same without the cache.
pub fn verify_and_write_uncached() -> impl FnMut() {
    job::verify_and_write(verifier().max_cached_tokens(0), token::rs256())
}

/// The layer. Besides what its peers' do, it strips identity that the client forged and the token,
/// writes the metadata, makes the user the ambient one of the handler's task, and strips the
/// response.
pub fn layer() -> impl FnMut() {
    let handler = Handler::new(|extensions| Some(extensions.get::<CallContext>()?.user()?.id()));
    let service = ServerLayer::new(JwtAuthenticator::new(verifier())).wrap(handler);
    calls(service, &token::rs256())
}

/// No layer: the cost of making the request and the response.
pub fn nothing() -> impl FnMut() {
    calls(Handler::new(|_| Some(USER)), &token::rs256())
}

fn verifier() -> Verifier {
    let keys = KeySet::from_jwks(token::rsa_jwks()).expect("a key set");
    let issuer = Issuer::new(token::ISSUER, keys).audience(token::AUDIENCE);
    Verifier::new([issuer]).expect("a good configuration")
}
