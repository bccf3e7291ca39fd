//! Says where the protocol buffers are that others import; and under the feature `samples`,
//! compiles those of the samples.
//!
//! The compiler is protox, which is written in Rust: nobody needs protoc.

use std::env;
use std::error::Error;
use std::path::Path;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=proto");
    let proto = Path::new(&env::var("CARGO_MANIFEST_DIR")?).join("proto");
    println!("cargo::metadata=proto={}", proto.display());
    #[cfg(feature = "samples")]
    samples(&proto)?;
    Ok(())
}

#[cfg(feature = "samples")]
fn samples(proto: &Path) -> Result<(), Box<dyn Error>> {
    let out_dir = std::path::PathBuf::from(env::var("OUT_DIR")?);
    let files = ["shop/v1/inventory.proto", "shop/v1/order.proto", "shop/v1/user.proto"];

    let mut compiler = protox::Compiler::new([proto])?;
    compiler.include_imports(true).include_source_info(true).open_files(files)?;
    tonic_prost_build::compile_fds(compiler.file_descriptor_set())?;
    // For the samples' policies, and their reflection service.
    std::fs::write(out_dir.join("shop.v1.bin"), compiler.encode_file_descriptor_set())?;
    Ok(())
}
