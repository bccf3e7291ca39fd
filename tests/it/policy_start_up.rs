//! A policy that cannot be what was meant is refused when it is built, and says what is wrong, and
//! where.

mod code;
mod coverage;
mod declared;
mod hostile;
mod options;
mod sets;

use std::error::Error;
use std::sync::LazyLock;

use tonic_passport::Policy;
use tonic_passport::policy::PolicyError;

use crate::support::descriptors::{compile, proto};

/// The file of the service that most of these tests declare.
const FILE: &str = "shop/v1/order.proto";
const SERVICE: &str = "shop.v1.OrderService";
const METHOD: &str = "/shop.v1.OrderService/GetOrder";

/// The error with its causes, as programs print it.
fn text(error: &dyn Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {}", text(source)),
        None => error.to_string(),
    }
}

/// Why there is no policy for this descriptor set.
fn refusal(set: impl AsRef<[u8]>) -> PolicyError {
    match Policy::builder().descriptor_set(set).build() {
        Ok(policy) => panic!("a policy:\n{}", policy.table()),
        Err(error) => error,
    }
}

/// The protocol buffers of a service with one method, and these statements in both of them.
fn service(of_service: &str, of_method: &str) -> String {
    format!(
        r#"
        syntax = "proto3";
        package shop.v1;
        import "passport/v1/policy.proto";
        service OrderService {{
          {of_service}
          rpc GetOrder(Request) returns (Request) {{ {of_method} }}
        }}
        message Request {{}}
        "#
    )
}

/// The descriptor set of that.
fn set(of_service: &str, of_method: &str) -> Vec<u8> {
    compile(&[(FILE, &service(of_service, of_method))])
}

/// Protocol buffers in bytes, field by field.
mod wire {
    use prost::encoding::encode_varint;

    /// A field that holds text, bytes, or another message.
    pub fn bytes(number: u32, content: impl AsRef<[u8]>) -> Vec<u8> {
        let content = content.as_ref();
        let length = varint(content.len() as u64);
        [varint((u64::from(number) << 3) | 2), length, content.to_vec()].concat()
    }

    /// A field that holds a number.
    pub fn number(number: u32, value: u64) -> Vec<u8> {
        [varint(u64::from(number) << 3), varint(value)].concat()
    }

    fn varint(value: u64) -> Vec<u8> {
        let mut bytes = Vec::new();
        encode_varint(value, &mut bytes);
        bytes
    }
}

/// The descriptor set of what a service with a rule imports.
static IMPORTED: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let name = "passport/v1/policy.proto";
    compile(&[(name, &proto(name))])
});

/// A descriptor set of the same service, as if some other program had written it: with these bytes
/// as the options of the service and of the method, and more of the file.
fn raw(of_service: &[u8], of_method: &[u8], of_file: &[u8]) -> Vec<u8> {
    let method = [wire::bytes(1, "GetOrder"), wire::bytes(4, of_method)].concat();
    let service =
        [wire::bytes(1, "OrderService"), wire::bytes(2, method), wire::bytes(3, of_service)];
    let file = [
        wire::bytes(1, FILE),
        wire::bytes(2, "shop.v1"),
        wire::bytes(3, "passport/v1/policy.proto"),
        wire::bytes(6, service.concat()),
        of_file.to_vec(),
    ];
    [IMPORTED.as_slice(), &wire::bytes(1, file.concat())].concat()
}
