//! Errors of building a policy.

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

/// File of the service that most of these tests declare.
const FILE: &str = "shop/v1/order.proto";
const SERVICE: &str = "shop.v1.OrderService";
const METHOD: &str = "/shop.v1.OrderService/GetOrder";

/// Formats an error with its chain of sources, as programs print it.
fn text(error: &dyn Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {}", text(source)),
        None => error.to_string(),
    }
}

/// Returns the error of building a policy from this descriptor set.
fn build_error(set: impl AsRef<[u8]>) -> PolicyError {
    match Policy::builder().descriptor_set(set).build() {
        Ok(policy) => panic!("a policy:\n{}", policy.table()),
        Err(error) => error,
    }
}

/// Returns the proto file of a service with one method, with these option statements.
fn service(service_options: &str, method_options: &str) -> String {
    format!(
        r#"
        syntax = "proto3";
        package shop.v1;
        import "passport/v1/policy.proto";
        service OrderService {{
          {service_options}
          rpc GetOrder(Request) returns (Request) {{ {method_options} }}
        }}
        message Request {{}}
        "#
    )
}

/// Compiles such a file to a descriptor set.
fn set(service_options: &str, method_options: &str) -> Vec<u8> {
    compile(&[(FILE, &service(service_options, method_options))])
}

/// Encoder of single protocol buffer fields.
mod wire {
    use prost::encoding::encode_varint;

    /// Encodes a string, bytes, or message field.
    pub fn bytes(number: u32, content: impl AsRef<[u8]>) -> Vec<u8> {
        let content = content.as_ref();
        let length = varint(content.len() as u64);
        [varint((u64::from(number) << 3) | 2), length, content.to_vec()].concat()
    }

    /// Encodes an integer field.
    pub fn number(number: u32, value: u64) -> Vec<u8> {
        [varint(u64::from(number) << 3), varint(value)].concat()
    }

    fn varint(value: u64) -> Vec<u8> {
        let mut bytes = Vec::new();
        encode_varint(value, &mut bytes);
        bytes
    }
}

/// Descriptor set of the files that a service with a rule imports.
static IMPORTED: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let name = "passport/v1/policy.proto";
    compile(&[(name, &proto(name))])
});

/// Encodes a descriptor set of the same service by hand, with these bytes as the options of service
/// and method, and further fields of the file.
fn raw(service_options: &[u8], method_options: &[u8], file_fields: &[u8]) -> Vec<u8> {
    let method = [wire::bytes(1, "GetOrder"), wire::bytes(4, method_options)].concat();
    let service =
        [wire::bytes(1, "OrderService"), wire::bytes(2, method), wire::bytes(3, service_options)];
    let file = [
        wire::bytes(1, FILE),
        wire::bytes(2, "shop.v1"),
        wire::bytes(3, "passport/v1/policy.proto"),
        wire::bytes(6, service.concat()),
        file_fields.to_vec(),
    ];
    [IMPORTED.as_slice(), &wire::bytes(1, file.concat())].concat()
}
