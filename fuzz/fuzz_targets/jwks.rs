//! Fuzz target: jwks.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz_checks::jwks::holds(input));
