//! Fuzz target: compact.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz_checks::compact::holds(input));
