//! Policy, health checks and reflection of each server.

use tonic::service::Routes;
use tonic_health::ServingStatus;
use tonic_passport::Policy;
use tonic_passport::policy::{HEALTH, PolicyError, REFLECTION};
use tower::BoxError;

use crate::proto;

/// Builds the policy of a server of this service: the rules of its protocol buffers, with health
/// and reflection public. A method without a rule is an error, and the server does not start.
pub fn policy(service: &str, descriptor_set: &[u8]) -> Result<Policy, PolicyError> {
    Policy::builder()
        .name(service)
        .descriptor_set(descriptor_set)
        .services([service])
        .public(HEALTH)
        .public(REFLECTION)
        // For the demo. By default, a denial does not name the missing permission.
        .expose_requirements()
        .build()
}

/// Adds health and reflection to the routes of a server of these services.
pub async fn add_to(routes: Routes, services: &[&str]) -> Result<Routes, BoxError> {
    let (reporter, health) = tonic_health::server::health_reporter();
    for service in services {
        reporter.set_service_status(*service, ServingStatus::Serving).await;
    }

    let reflection = || {
        let builder = tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(proto::FILE_DESCRIPTOR_SET)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
            // With it, grpcurl shows what is in the details of a status.
            .register_encoded_file_descriptor_set(tonic_types::pb::FILE_DESCRIPTOR_SET)
            .with_service_name("grpc.health.v1.Health");
        services.iter().fold(builder, |builder, name| builder.with_service_name(*name))
    };
    Ok(routes
        .add_service(health)
        .add_service(reflection().build_v1()?)
        .add_service(reflection().build_v1alpha()?))
}
