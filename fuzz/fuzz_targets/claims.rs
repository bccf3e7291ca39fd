//! Fuzz target: claims.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz_checks::claims::holds(input));
