//! The code generated from `proto/shop/v1`.

#![allow(clippy::pedantic, dead_code, missing_docs, unreachable_pub, reason = "generated")]

tonic::include_proto!("shop.v1");

/// The compiled protocol buffers, for policies and reflection.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/shop.v1.bin"));
