//! Reads what a descriptor set says of its services: their methods, and the rules beside them.
//!
//! It reads what policies need, and nothing else: a set is for others to compile, and may hold what
//! this version has never heard of.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::fmt;

use super::error::PolicyError;
use super::option::Options;
use super::origin::{Found, RuleSource};
use super::path::{MethodPath, is_service_name};
use super::wire::{Message, WireError};

/// A service that is described.
#[derive(PartialEq)]
pub(super) struct Service {
    pub(super) name: String,
    /// The one for all methods that have none of their own.
    pub(super) default_rule: Found,
    pub(super) methods: Vec<Method>,
    /// The file that describes it, if that imports the options and has none of them.
    pub(super) without_rules: Option<String>,
}

/// A method of a service that is described.
#[derive(PartialEq)]
pub(super) struct Method {
    pub(super) path: MethodPath,
    pub(super) rule: Found,
}

/// A `google.protobuf.FileDescriptorProto`.
pub(super) struct File<'a> {
    pub(super) name: &'a str,
    package: &'a str,
    pub(super) imports: Vec<&'a str>,
    pub(super) messages: Vec<Message<'a>>,
    services: Vec<Message<'a>>,
    pub(super) extensions: Vec<Message<'a>>,
}

/// The services of a descriptor set.
pub(super) fn services(bytes: &[u8]) -> Result<Vec<Service>, PolicyError> {
    let files = files(bytes)?;
    let options = Options::declared_in(&files)?;
    let mut services = Vec::new();
    for file in &files {
        let read = |service| file.service(service, &options);
        let mut described = file.services.iter().map(read).collect::<Result<Vec<_>, _>>()?;
        if options.are_imported_by(file) && !described.iter().any(Service::has_rules) {
            for service in described.iter_mut().filter(|service| !service.methods.is_empty()) {
                service.without_rules = Some(file.name.to_owned());
            }
        }
        services.append(&mut described);
    }
    if services.is_empty() {
        // No bytes at all are a descriptor set, too.
        return Err(incomplete("it holds no service"));
    }
    Ok(services)
}

/// The files of a set, and all that they import.
fn files(bytes: &[u8]) -> Result<Vec<File<'_>>, PolicyError> {
    let set = Message::read(bytes).map_err(incomplete)?;
    let mut by_name = BTreeMap::new();
    let mut files: Vec<File<'_>> = Vec::new();
    for value in set.all(1) {
        let bytes = value.bytes().map_err(incomplete)?;
        let file = File::read(bytes).map_err(incomplete)?;
        match by_name.insert(file.name, bytes) {
            None => files.push(file),
            // Sets may be joined end to end, and what they share is in both.
            Some(known) if known == bytes => {}
            Some(_) => return Err(file.incomplete("it is there twice, and not the same")),
        }
    }
    for file in &files {
        if let Some(import) = file.imports.iter().find(|name| !by_name.contains_key(**name)) {
            return Err(file.incomplete(format_args!("it imports {import}, which is missing")));
        }
    }
    Ok(files)
}

impl Service {
    fn has_rules(&self) -> bool {
        self.default_rule.is_some() || self.methods.iter().any(|method| method.rule.is_some())
    }
}

impl<'a> File<'a> {
    fn read(bytes: &'a [u8]) -> Result<Self, WireError> {
        let file = Message::read(bytes)?;
        let messages = |number| {
            let values = file.all(number).iter();
            values.map(|value| Message::read(value.bytes()?)).collect::<Result<Vec<_>, WireError>>()
        };
        // In the latest editions, the imports that only options need are apart.
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

    /// Reads a `google.protobuf.ServiceDescriptorProto`.
    fn service(
        &self,
        service: &Message<'_>,
        options: &Options<'_>,
    ) -> Result<Service, PolicyError> {
        let malformed = |error: WireError| self.incomplete(error);
        let name = self.full_name(service.name(1).map_err(malformed)?);
        if !is_service_name(&name) {
            return Err(self.incomplete(format_args!("{name:?} is not the name of a service")));
        }
        let origin = RuleSource::file(self.name);
        let declared = service.joined(3).map_err(malformed)?;
        let default_rule = options.default_rule(&declared, &name, &origin)?;
        let mut paths = BTreeSet::new();
        let mut methods = Vec::new();
        for value in service.all(2) {
            // A google.protobuf.MethodDescriptorProto.
            let method = value.bytes().and_then(Message::read).map_err(malformed)?;
            let path = format!("/{name}/{}", method.name(1).map_err(malformed)?);
            let path: MethodPath = path.parse().map_err(|error| self.incomplete(error))?;
            if !paths.insert(path.clone()) {
                return Err(self.incomplete(format_args!("there are two methods {path}")));
            }
            let declared = method.joined(4).map_err(malformed)?;
            let rule = options.rule(&declared, path.as_str(), &origin)?;
            methods.push(Method { path, rule });
        }
        Ok(Service { name, default_rule, methods, without_rules: None })
    }

    /// The full name of what has this name in the file.
    pub(super) fn full_name(&self, name: &str) -> String {
        if self.package.is_empty() { name.to_owned() } else { format!("{}.{name}", self.package) }
    }

    /// What is wrong with the file.
    pub(super) fn incomplete(&self, problem: impl fmt::Display) -> PolicyError {
        incomplete(format!("{}: {problem}", self.name))
    }
}

fn incomplete(problem: impl Into<Box<dyn Error + Send + Sync>>) -> PolicyError {
    PolicyError::InvalidDescriptorSet { problem: problem.into() }
}
