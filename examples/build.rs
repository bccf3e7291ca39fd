//! Compiles the shop's protocol buffers, as a service that uses the library does.
//!
//! The compiler is protox, which is written in Rust, so that protoc is not needed.

use std::env;
use std::error::Error;
use std::fs;
use std::path::PathBuf;

const FILES: [&str; 3] = ["shop/v1/inventory.proto", "shop/v1/order.proto", "shop/v1/user.proto"];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    // The folder of passport/v1/policy.proto, which the library's build script passes on. In this
    // repository it holds the shop's protocol buffers too.
    let proto = env::var("DEP_TONIC_PASSPORT_PROTO")?;
    println!("cargo::rerun-if-changed={proto}");

    let mut compiler = protox::Compiler::new([proto])?;
    compiler.include_imports(true).include_source_info(true).open_files(FILES)?;
    tonic_prost_build::compile_fds(compiler.file_descriptor_set())?;
    // For the policies and the reflection service. Not the set that prost would encode: it does not
    // know the options, and leaves them out.
    let out_dir = PathBuf::from(env::var("OUT_DIR")?);
    fs::write(out_dir.join("shop.v1.bin"), compiler.encode_file_descriptor_set())?;
    Ok(())
}
