//! What there is to do from a command line: `passport policy check FILE`.

use std::env;
use std::fmt::Display;
use std::fs;
use std::io::{self, Write};
use std::process::ExitCode;

use tonic_passport::Policy;
use tonic_passport::policy::PolicyError;

const USAGE: &str = "\
usage: passport policy check FILE [SERVICE...]

Prints the rule of each method of a compiled descriptor set, and where it comes
from. Fails when a rule is wrong, or a method has none.

  FILE     what protoc --include_imports --descriptor_set_out, buf build,
           protox or tonic-prost-build have written
  SERVICE  only these services of it, each as package.Service
";

/// What a shell calls a command that was not understood.
const NOT_UNDERSTOOD: u8 = 2;

fn main() -> ExitCode {
    let args: Vec<String> =
        env::args_os().skip(1).map(|arg| arg.to_string_lossy().into_owned()).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let done = match args[..] {
        _ if args.iter().any(|arg| matches!(*arg, "-h" | "--help")) => print(USAGE),
        ["policy", "check", file, ref services @ ..] if !file.starts_with('-') => {
            check(file, services)
        }
        ["-V" | "--version"] => print(concat!("passport ", env!("CARGO_PKG_VERSION"), "\n")),
        _ => {
            complain(USAGE);
            return ExitCode::from(NOT_UNDERSTOOD);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&format!("passport: {error}\n"));
            ExitCode::FAILURE
        }
    }
}

/// Prints the table of a descriptor set, and demands that each method has a rule.
fn check(file: &str, services: &[&str]) -> Result<(), String> {
    let failed = |error: &dyn Display| format!("{file}: {error}");
    let bytes = fs::read(file).map_err(|error| failed(&error))?;
    let builder = || {
        let builder = Policy::builder().descriptor_set(&bytes);
        if services.is_empty() { builder } else { builder.services(services.iter().copied()) }
    };
    let table = builder().table().map_err(|error| match error {
        // What is no rule in code, but an argument.
        PolicyError::InvalidServiceName { name } => {
            format!("{file}: {name:?} is not the full name of a service")
        }
        PolicyError::UnknownService { service, known, .. } => {
            format!("{file}: there is no service {service}; known services: {}", known.join(", "))
        }
        error => failed(&error),
    })?;
    print(&table.to_string())?;
    builder().build().map(|_| ()).map_err(|error| failed(&error))
}

fn print(text: &str) -> Result<(), String> {
    io::stdout().write_all(text.as_bytes()).map_err(|error| error.to_string())
}

/// There is nobody to complain to when this fails.
fn complain(text: &str) {
    let _ = io::stderr().write_all(text.as_bytes());
}
