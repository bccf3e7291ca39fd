//! Reads the rules that are declared in protocol buffers.

use prost_reflect::{DescriptorPool, DynamicMessage, ExtensionDescriptor, Kind, Value};

use super::error::{InvalidRule, PolicyError};
use super::path::MethodPath;
use super::rule::{Rule, RuleOrigin};

const RULE: &str = "passport.v1.rule";
const DEFAULT_RULE: &str = "passport.v1.default_rule";
const RULE_TYPE: &str = "passport.v1.Rule";

/// A service that is described.
#[derive(PartialEq)]
pub(super) struct Service {
    pub(super) name: String,
    /// The one for all methods that have none of their own.
    pub(super) default_rule: Option<(Rule, RuleOrigin)>,
    pub(super) methods: Vec<Method>,
}

/// A method of a service that is described.
#[derive(PartialEq)]
pub(super) struct Method {
    pub(super) path: MethodPath,
    pub(super) rule: Option<(Rule, RuleOrigin)>,
}

/// The services of a descriptor set.
pub(super) fn services(bytes: &[u8]) -> Result<Vec<Service>, PolicyError> {
    let pool = DescriptorPool::decode(bytes)
        .map_err(|error| PolicyError::DescriptorSet { source: error.into() })?;
    // By name, not by number: numbers of this range are not anyone's own.
    let rule = option(&pool, RULE, "google.protobuf.MethodOptions")?;
    let default_rule = option(&pool, DEFAULT_RULE, "google.protobuf.ServiceOptions")?;

    let described = |service: prost_reflect::ServiceDescriptor| {
        let name = service.full_name().to_owned();
        let file = RuleOrigin::file(service.parent_file().name());
        let methods = service.methods().map(|method| {
            let path: MethodPath = format!("/{name}/{}", method.name()).parse()?;
            let rule = declared(&method.options(), rule.as_ref(), path.as_str(), || file.clone())?;
            Ok::<_, PolicyError>(Method { path, rule })
        });
        let methods = methods.collect::<Result<_, _>>()?;
        let origin = || file.clone().of_default();
        let default_rule = declared(&service.options(), default_rule.as_ref(), &name, origin)?;
        Ok(Service { name, default_rule, methods })
    };
    if pool.services().len() == 0 {
        // No bytes at all are a descriptor set, too.
        return Err(PolicyError::DescriptorSet { source: "it holds no service".into() });
    }
    pool.services().map(described).collect()
}

/// The option of this name, if any file declares it. It is the one that this crate reads.
fn option(
    pool: &DescriptorPool,
    name: &'static str,
    extends: &str,
) -> Result<Option<ExtensionDescriptor>, PolicyError> {
    let Some(option) = pool.get_extension_by_name(name) else {
        return Ok(None);
    };
    let is_rule = matches!(option.kind(), Kind::Message(kind) if kind.full_name() == RULE_TYPE);
    if !is_rule || option.is_list() || option.containing_message().full_name() != extends {
        let file = option.parent_file().name().to_owned();
        return Err(PolicyError::OptionType { file, option: name });
    }
    Ok(Some(option))
}

/// The rule that an option holds, if it is there.
fn declared(
    options: &DynamicMessage,
    option: Option<&ExtensionDescriptor>,
    target: &str,
    origin: impl Fn() -> RuleOrigin,
) -> Result<Option<(Rule, RuleOrigin)>, PolicyError> {
    let Some(option) = option.filter(|option| options.has_extension(option)) else {
        return Ok(None);
    };
    let value = options.get_extension(option);
    let rule = message(&value, RULE).and_then(rule).and_then(|rule| {
        rule.validate()?;
        Ok(rule)
    });
    match rule {
        Ok(rule) => Ok(Some((rule, origin()))),
        Err(source) => {
            let target = target.to_owned();
            Err(PolicyError::InvalidRule { origin: origin(), target, source })
        }
    }
}

/// Reads a `passport.v1.Rule`.
fn rule(message: &DynamicMessage) -> Result<Rule, InvalidRule> {
    let mut found: Option<(String, Rule)> = None;
    for (name, value) in fields(message)? {
        let rule = match (name.as_str(), value) {
            ("all_of", value) => Rule::all_of(requirements(self::message(value, &name)?)?),
            ("any_of", value) => Rule::any_of(requirements(self::message(value, &name)?)?),
            ("authenticated", Value::Bool(true)) => Rule::authenticated(),
            ("optional", Value::Bool(true)) => Rule::optional(),
            ("permission", Value::String(permission)) => Rule::permission(permission),
            ("public", Value::Bool(true)) => Rule::public(),
            ("role", Value::String(role)) => Rule::role(role),
            _ => return Err(InvalidRule::Unknown { field: name }),
        };
        if let Some((one, _)) = found {
            return Err(InvalidRule::Contradictory { one, other: name });
        }
        found = Some((name, rule));
    }
    found.map(|(_, rule)| rule).ok_or(InvalidRule::Empty)
}

/// Reads a `passport.v1.Requirements`.
fn requirements(message: &DynamicMessage) -> Result<Vec<Rule>, InvalidRule> {
    let mut rules = Vec::new();
    for (name, value) in fields(message)? {
        let unknown = || InvalidRule::Unknown { field: name.clone() };
        for value in value.as_list().ok_or_else(unknown)? {
            rules.push(match (name.as_str(), value) {
                ("all_of", value) => Rule::all_of(requirements(self::message(value, &name)?)?),
                ("any_of", value) => Rule::any_of(requirements(self::message(value, &name)?)?),
                ("permissions", Value::String(permission)) => Rule::permission(permission),
                ("roles", Value::String(role)) => Rule::role(role),
                _ => return Err(unknown()),
            });
        }
    }
    Ok(rules)
}

/// The fields that are set. What is not known is an error: it would have asked for more.
fn fields(message: &DynamicMessage) -> Result<Vec<(String, &Value)>, InvalidRule> {
    if let Some(field) = message.unknown_fields().next() {
        return Err(InvalidRule::Unknown { field: format!("field {}", field.number()) });
    }
    if let Some((field, _)) = message.extensions().next() {
        return Err(InvalidRule::Unknown { field: field.full_name().to_owned() });
    }
    Ok(message.fields().map(|(field, value)| (field.name().to_owned(), value)).collect())
}

fn message<'a>(value: &'a Value, field: &str) -> Result<&'a DynamicMessage, InvalidRule> {
    value.as_message().ok_or_else(|| InvalidRule::Unknown { field: field.to_owned() })
}
