//! What whoever operates the shop expects of each of its servers: health and reflection.

use tonic::service::Routes;
use tonic_health::ServingStatus;
use tower::BoxError;

use super::proto;

/// Adds health and reflection to the routes of a server of these services. Both must be public
/// methods there.
pub(crate) async fn add_to(routes: Routes, services: &[&str]) -> Result<Routes, BoxError> {
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
