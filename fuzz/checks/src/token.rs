//! The fuzzed verifier, and the key of its issuer.

use std::sync::LazyLock;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use tonic_passport::jwt::{
    Algorithm, ClaimMapping, ClaimPath, Issuer, TokenError, VerificationKey, VerifiedToken,
    Verifier,
};

pub(crate) const ISSUER: &str = "https://id.example.com";
pub(crate) const AUDIENCES: [&str; 2] = ["shop", "shop-admin"];
pub(crate) const KEY_ID: &str = "fuzz";
/// The current time, in seconds.
pub(crate) const NOW: u32 = 1_800_000_000;
pub(crate) const LEEWAY: u32 = 10;
pub(crate) const MAX_LIFETIME: u32 = 3600;

const SECRET: [u8; 32] = *b"a secret that everybody may know";

static VERIFIER: LazyLock<Verifier> = LazyLock::new(|| {
    let key = |secret: [u8; 32]| {
        VerificationKey::from_secret(Algorithm::HS256, secret)
            .expect("the secret is long enough")
            .with_key_id(KEY_ID)
    };
    let ours = Issuer::new(ISSUER, key(SECRET))
        .audience(AUDIENCES[0])
        .audience(AUDIENCES[1])
        .leeway(Duration::from_secs(LEEWAY.into()))
        .max_lifetime(Duration::from_secs(MAX_LIFETIME.into()))
        .claims(
            ClaimMapping::default()
                .roles(["realm_access", "roles"])
                .permissions(ClaimPath::from("scope").space_delimited())
                .attribute("tenant", "tenant_id"),
        );
    // A key of one issuer must not verify tokens of the other.
    let other = Issuer::new("https://other.example.com", key([7; 32])).audience(AUDIENCES[0]);
    Verifier::new([ours, other]).expect("the settings are sound")
});

pub(crate) fn verify(token: &str) -> Result<VerifiedToken, TokenError> {
    VERIFIER.verify_at(token, now())
}

pub(crate) fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(NOW.into())
}

/// The only valid signature of this message.
pub(crate) fn signature(message: &str) -> Vec<u8> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, &SECRET);
    hmac::sign(&key, message.as_bytes()).as_ref().to_vec()
}

pub(crate) fn base64url(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
