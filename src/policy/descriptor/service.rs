//! Services of a descriptor set, with their methods and declared rules.

use std::collections::BTreeSet;

use super::file::{File, invalid_set, read_files};
use super::options::PolicyOptions;
use super::wire::{Message, WireError};
use crate::policy::error::PolicyError;
use crate::policy::path::{MethodPath, is_service_name};
use crate::policy::rule::SourcedRule;
use crate::policy::source::RuleSource;

/// Service of a descriptor set.
#[derive(PartialEq)]
pub(in crate::policy) struct Service {
    pub(in crate::policy) name: String,
    /// The rule for methods that declare none.
    pub(in crate::policy) default_rule: Option<SourcedRule>,
    pub(in crate::policy) methods: Vec<Method>,
    /// Name of the service's file, if it imports the options but sets none of them.
    pub(in crate::policy) file_without_rules: Option<String>,
}

/// Method of a service.
#[derive(PartialEq)]
pub(in crate::policy) struct Method {
    pub(in crate::policy) path: MethodPath,
    pub(in crate::policy) rule: Option<SourcedRule>,
}

/// Reads the services of an encoded `google.protobuf.FileDescriptorSet`.
pub(in crate::policy) fn read_services(bytes: &[u8]) -> Result<Vec<Service>, PolicyError> {
    let files = read_files(bytes)?;
    let options = PolicyOptions::declared_in(&files)?;
    let mut services = Vec::new();
    for file in &files {
        let read = |service| Service::read(service, file, &options);
        let mut declared = file.services.iter().map(read).collect::<Result<Vec<_>, _>>()?;
        if options.are_imported_by(file) && !declared.iter().any(Service::has_rules) {
            for service in declared.iter_mut().filter(|service| !service.methods.is_empty()) {
                service.file_without_rules = Some(file.name.to_owned());
            }
        }
        services.append(&mut declared);
    }
    if services.is_empty() {
        // An empty input is a valid set, but never the intended one.
        return Err(invalid_set("it contains no service"));
    }
    Ok(services)
}

impl Service {
    fn has_rules(&self) -> bool {
        self.default_rule.is_some() || self.methods.iter().any(|method| method.rule.is_some())
    }

    /// Reads a `google.protobuf.ServiceDescriptorProto`.
    fn read(
        service: &Message<'_>,
        file: &File<'_>,
        options: &PolicyOptions<'_>,
    ) -> Result<Self, PolicyError> {
        let malformed = |error: WireError| file.invalid(error);
        let name = file.full_name(service.name(1).map_err(malformed)?);
        if !is_service_name(&name) {
            return Err(file.invalid(format_args!("{name:?} is not the name of a service")));
        }
        let source = RuleSource::file(file.name);
        let service_options = service.joined(3).map_err(malformed)?;
        let default_rule = options.default_rule(&service_options, &name, &source)?;
        let mut paths = BTreeSet::new();
        let mut methods = Vec::new();
        for value in service.all(2) {
            // A `google.protobuf.MethodDescriptorProto`.
            let method = value.bytes().and_then(Message::read).map_err(malformed)?;
            let path = format!("/{name}/{}", method.name(1).map_err(malformed)?);
            let path: MethodPath = path.parse().map_err(|error| file.invalid(error))?;
            if !paths.insert(path.clone()) {
                return Err(file.invalid(format_args!("there are two methods {path}")));
            }
            let method_options = method.joined(4).map_err(malformed)?;
            let rule = options.rule(&method_options, path.as_str(), &source)?;
            methods.push(Method { path, rule });
        }
        Ok(Self { name, default_rule, methods, file_without_rules: None })
    }
}
