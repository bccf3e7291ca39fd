//! Checks of the claims (RFC 7519, section 4.1; RFC 8725, sections 3.8 and 3.9).

use serde_json::{Value, json};
use tonic_passport::ContextError;
use tonic_passport::jwt::TokenError;
use tonic_passport::testing::TokenBuilder;

use super::{Attack, ISSUED, NOW, alice, attack, invalid, partners, time};
use crate::support::token::ISSUER;

fn missing(claim: &'static str) -> TokenError {
    TokenError::ClaimMissing { claim }
}

/// A token of alice with another value of a claim.
fn with(claim: &str, value: impl Into<Value>) -> String {
    alice().claim(claim, value).sign()
}

fn and_a_half(seconds: u64) -> f64 {
    format!("{seconds}.5").parse().unwrap()
}

pub(super) fn issuer_and_subject() -> Vec<Attack> {
    let mut attacks = Vec::new();
    for claim in ["iss", "sub"] {
        let mut add = |what: &str, token: TokenBuilder, error| {
            attacks.push(attack(format!("{claim}, {what}"), token.sign(), error));
        };
        add("missing", alice().without_claim(claim), missing(claim));
        let capitals = alice().without_claim(claim).claim(claim.to_uppercase(), ISSUER);
        add("under a name in capitals", capitals, missing(claim));
        add("empty", alice().claim(claim, ""), invalid(claim, "empty"));
        let no_text = invalid(claim, "not a string");
        add("null", alice().claim(claim, Value::Null), no_text.clone());
        add("a number", alice().claim(claim, 0), no_text.clone());
        add("true", alice().claim(claim, true), no_text.clone());
        add("an array of ours", alice().claim(claim, json!([ISSUER])), no_text.clone());
        add("an object", alice().claim(claim, json!({ "$ne": "" })), no_text);
    }
    for value in [Value::Null, json!(1), json!(["1"]), json!({})] {
        let error = invalid("jti", "not a string");
        attacks.push(attack(format!("jti {value}"), with("jti", value), error));
    }
    attacks.push(attack("no claim at all", alice().raw_claims("{}").sign(), missing("iss")));
    attacks
}

pub(super) fn audience() -> Vec<Attack> {
    let mismatched = [
        ("another's", json!("billing")),
        ("another's, in an array", json!(["billing", "search"])),
        ("empty", json!("")),
        // CVE-2020-26160: an empty list was accepted.
        ("an empty array", json!([])),
        ("an array of nothing", json!([""])),
        ("ours and more", json!("shop2")),
        ("a part of ours", json!("sho")),
        ("ours in capitals", json!("SHOP")),
        ("ours and a slash", json!("shop/")),
        ("ours and a blank", json!("shop ")),
        ("ours and NUL", json!("shop\0")),
        ("ours in a list in a string", json!("billing shop")),
        ("ours in JSON in a string", json!(r#"["shop"]"#)),
        ("a pattern", json!("*")),
        ("ours with a Cyrillic o", json!("sh\u{43e}p")),
        ("the issuer", json!(ISSUER)),
    ];
    let not_texts = invalid("aud", "not an array of strings");
    let neither = invalid("aud", "neither a string nor an array");
    let mut attacks: Vec<_> = mismatched
        .into_iter()
        .map(|(name, aud)| (name, aud, TokenError::AudienceMismatch))
        .chain([
            ("an array in an array", json!([["shop"]]), not_texts.clone()),
            ("ours and a number", json!(["shop", 1]), not_texts.clone()),
            ("ours and null", json!(["shop", null]), not_texts.clone()),
            ("ours after an object", json!([{}, "shop"]), not_texts),
            ("null", Value::Null, neither.clone()),
            ("true", json!(true), neither.clone()),
            ("a number", json!(0), neither.clone()),
            ("an object of ours", json!({ "shop": true }), neither),
        ])
        .map(|(name, aud, error)| attack(format!("aud, {name}"), with("aud", aud), error))
        .collect();
    attacks.push(attack("aud, missing", alice().without_claim("aud").sign(), missing("aud")));
    let client = alice().without_claim("aud").claim("azp", "shop").claim("client_id", "shop");
    attacks.push(attack("aud, in other claims", client.sign(), missing("aud")));
    attacks
}

pub(super) fn times() -> Vec<Attack> {
    let mut attacks = Vec::new();
    for claim in ["exp", "nbf", "iat"] {
        for (what, value, problem) in [
            ("null", Value::Null, "not a number"),
            ("true", json!(true), "not a number"),
            ("a number in a string", json!((NOW + 60).to_string()), "not a number"),
            ("a date", json!("2099-01-01T00:00:00Z"), "not a number"),
            ("an array", json!([NOW + 60]), "not a number"),
            ("negative", json!(-1), "negative"),
            ("less than all integers", json!(-1e300), "negative"),
            ("in milliseconds", json!(NOW * 1000), "beyond the year 9999"),
            ("10^18", json!(1e18), "beyond the year 9999"),
            ("10^300", json!(1e300), "beyond the year 9999"),
            ("2^64 - 1", json!(u64::MAX), "beyond the year 9999"),
            ("a second after the year 9999", json!(253_402_300_800_u64), "beyond the year 9999"),
        ] {
            let name = format!("{claim}, {what}");
            attacks.push(attack(name, with(claim, value), invalid(claim, problem)));
        }
    }

    // The leeway is 30 seconds.
    let early = TokenError::NotYetValid;
    let ahead = TokenError::IssuedInFuture;
    let too_long = TokenError::LifetimeTooLong;
    let lives = |issued: u64, expires: u64| partners().claim("iat", issued).claim("exp", expires);
    attacks.extend([
        attack("exp, missing", alice().without_claim("exp").sign(), missing("exp")),
        attack("exp, 0", with("exp", 0), TokenError::Expired),
        attack("exp, half a minute ago", with("exp", NOW - 30), TokenError::Expired),
        attack("exp, with a fraction", with("exp", and_a_half(NOW - 30)), TokenError::Expired),
        attack("exp, before iat", lives(NOW, NOW - 60).sign(), TokenError::Expired),
        attack("nbf, ahead", with("nbf", NOW + 31), early.clone()),
        attack("nbf, ahead and with a fraction", with("nbf", and_a_half(NOW + 31)), early.clone()),
        attack(
            "nbf, after exp",
            alice().claim("exp", NOW + 60).claim("nbf", NOW + 90).sign(),
            early,
        ),
        attack("iat, ahead", with("iat", NOW + 31), ahead.clone()),
        attack("iat, a year ahead", alice().issued_at(time(NOW + 31_536_000)).sign(), ahead),
        attack(
            "a lifetime of a second too many",
            lives(ISSUED, ISSUED + 601).sign(),
            too_long.clone(),
        ),
        attack(
            "a lifetime to the year 9999",
            lives(ISSUED, 253_402_300_799).sign(),
            too_long.clone(),
        ),
        attack("a lifetime since 1970", lives(0, NOW + 60).sign(), too_long),
        attack(
            "a lifetime without a beginning",
            partners().without_claim("iat").sign(),
            missing("iat"),
        ),
    ]);
    attacks
}

pub(super) fn about_the_user() -> Vec<Attack> {
    let mut attacks = Vec::new();
    for claim in ["roles", "permissions"] {
        for (what, value) in [
            ("a string", json!("admin")),
            ("a list in a string", json!("buyer,admin")),
            ("a number", json!(1)),
            ("an object", json!({ "admin": true })),
            ("an array in an array", json!([["admin"]])),
            ("with a number", json!(["buyer", 1])),
            ("with null", json!(["buyer", null])),
        ] {
            let error = invalid(claim, "not an array of strings");
            attacks.push(attack(format!("{claim}, {what}"), with(claim, value), error));
        }
    }
    for value in [json!(1), json!(false), json!(["admin@example.com"]), json!({})] {
        let error = invalid("email", "not a string");
        attacks.push(attack(format!("email {value}"), with("email", value), error));
    }
    let empty = |key: &str| ContextError::Empty { key: key.to_owned() }.into();
    let control = |key: &str| ContextError::ControlCharacter { key: key.to_owned() }.into();
    // A value must not inject further metadata.
    let lines = "alice\r\nx-user-roles: admin";
    attacks.extend([
        attack("email, empty", with("email", ""), empty("x-user-email")),
        attack("roles, with an empty one", with("roles", json!([""])), empty("x-user-roles")),
        attack("sub, two lines", with("sub", lines), control("x-user-id")),
        attack("sub, with NUL", with("sub", "admin\0"), control("x-user-id")),
        attack("sub, with a terminal's escape", with("sub", "\u{1b}[2J"), control("x-user-id")),
        attack("email, two lines", with("email", lines), control("x-user-email")),
        attack("roles, with two lines", with("roles", json!([lines])), control("x-user-roles")),
        attack(
            "permissions, with DEL",
            with("permissions", json!(["a\u{7f}"])),
            control("x-user-permissions"),
        ),
        attack(
            "permissions, with NEL",
            with("permissions", json!(["a\u{85}"])),
            control("x-user-permissions"),
        ),
    ]);
    attacks
}
