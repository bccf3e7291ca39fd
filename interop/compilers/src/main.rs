//! Writes the descriptor sets of a service to a directory, and the rules that the service has by
//! each of them.

use std::error::Error;
use std::path::Path;
use std::{env, fs};

use tonic_passport::Policy;

/// The code that is generated from what a compiler wrote, and the descriptor set.
macro_rules! compiled_by {
    ($compiler:ident) => {
        #[allow(clippy::all, clippy::pedantic, dead_code, missing_docs, unreachable_pub)]
        mod $compiler {
            include!(concat!(env!("OUT_DIR"), "/", stringify!($compiler), "/shop.v1.rs"));

            pub(crate) const DESCRIPTOR_SET: &[u8] =
                include_bytes!(concat!(env!("OUT_DIR"), "/", stringify!($compiler), "/shop.bin"));
        }
    };
}

compiled_by!(protoc);
compiled_by!(protox);

fn main() -> Result<(), Box<dyn Error>> {
    let directory = env::args_os().nth(1).ok_or("usage: compilers DIRECTORY")?;
    let directory = Path::new(&directory);
    for (compiler, set, services) in [
        (
            "protoc",
            protoc::DESCRIPTOR_SET,
            [
                protoc::inventory_service_server::SERVICE_NAME,
                protoc::order_service_server::SERVICE_NAME,
                protoc::user_service_server::SERVICE_NAME,
            ],
        ),
        (
            "protox",
            protox::DESCRIPTOR_SET,
            [
                protox::inventory_service_server::SERVICE_NAME,
                protox::order_service_server::SERVICE_NAME,
                protox::user_service_server::SERVICE_NAME,
            ],
        ),
    ] {
        let policy = Policy::builder().descriptor_set(set).services(services).build()?;
        fs::write(directory.join(format!("tonic-{compiler}.bin")), set)?;
        fs::write(directory.join(format!("tonic-{compiler}.table")), policy.table().to_string())?;
    }
    Ok(())
}
