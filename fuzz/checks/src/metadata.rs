//! Fuzz target for the decoder of `x-user-*` metadata.

use http::{HeaderMap, HeaderName, HeaderValue};
use tonic_passport::UserContext;
use tonic_passport::metadata::is_reserved;

/// The input is one header field a line: the name, a colon, the value.
pub fn holds(input: &[u8]) {
    let received = fields(input);
    for name in received.keys() {
        assert_eq!(is_reserved(name.as_str()), is_reserved_folded(name.as_str()), "{name}");
    }
    let Ok(found) = UserContext::read_from(&received) else {
        return;
    };
    let Some(context) = found else {
        assert!(!received.keys().any(is_of_a_context), "a context key was ignored");
        return;
    };
    assert_decoded(&context, &received);
    assert_replaces(&context, received);
    assert_survives(&context);
}

fn fields(input: &[u8]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for line in input.split(|byte| *byte == b'\n') {
        let colon = line.iter().position(|byte| *byte == b':').unwrap_or(line.len());
        let (name, value) = line.split_at(colon);
        let value = value.strip_prefix(b":").unwrap_or_default();
        let name = HeaderName::from_bytes(name);
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_bytes(value)) {
            headers.append(name, value);
        }
    }
    headers
}

fn folded(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase()
}

fn is_reserved_folded(name: &str) -> bool {
    let name = folded(name);
    ["xuser", "txntoken", "authorization", "proxyauthorization"]
        .iter()
        .any(|reserved| name.starts_with(reserved))
}

fn is_of_a_context(name: &HeaderName) -> bool {
    folded(name.as_str()).starts_with("xuser")
}

/// Asserts that the context has the decoded value of each field, and nothing else.
fn assert_decoded(context: &UserContext, received: &HeaderMap) {
    let own = received.keys().filter(|name| is_of_a_context(name));
    let mut count = 0;
    for name in own {
        count += 1;
        let values: Vec<&[u8]> = received.get_all(name).iter().map(HeaderValue::as_bytes).collect();
        let [value] = values[..] else { panic!("{name} is repeated") };
        let list = || value.split(|byte| *byte == b',').map(unescaped).collect::<Vec<_>>();
        match name.as_str() {
            "x-user-id" => assert_eq!(unescaped(value), context.id()),
            "x-user-email" => assert_eq!(Some(&*unescaped(value)), context.email()),
            "x-user-roles" => assert!(context.roles().eq(list())),
            "x-user-permissions" => assert!(context.permissions().eq(list())),
            name => {
                let attribute = name.strip_prefix("x-user-").expect("an alias was accepted");
                assert_eq!(Some(&*unescaped(value)), context.attribute(attribute), "{name}");
            }
        }
    }
    let expected = 1
        + usize::from(context.email().is_some())
        + usize::from(context.roles().len() > 0)
        + usize::from(context.permissions().len() > 0)
        + context.attributes().count();
    assert_eq!(expected, count);
}

/// Decodes a value, independently of the decoder under test.
fn unescaped(value: &[u8]) -> String {
    let mut pieces = value.split(|byte| *byte == b'%');
    let mut bytes = pieces.next().unwrap_or_default().to_vec();
    for piece in pieces {
        let (digits, rest) = piece.split_at_checked(2).expect("an escape has two digits");
        let digits = str::from_utf8(digits).expect("an escape is ASCII");
        assert!(!digits.starts_with('+'), "an escape has a sign");
        bytes.push(u8::from_str_radix(digits, 16).expect("an escape has two digits"));
        bytes.extend_from_slice(rest);
    }
    let text = String::from_utf8(bytes).expect("a value is UTF-8");
    assert!(!text.is_empty() && !text.chars().any(char::is_control), "{text:?} was accepted");
    text
}

/// Asserts that writing a context replaces all identity that the headers had.
fn assert_replaces(context: &UserContext, received: HeaderMap) {
    let forged = ["x_user_id", "x.user--roles", "xuseremail", "x-user-id-bin", "x-user-forged"];
    let mut headers = received;
    for name in forged {
        headers.append(name, HeaderValue::from_static("mallory"));
    }
    let others = |headers: &HeaderMap| {
        let others = headers.iter().filter(|(name, _)| !is_of_a_context(name));
        others.map(|(name, value)| (name.clone(), value.clone())).collect::<Vec<_>>()
    };
    let before = others(&headers);
    context.write_to(&mut headers).expect("there is room");
    assert_eq!(others(&headers).len(), before.len(), "an unrelated field was changed");

    let mut alone = HeaderMap::new();
    context.write_to(&mut alone).expect("there is room");
    headers = headers.into_iter().fold(HeaderMap::new(), |mut own, (name, value)| {
        if let Some(name) = name.filter(is_of_a_context) {
            own.append(name, value);
        }
        own
    });
    assert_eq!(headers, alone, "a forged field was not stripped");
}

/// Asserts that a context that is rebuilt from its values, written and read is the same.
fn assert_survives(context: &UserContext) {
    let mut rebuilt = UserContext::builder(context.id())
        .roles(context.roles())
        .permissions(context.permissions());
    if let Some(email) = context.email() {
        rebuilt = rebuilt.email(email);
    }
    for (name, value) in context.attributes() {
        rebuilt = rebuilt.attribute(name, value);
    }
    let rebuilt = rebuilt.build().expect("a context that was read can be built");
    assert_eq!(&rebuilt, context);

    let mut headers = HeaderMap::new();
    rebuilt.write_to(&mut headers).expect("there is room");
    assert_eq!(UserContext::read_from(&headers), Ok(Some(rebuilt)));
}
