//! Forged identity metadata, in every spelling that a server or proxy might accept.

use http::HeaderMap;

/// The value of every forged field. It identifies them wherever they appear.
pub const VALUE: &str = "mallory";

/// The metadata keys of a `UserContext`.
pub const CONTEXT: [&str; 5] =
    ["x-user-id", "x-user-email", "x-user-roles", "x-user-permissions", "x-user-tenant"];

/// Other identity fields, except `authorization`, which the edge reads.
const OTHERS: [&str; 2] = ["txn-token", "proxy-authorization"];

/// Returns all reserved names: the real ones, their aliases, longer and shorter ones.
pub fn names() -> Vec<String> {
    let own = CONTEXT.iter().chain(&OTHERS).map(ToString::to_string);
    let aliases = CONTEXT.iter().chain(&OTHERS).chain(&["authorization"]);
    let others = ["x-user", "x_user", "xuser", "x-user-", "x-user-id-2", "x-user-session"];
    own.chain(aliases.flat_map(|name| aliases_of(name)))
        .chain(others.map(str::to_owned))
        .chain(["txn-token-2", "authorization-2", "proxy-authorization-2"].map(str::to_owned))
        .collect()
}

/// Returns names that some reader, such as CGI or a message broker, maps to this one.
pub fn aliases_of(name: &str) -> Vec<String> {
    let mut aliases = vec![
        name.replace('-', "_"),
        name.replace('-', "."),
        name.replacen('-', "_", 1),
        name.replacen('-', ".", 1).replace('-', "_"),
        name.replace('-', "--"),
        name.replace('-', ""),
        format!("{name}_"),
        format!("-{name}"),
        format!("{name}-bin"),
    ];
    aliases.retain(|alias| alias != name);
    aliases.sort();
    aliases.dedup();
    aliases
}

/// Returns the genuine fields with every forged name before and after them.
pub fn around<'a>(names: &'a [String], genuine: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let forged = || names.iter().map(|name| (name.as_str(), VALUE));
    forged().chain(genuine.iter().copied()).chain(forged()).collect()
}

/// Asserts that no forged value is among these fields.
#[track_caller]
pub fn assert_none(fields: &HeaderMap, case: &str) {
    let found: Vec<_> =
        fields.iter().filter(|(_, value)| *value == VALUE).map(|(name, _)| name).collect();
    assert!(found.is_empty(), "{case}: {found:?}");
}

/// Asserts that the `x-user` fields are exactly these, each with one value.
#[track_caller]
pub fn assert_context(fields: &HeaderMap, expected: &[(&str, &str)], case: &str) {
    let mut found: Vec<_> = fields
        .iter()
        .filter(|(name, _)| name.as_str().starts_with("x-user"))
        .map(|(name, value)| (name.as_str(), value.to_str().unwrap()))
        .collect();
    found.sort_unstable();
    let mut expected = expected.to_vec();
    expected.sort_unstable();
    assert_eq!(found, expected, "{case}");
}
