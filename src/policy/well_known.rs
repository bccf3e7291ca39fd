//! Methods of the standard health and reflection services.

use super::path::MethodPath;

/// Methods of the standard health service (`grpc.health.v1.Health`).
pub const HEALTH: &[MethodPath] = &[
    MethodPath::new_static("/grpc.health.v1.Health/Check"),
    MethodPath::new_static("/grpc.health.v1.Health/List"),
    MethodPath::new_static("/grpc.health.v1.Health/Watch"),
];

/// Methods of the standard reflection service, versions `v1` and `v1alpha`.
///
/// Reflection reveals all services, methods, messages and method options to its callers, including
/// the declared rules.
pub const REFLECTION: &[MethodPath] = &[
    MethodPath::new_static("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"),
    MethodPath::new_static("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"),
];

/// Returns whether [`HEALTH`] or [`REFLECTION`] contains the method.
pub(super) fn contains_method(method: &MethodPath) -> bool {
    methods().any(|known| known == method)
}

/// Returns whether [`HEALTH`] or [`REFLECTION`] contains a method of the service.
pub(super) fn contains_service(service: &str) -> bool {
    methods().any(|known| known.service() == service)
}

fn methods() -> impl Iterator<Item = &'static MethodPath> {
    HEALTH.iter().chain(REFLECTION)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_well_known_paths_are_canonical() {
        for path in methods() {
            assert!(MethodPath::is_canonical(path.as_str()), "{path}");
        }
    }
}
