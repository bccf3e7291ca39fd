//! What holds for every input that somebody else has written.
//!
//! Each module has one function, `holds`, which gives the library an input and panics when the
//! answer is not what a naive second opinion says it must be. The fuzz targets call it with what
//! libFuzzer makes up; the library's own tests include this file, and call it with every file of
//! `corpus/`.
//!
//! ```text
//! RUSTC_BOOTSTRAP=1 cargo fuzz run claims
//! ```
//!
//! The inputs whose names say what they are were written by hand; `found-…` are what fuzzing found
//! beyond them. The keys among them were made for this, and protect nothing.

#![forbid(unsafe_code)]

pub mod claims;
pub mod compact;
pub mod descriptors;
pub mod jwks;
pub mod metadata;
pub mod pem;

mod json;
mod token;

/// A target: the name of its folder in `corpus/`, and what must not panic.
pub type Target = (&'static str, fn(&[u8]));

/// All targets.
pub const TARGETS: [Target; 6] = [
    ("claims", claims::holds),
    ("compact", compact::holds),
    ("descriptors", descriptors::holds),
    ("jwks", jwks::holds),
    ("metadata", metadata::holds),
    ("pem", pem::holds),
];
