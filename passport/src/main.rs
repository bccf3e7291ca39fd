//! The program `passport`, the library's command-line tool: `passport policy check FILE`.

use std::error::Error;
use std::fmt::Display;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tabwriter::TabWriter;
use tonic_passport::Policy;
use tonic_passport::policy::{PolicyError, RuleTable};

/// Command-line tool of tonic-passport.
#[derive(Parser)]
#[command(version)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Access rules of gRPC services.
    #[command(subcommand)]
    Policy(PolicyCommand),
}

#[derive(Subcommand)]
enum PolicyCommand {
    /// Prints the rule of each method of a compiled descriptor set, and the source of the rule.
    ///
    /// Fails when a rule is invalid, or a method has none.
    Check {
        /// Descriptor set, as `protoc --include_imports --descriptor_set_out`, `buf build`, protox
        /// or tonic-prost-build write it.
        #[arg(value_parser = file)]
        file: PathBuf,
        /// Checks only these services, each as package.Service.
        #[arg(value_name = "SERVICE")]
        services: Vec<String>,
    },
}

/// Parses the name of a file.
fn file(name: &str) -> Result<PathBuf, &'static str> {
    if name == "-" { Err("standard input cannot be read; pass a file") } else { Ok(name.into()) }
}

fn main() -> ExitCode {
    let done = match Args::try_parse() {
        Ok(Args { command: Command::Policy(PolicyCommand::Check { file, services }) }) => {
            check(&file, &services)
        }
        Err(error) if error.use_stderr() => {
            // A failure to write this has nowhere to be reported.
            let _ = error.print();
            return ExitCode::from(2);
        }
        // Help, or the version.
        Err(asked) => asked.print().and_then(|()| io::stdout().flush()).map_err(Into::into),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "passport: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Prints the rules of a descriptor set, and fails when a method has none.
fn check(file: &Path, services: &[String]) -> Result<(), Box<dyn Error>> {
    let failed = |error: &dyn Display| format!("{}: {error}", file.display());
    let bytes = fs::read(file).map_err(|error| failed(&error))?;
    let builder = || {
        let builder = Policy::builder().descriptor_set(&bytes);
        if services.is_empty() { builder } else { builder.services(services) }
    };
    let table = builder().table().map_err(|error| match error {
        // The library's texts of these two errors refer to code; here, the name is an argument.
        PolicyError::InvalidServiceName { name } => {
            failed(&format_args!("{name:?} is not the full name of a service"))
        }
        PolicyError::UnknownService { service, known, .. } => {
            let known = known.join(", ");
            failed(&format_args!("there is no service {service}; known services: {known}"))
        }
        error => failed(&error),
    })?;
    io::stdout().write_all(text(&table)?.as_bytes())?;
    builder().build().map_err(|error| failed(&error))?;
    Ok(())
}

/// Formats the rules in aligned columns.
fn text(table: &RuleTable) -> Result<String, Box<dyn Error>> {
    let mut lines = TabWriter::new(Vec::new()).minwidth(0).padding(2);
    writeln!(lines, "METHOD\tRULE\tSOURCE\t")?;
    for row in table.entries() {
        let rule = row.rule().map_or_else(|| "none".to_owned(), ToString::to_string);
        let source = row.source().map(ToString::to_string).unwrap_or_default();
        writeln!(lines, "{}\t{rule}\t{source}\t", row.target())?;
    }
    let padded = String::from_utf8(lines.into_inner()?)?;
    let mut text = String::with_capacity(padded.len());
    for line in padded.lines() {
        // The last cell of a line is padded as the others are.
        text.push_str(line.trim_end());
        text.push('\n');
    }
    Ok(text)
}
