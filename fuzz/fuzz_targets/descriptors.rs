#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| tonic_passport_fuzz::descriptors::holds(input));
