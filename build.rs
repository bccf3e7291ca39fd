//! Passes the folder of the protocol buffers on to the build scripts of dependent packages, as the
//! environment variable `DEP_TONIC_PASSPORT_PROTO`.

use std::env;
use std::error::Error;
use std::path::Path;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    let proto = Path::new(&env::var("CARGO_MANIFEST_DIR")?).join("proto");
    println!("cargo::metadata=proto={}", proto.display());
    Ok(())
}
