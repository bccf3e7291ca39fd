//! Compiles the samples' protocol buffers, under the feature `samples` only.
//!
//! The compiler is protox, which is written in Rust: nobody needs protoc.

#[cfg(feature = "samples")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let out_dir = std::path::PathBuf::from(std::env::var("OUT_DIR")?);
    let files = ["shop/v1/inventory.proto", "shop/v1/order.proto", "shop/v1/user.proto"];
    println!("cargo::rerun-if-changed=proto");

    let mut compiler = protox::Compiler::new(["proto"])?;
    compiler.include_imports(true).include_source_info(true).open_files(files)?;
    tonic_prost_build::compile_fds(compiler.file_descriptor_set())?;
    // For the samples' reflection service.
    std::fs::write(out_dir.join("shop.v1.bin"), compiler.encode_file_descriptor_set())?;
    Ok(())
}

#[cfg(not(feature = "samples"))]
fn main() {
    println!("cargo::rerun-if-changed=build.rs");
}
