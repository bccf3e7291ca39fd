//! Files of a descriptor set.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;

use super::wire::{Message, WireError};
use crate::policy::error::PolicyError;

/// A `google.protobuf.FileDescriptorProto`.
pub(super) struct File<'a> {
    pub(super) name: &'a str,
    package: &'a str,
    pub(super) imports: Vec<&'a str>,
    pub(super) messages: Vec<Message<'a>>,
    pub(super) services: Vec<Message<'a>>,
    pub(super) extensions: Vec<Message<'a>>,
}

/// Reads the files of a set, and checks that their imports are part of it.
pub(super) fn read_files(bytes: &[u8]) -> Result<Vec<File<'_>>, PolicyError> {
    let set = Message::read(bytes).map_err(invalid_set)?;
    let mut by_name = BTreeMap::new();
    let mut files: Vec<File<'_>> = Vec::new();
    for value in set.all(1) {
        let bytes = value.bytes().map_err(invalid_set)?;
        let file = File::read(bytes).map_err(invalid_set)?;
        match by_name.insert(file.name, bytes) {
            None => files.push(file),
            // Concatenated sets are one set, which contains shared files twice.
            Some(known) if known == bytes => {}
            Some(_) => return Err(file.invalid("the file appears twice, with different contents")),
        }
    }
    for file in &files {
        if let Some(import) = file.imports.iter().find(|name| !by_name.contains_key(**name)) {
            return Err(file.invalid(format_args!(
                "imports {import}, which is missing: include imports in the descriptor set"
            )));
        }
    }
    Ok(files)
}

/// Returns the error for a descriptor set as a whole.
pub(super) fn invalid_set(problem: impl Into<Box<dyn Error + Send + Sync>>) -> PolicyError {
    PolicyError::InvalidDescriptorSet { problem: problem.into() }
}

impl<'a> File<'a> {
    fn read(bytes: &'a [u8]) -> Result<Self, WireError> {
        let file = Message::read(bytes)?;
        let messages = |number| {
            let values = file.all(number).iter();
            values.map(|value| Message::read(value.bytes()?)).collect::<Result<Vec<_>, WireError>>()
        };
        // `option_dependency` (15): imports that only options use, since edition 2024.
        let imports = file.all(3).iter().chain(file.all(15));
        Ok(Self {
            name: file.name(1)?,
            package: file.name(2)?,
            imports: imports.map(|value| value.name()).collect::<Result<_, _>>()?,
            messages: messages(4)?,
            services: messages(6)?,
            extensions: messages(7)?,
        })
    }

    /// Returns the full name of a top-level item of the file.
    pub(super) fn full_name(&self, name: &str) -> String {
        if self.package.is_empty() { name.to_owned() } else { format!("{}.{name}", self.package) }
    }

    /// Returns the error for a defect of this file.
    pub(super) fn invalid(&self, problem: impl fmt::Display) -> PolicyError {
        invalid_set(format!("{}: {problem}", self.name))
    }
}
