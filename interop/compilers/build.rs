//! Compiles the shop's protocol buffers twice: with protoc, and with protox.

use std::env;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

const FILES: [&str; 3] = ["shop/v1/inventory.proto", "shop/v1/order.proto", "shop/v1/user.proto"];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=proto/shop/v1");
    let out = PathBuf::from(env::var("OUT_DIR")?);
    // Where passport/v1/policy.proto is.
    let passport = env::var("DEP_TONIC_PASSPORT_PROTO")?;
    println!("cargo::rerun-if-changed={passport}/passport/v1");
    let includes = ["proto", &passport];
    protoc(&out.join("protoc"), includes)?;
    protox(&out.join("protox"), includes)
}

fn protoc(out: &Path, includes: [&str; 2]) -> Result<(), Box<dyn Error>> {
    fs::create_dir_all(out)?;
    tonic_prost_build::configure()
        .out_dir(out)
        .file_descriptor_set_path(out.join("shop.bin"))
        .compile_protos(&FILES.map(|file| format!("proto/{file}")), &includes.map(str::to_owned))?;
    Ok(())
}

fn protox(out: &Path, includes: [&str; 2]) -> Result<(), Box<dyn Error>> {
    fs::create_dir_all(out)?;
    let mut compiler = protox::Compiler::new(includes)?;
    compiler.include_imports(true).open_files(FILES)?;
    tonic_prost_build::configure().out_dir(out).compile_fds(compiler.file_descriptor_set())?;
    // Not the one that prost would encode: it does not know the option, and leaves it out.
    fs::write(out.join("shop.bin"), compiler.encode_file_descriptor_set())?;
    Ok(())
}
