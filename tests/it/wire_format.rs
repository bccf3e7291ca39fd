//! The `x-user-*` wire format: the shared test vectors, and properties of encoder and decoder.

use std::collections::BTreeMap;
use std::fmt::Write;

use allocation_counter::measure;
use http::{HeaderMap, HeaderName, HeaderValue};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use serde::Deserialize;
use tonic::Code;
use tonic_passport::metadata::is_reserved;
use tonic_passport::{ContextError, ForwardedContext, ServerLayer, UserContext};

use crate::support::probe::{Kind, Probe, call};
use crate::support::reason;

#[derive(Deserialize)]
struct Vectors {
    valid: Vec<Valid>,
    decode_only: Vec<Valid>,
    invalid: Vec<Invalid>,
}

#[derive(Deserialize)]
struct Valid {
    name: String,
    context: Fields,
    metadata: BTreeMap<String, String>,
}

/// A pair of key and value is one field. Each character of a value is one byte.
#[derive(Deserialize)]
struct Invalid {
    name: String,
    metadata: Vec<(String, String)>,
    error: String,
}

#[derive(Clone, Debug, Deserialize, PartialEq)]
struct Fields {
    id: String,
    email: Option<String>,
    roles: Vec<String>,
    permissions: Vec<String>,
    attributes: BTreeMap<String, String>,
}

impl Fields {
    fn build(&self) -> Result<UserContext, ContextError> {
        let mut context = UserContext::builder(&self.id)
            .roles(&self.roles)
            .permissions(&self.permissions)
            .max_size(usize::MAX);
        if let Some(email) = &self.email {
            context = context.email(email);
        }
        let attributes = self.attributes.iter();
        attributes.fold(context, |context, (name, value)| context.attribute(name, value)).build()
    }

    fn texts(&self) -> impl Iterator<Item = &String> {
        let lists = self.roles.iter().chain(&self.permissions);
        [&self.id].into_iter().chain(&self.email).chain(lists).chain(self.attributes.values())
    }
}

impl From<&UserContext> for Fields {
    fn from(user: &UserContext) -> Self {
        Self {
            id: user.id().to_owned(),
            email: user.email().map(str::to_owned),
            roles: user.roles().map(str::to_owned).collect(),
            permissions: user.permissions().map(str::to_owned).collect(),
            attributes: user
                .attributes()
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
        }
    }
}

fn vectors() -> Vectors {
    serde_json::from_str(include_str!("../wire/vectors.json")).unwrap()
}

fn headers<'a>(fields: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in fields {
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        headers.append(name, HeaderValue::from_bytes(value).unwrap());
    }
    headers
}

fn written(user: &UserContext) -> HeaderMap {
    let mut headers = HeaderMap::new();
    user.write_to(&mut headers).unwrap();
    headers
}

fn variant(error: &ContextError) -> String {
    let debug = format!("{error:?}");
    debug.split([' ', '{']).next().unwrap().to_owned()
}

fn latin_1(text: &str) -> Vec<u8> {
    text.chars().map(|byte| u8::try_from(u32::from(byte)).unwrap()).collect()
}

#[test]
fn every_valid_vector_is_written_and_read() {
    for Valid { name, context, metadata } in vectors().valid {
        let user = context.build().expect(&name);
        let expected = headers(metadata.iter().map(|(key, value)| (&**key, value.as_bytes())));
        assert_eq!(written(&user), expected, "{name}");
        assert_eq!(UserContext::read_from(&expected), Ok(Some(user)), "{name}");
    }
}

#[test]
fn every_decode_only_vector_is_read() {
    for Valid { name, context, metadata } in vectors().decode_only {
        let user = context.build().expect(&name);
        let received = headers(metadata.iter().map(|(key, value)| (&**key, value.as_bytes())));
        assert_ne!(written(&user), received, "{name}: belongs to the valid vectors");
        assert_eq!(UserContext::read_from(&received), Ok(Some(user)), "{name}");
    }
}

#[test]
fn every_invalid_vector_is_refused_for_its_reason() {
    for Invalid { name, metadata, error } in vectors().invalid {
        let fields: Vec<_> = metadata.iter().map(|(key, value)| (&**key, latin_1(value))).collect();
        let received = headers(fields.iter().map(|(key, value)| (*key, &**value)));
        let refused = UserContext::read_from(&received).expect_err(&name);
        assert_eq!(variant(&refused), error, "{name}");
    }
}

#[tokio::test]
async fn the_vectors_hold_over_a_real_connection() {
    let probe = Probe::default();
    let layer = ServerLayer::new(ForwardedContext::trust_private_network());
    let server = probe.serve_with(layer).await;
    let channel = server.connect().await;
    let Vectors { valid, decode_only, invalid } = vectors();

    for Valid { name, context, metadata } in valid.into_iter().chain(decode_only) {
        let fields: Vec<_> = metadata.iter().map(|(key, value)| (&**key, &**value)).collect();
        let id = call(Kind::Unary, channel.clone(), &fields).await.expect(&name);
        assert_eq!(id, context.id, "{name}");
        let seen = probe.take_one();
        assert_eq!(seen.user.as_ref().map(Fields::from), Some(context), "{name}");
    }
    for Invalid { name, metadata, error } in invalid {
        // This client cannot send values outside of ASCII; the test above covers them.
        if !metadata.iter().all(|(_, value)| value.is_ascii()) {
            continue;
        }
        let fields: Vec<_> = metadata.iter().map(|(key, value)| (&**key, &**value)).collect();
        let status = call(Kind::Unary, channel.clone(), &fields).await.expect_err(&name);
        let (code, expected) = match error.as_str() {
            "TooLarge" => (Code::ResourceExhausted, "CONTEXT_TOO_LARGE"),
            _ => (Code::Unauthenticated, "CONTEXT_INVALID"),
        };
        assert_eq!((status.code(), reason(&status).as_str()), (code, expected), "{name}");
        assert_eq!(probe.calls(), 0, "{name}");
    }
}

#[test]
fn headers_without_context_keys_have_no_context() {
    assert_eq!(UserContext::read_from(&HeaderMap::new()), Ok(None));
    let others = headers([("x-request-id", &b"7"[..]), ("user-agent", b"x"), ("x-us", b"y")]);
    assert_eq!(UserContext::read_from(&others), Ok(None));
}

/// The encoded form of a text by the letter of the specification.
fn specified(text: &str, is_item: bool) -> String {
    let last = text.len() - 1;
    let mut encoded = String::new();
    for (index, byte) in text.bytes().enumerate() {
        let is_outer_space = byte == b' ' && (index == 0 || index == last);
        let is_separator = is_item && byte == b',';
        if matches!(byte, 0x20..=0x7e) && byte != b'%' && !is_outer_space && !is_separator {
            encoded.push(char::from(byte));
        } else {
            write!(encoded, "%{byte:02X}").unwrap();
        }
    }
    encoded
}

#[test]
fn every_character_is_encoded_as_specified_at_every_position() {
    let ascii = (' '..='~').map(String::from);
    for text in ascii.chain(["é", "€", "🧪", "\u{a0}", "  ", "   ", "% "].map(str::to_owned)) {
        for text in [format!("a{text}b"), format!("{text}b"), format!("a{text}"), text] {
            let user = UserContext::builder(&text).roles([&*text, "r"]).build().unwrap();
            let headers = written(&user);
            assert_eq!(headers["x-user-id"], specified(&text, false), "{text:?}");
            assert_eq!(headers["x-user-roles"], specified(&text, true) + ",r", "{text:?}");
        }
    }
}

#[test]
fn building_a_context_with_a_control_character_fails() {
    for control in ['\0', '\t', '\n', '\r', '\u{1b}', '\u{7f}', '\u{80}', '\u{9f}'] {
        let text = format!("a{control}b");
        let user = || UserContext::builder("u");
        for (key, context) in [
            ("x-user-id", UserContext::builder(&text)),
            ("x-user-email", user().email(&text)),
            ("x-user-roles", user().roles([&text])),
            ("x-user-permissions", user().permissions(["a", &text])),
            ("x-user-tenant", user().attribute("tenant", &text)),
        ] {
            let expected = ContextError::ControlCharacter { key: key.to_owned() };
            assert_eq!(context.build(), Err(expected), "{key}, {control:?}");
        }
    }
}

#[test]
fn building_a_context_with_an_empty_value_fails() {
    let user = || UserContext::builder("u");
    for (key, context) in [
        ("x-user-id", UserContext::builder("")),
        ("x-user-email", user().email("")),
        ("x-user-roles", user().roles([""])),
        ("x-user-permissions", user().permissions(["a", ""])),
        ("x-user-tenant", user().attribute("tenant", "")),
    ] {
        assert_eq!(context.build(), Err(ContextError::Empty { key: key.to_owned() }), "{key}");
    }
}

#[test]
fn an_attribute_name_must_be_valid_and_no_alias_of_another_key() {
    let build = |name: &str| UserContext::builder("u").attribute(name, "v").build();
    for name in ["tenant", "session-id", "2fa", "a-1-b", "tenantid", "idp", "bin-day", "roles2"] {
        let user = build(name).expect(name);
        assert_eq!(user.attribute(name), Some("v"), "{name}");
        assert_eq!(written(&user)[format!("x-user-{name}")], "v", "{name}");
    }
    for name in [
        "",
        "-",
        "Tenant",
        "tenant_id",
        "tenant.id",
        "tenant-",
        "-tenant",
        "a--b",
        "a b",
        "a,b",
        "a:b",
        "é",
        "bin",
        "tenant-bin",
        "id",
        "email",
        "roles",
        "permissions",
        "i-d",
        "ro-les",
        "e-mail",
        "per-missions",
        "\n",
    ] {
        let expected = ContextError::AttributeName { name: name.to_owned() };
        assert_eq!(build(name), Err(expected), "{name:?}");
    }

    let twins = UserContext::builder("u").attribute("tenant-id", "a").attribute("tenantid", "b");
    let expected = ContextError::Aliased { key: "x-user-tenantid".to_owned() };
    assert_eq!(twins.build(), Err(expected));
}

#[test]
fn a_context_may_have_its_maximum_size_and_not_a_byte_more() {
    // As gRPC counts: name, value, and 32 for each key.
    let id = "x-user-id".len() + 1 + 32;
    let roles = "x-user-roles".len() + "a,%20b".len() + 32;
    let size = id + roles;
    let context = || UserContext::builder("u").roles(["a", " b"]);
    assert!(context().max_size(size).build().is_ok());
    let expected = ContextError::TooLarge { size, max_size: size - 1 };
    assert_eq!(context().max_size(size - 1).build(), Err(expected));

    let default = UserContext::DEFAULT_MAX_SIZE;
    let largest = "u".repeat(default - "x-user-id".len() - 32);
    let user = UserContext::builder(&largest).build().unwrap();
    assert_eq!(UserContext::read_from(&written(&user)), Ok(Some(user)));
    let expected = ContextError::TooLarge { size: default + 1, max_size: default };
    assert_eq!(UserContext::builder(largest.clone() + "u").build(), Err(expected.clone()));
    let larger = headers([("x-user-id", (largest + "u").as_bytes())]);
    assert_eq!(UserContext::read_from(&larger), Err(expected));
}

#[test]
fn building_a_far_too_large_context_fails() {
    let many = (0..10_000).map(|number| format!("role-{number}"));
    for (case, context) in [
        ("64 KiB", UserContext::builder("u").attribute("note", "x".repeat(64 * 1024))),
        ("10,000 roles", UserContext::builder("u").roles(many)),
        ("escapes count", UserContext::builder("é".repeat(1000))),
    ] {
        let refused = context.build().unwrap_err();
        assert_eq!(variant(&refused), "TooLarge", "{case}");
    }
}

#[test]
fn writing_a_context_removes_all_spellings_of_its_keys() {
    let user = UserContext::builder("alice").build().unwrap();
    for name in [
        "x-user-id",
        "x-user-roles",
        "x-user-tenant",
        "x_user_id",
        "x.user.id",
        "xuserid",
        "x-user--roles",
        "x-user-id-bin",
        "x-user",
        "x-user-",
        "-x-user-id",
        "x-us-er-id",
        "x-userx",
    ] {
        let mut headers = headers([(name, &b"admin"[..]), (name, b"root"), ("x-request-id", b"7")]);
        user.write_to(&mut headers).unwrap();
        let mut expected = written(&user);
        expected.insert("x-request-id", HeaderValue::from_static("7"));
        assert_eq!(headers, expected, "{name}");
    }
}

#[test]
fn writing_to_full_headers_fails_and_leaves_no_part_of_the_context() {
    let mut headers = HeaderMap::new();
    for number in 0.. {
        let name = HeaderName::from_bytes(format!("n-{number}").as_bytes()).unwrap();
        if headers.try_insert(name, HeaderValue::from_static("")).is_err() {
            break;
        }
    }
    let full = headers.clone();
    let user = UserContext::builder("alice").roles(["buyer"]).build().unwrap();
    assert_eq!(user.write_to(&mut headers), Err(ContextError::HeadersFull));
    assert_eq!(headers, full);

    headers.remove("n-0");
    assert_eq!(user.write_to(&mut headers), Err(ContextError::HeadersFull));
    assert!(!headers.contains_key("x-user-id"), "a part of the context was written");
    headers.remove("n-1");
    assert_eq!(user.write_to(&mut headers), Ok(()));
}

#[test]
fn reading_a_context_of_the_usual_keys_allocates_once() {
    let fields = [
        ("x-user-id", "user-42"),
        ("x-user-email", "alice@example.com"),
        ("x-user-roles", "buyer"),
        ("x-user-permissions", "orders:create,orders:read"),
    ];
    let mut received = HeaderMap::new();
    for (name, value) in fields {
        received.insert(name, HeaderValue::from_static(value));
    }
    let mut read = None;
    let allocated = measure(|| read = UserContext::read_from(&received).unwrap());
    assert_eq!(allocated.count_total, 1);
    assert!(read.unwrap().has_permission("orders:read"));
}

#[test]
fn an_item_is_found_at_every_position_of_a_list() {
    for length in [1, 7, 8, 9, 50] {
        let name = |number: usize| format!("warehouse:inventory:item-{number:02}:read");
        let own: Vec<String> = (0..length).map(name).collect();
        let plain = UserContext::builder("u").roles(&own).permissions(&own);
        let escaped = own.iter().map(|item| item.replace(':', ","));
        let escaped = UserContext::builder("u").permissions(escaped).build().unwrap();
        for user in [plain.build().unwrap(), escaped] {
            let read = UserContext::read_from(&written(&user)).unwrap().unwrap();
            assert_eq!(read.permissions().len(), length);
            for user in [user, read] {
                for item in user.permissions() {
                    assert!(user.has_permission(item), "{item}");
                    assert_eq!(user.has_role(item), user.roles().len() > 0, "{item}");
                    for other in [&item[1..], &item[..item.len() - 1], &item.replace('m', "n")] {
                        assert!(!user.has_permission(other), "{other}");
                    }
                }
                for other in
                    ["", "u", ":", &name(length), &(own.join(",") + ","), "m:read,warehouse"]
                {
                    assert!(!user.has_permission(other), "{other}");
                }
            }
        }
    }
}

#[test]
fn debug_shows_neither_the_email_nor_attribute_values() {
    let builder = UserContext::builder("alice").email("a@example.com").attribute("pin", "secret-1");
    for debug in [format!("{builder:?}"), format!("{:?}", builder.clone().build().unwrap())] {
        assert!(debug.contains("alice") && debug.contains("pin"), "{debug}");
        assert!(!debug.contains("example.com") && !debug.contains("secret-1"), "{debug}");
    }
}

#[test]
fn a_name_is_reserved_whatever_separates_its_letters() {
    for name in ["x user id", "x:user:id", "x/user/id", "x-user-id ", "x-user-id\0", "(x-user-id)"]
    {
        assert!(is_reserved(name), "{name:?}");
    }
    assert!(is_reserved(&format!("x-user-{}", "a".repeat(70_000))));
    for name in ["", "-", "x-use", "x-us\u{e9}r-id", "xx-user-id", "authorisation"] {
        assert!(!is_reserved(name), "{name:?}");
    }
}

/// Any text, in which characters with a special meaning in the format are frequent.
fn text() -> impl Strategy<Value = String> {
    let special = prop::sample::select(vec![
        ' ', ',', '%', '%', '2', 'C', '0', 'a', 'é', '\u{301}', '\u{200d}', '\u{202e}', '🧪',
    ]);
    prop_oneof![
        4 => vec(special, 1..6).prop_map(String::from_iter),
        2 => "\\PC{1,12}",
        1 => any::<String>(),
    ]
}

fn fields() -> impl Strategy<Value = Fields> {
    let email = prop::option::of(text());
    let attributes = btree_map("[a-z][a-z0-9]{0,4}x", text(), 0..3);
    (text(), email, vec(text(), 0..4), vec(text(), 0..4), attributes).prop_map(
        |(id, email, roles, permissions, attributes)| Fields {
            id,
            email,
            roles,
            permissions,
            attributes,
        },
    )
}

/// A similar context, whose roles are joined into one or split at commas.
fn neighbour(fields: &Fields) -> Fields {
    let mut other = fields.clone();
    other.roles = if other.roles.len() > 1 {
        vec![other.roles.join(",")]
    } else {
        other.roles.iter().flat_map(|role| role.split(',')).map(str::to_owned).collect()
    };
    other
}

/// Bytes of a received value: mostly well-formed.
fn raw_value() -> impl Strategy<Value = Vec<u8>> {
    let pieces: [&[u8]; 16] = [
        b"a",
        b"admin",
        b"b",
        b"1",
        b"-",
        b"x y",
        b"%41",
        b"%2C",
        b"%2c",
        b"%25",
        b"%C3%AB",
        b",",
        b"%",
        b" ",
        b"%C3",
        b"\xc3\xab",
    ];
    vec(prop::sample::select(pieces.to_vec()), 1..5).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_written_context_is_read_back(fields in fields()) {
        let bad = |text: &String| text.is_empty() || text.chars().any(char::is_control);
        let built = fields.build();
        prop_assert_eq!(built.is_err(), fields.texts().any(bad));
        if let Ok(user) = built {
            match UserContext::read_from(&written(&user)) {
                Ok(read) => prop_assert_eq!(read.as_ref().map(Fields::from), Some(fields)),
                Err(error) => prop_assert_eq!(variant(&error), "TooLarge"),
            }
        }
    }

    #[test]
    fn different_contexts_are_never_written_alike(one in fields(), other in fields()) {
        for other in [other, neighbour(&one)] {
            if let (Ok(first), Ok(second)) = (one.build(), other.build()) {
                prop_assert_eq!(written(&first) == written(&second), one == other);
            }
        }
    }

    #[test]
    fn values_are_printable_ascii_without_outer_spaces(fields in fields()) {
        if let Ok(user) = fields.build() {
            for value in written(&user).values() {
                let bytes = value.as_bytes();
                prop_assert!(bytes.iter().all(|byte| (0x20..=0x7e).contains(byte)));
                prop_assert_ne!(bytes.first(), Some(&b' '));
                prop_assert_ne!(bytes.last(), Some(&b' '));
            }
        }
    }

    #[test]
    fn plain_items_are_joined_by_commas(roles in vec("[!-$&-+.-~]{1,8}", 1..6)) {
        let user = UserContext::builder("u").roles(&roles).build().unwrap();
        let headers = written(&user);
        prop_assert_eq!(&headers["x-user-roles"], &roles.join(","));
    }

    #[test]
    fn writing_and_reading_a_context_again_does_not_change_it(values in vec(raw_value(), 4)) {
        let keys = ["x-user-id", "x-user-roles", "x-user-permissions", "x-user-tenant"];
        let received = headers(keys.into_iter().zip(values.iter().map(Vec::as_slice)));
        if let Ok(Some(user)) = UserContext::read_from(&received) {
            let rebuilt = Fields::from(&user).build().unwrap();
            prop_assert_eq!(UserContext::read_from(&written(&rebuilt)), Ok(Some(user)));
        }
    }

    #[test]
    fn every_spelling_of_a_reserved_name_is_canonical_or_refused(
        separators in vec("[-_.]{0,2}", 5), tail in "(id|roles|email|permissions|tenant)"
    ) {
        let [before, first, second, within, after] = separators.try_into().unwrap();
        let (head, rest) = tail.split_at(1);
        let name = format!("{before}x{first}user{second}{head}{within}{rest}{after}");
        prop_assert!(is_reserved(&name));

        let received = headers([("x-user-email", &b"a@example.com"[..]), (name.as_str(), b"x")]);
        let read = UserContext::read_from(&received);
        match name.as_str() {
            "x-user-id" => prop_assert!(read.is_ok()),
            _ => prop_assert!(read.is_err(), "{name} was read"),
        }
        let user = UserContext::builder("alice").build().unwrap();
        let mut headers = received;
        user.write_to(&mut headers).unwrap();
        prop_assert_eq!(headers, written(&user));
    }
}
