//! Properties that hold for every input of the library that comes from outside.
//!
//! Each module has one function, `holds`, which gives the library an input, and panics when the
//! result differs from that of a naive second implementation. The fuzz targets call it with inputs
//! that libFuzzer generates; the library's tests call it with every file of `../corpus`.
//!
//! ```text
//! RUSTC_BOOTSTRAP=1 cargo fuzz run claims
//! ```
//!
//! Inputs with a descriptive name were written by hand; `found-…` are those that fuzzing found
//! beyond them. The keys among them were made for this, and protect nothing.

#![allow(
    clippy::expect_used,
    clippy::missing_panics_doc,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a property that does not hold is a panic"
)]

pub mod claims;
pub mod compact;
pub mod descriptors;
pub mod jwks;
pub mod metadata;
pub mod pem;

mod json;
mod token;

/// A fuzz target: the name of its folder in `corpus`, and the function that must not panic.
pub type Target = (&'static str, fn(&[u8]));

/// All fuzz targets.
pub const TARGETS: [Target; 6] = [
    ("claims", claims::holds),
    ("compact", compact::holds),
    ("descriptors", descriptors::holds),
    ("jwks", jwks::holds),
    ("metadata", metadata::holds),
    ("pem", pem::holds),
];
