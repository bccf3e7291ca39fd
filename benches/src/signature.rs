//! The signature alone, checked by aws-lc-rs with a key that was parsed beforehand.

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256,
    VerificationAlgorithm,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use tonic_passport::jwt::Algorithm;
use tonic_passport::testing::SigningKey;

/// Checks the signatures of these tokens in turns. They are decoded beforehand too.
pub fn verification(key: &SigningKey, tokens: &[String]) -> impl FnMut() + use<> {
    let algorithm: &'static dyn VerificationAlgorithm = match key.algorithm() {
        Algorithm::EdDSA => &ED25519,
        Algorithm::ES256 => &ECDSA_P256_SHA256_FIXED,
        Algorithm::RS256 => &RSA_PKCS1_2048_8192_SHA256,
        other => panic!("{other} is none of those that are measured"),
    };
    let key = ParsedPublicKey::new(algorithm, key.public_key_der()).expect("a good key");
    let signed: Vec<_> = tokens
        .iter()
        .map(|token| {
            let (message, signature) = token.rsplit_once('.').expect("a token has a signature");
            let signature = URL_SAFE_NO_PAD.decode(signature).expect("a good signature");
            (message.as_bytes().to_vec(), signature)
        })
        .collect();
    let mut next = 0;
    move || {
        let (message, signature) = &signed[next];
        key.verify_sig(message, signature).expect("a good signature");
        next = (next + 1) % signed.len();
    }
}
