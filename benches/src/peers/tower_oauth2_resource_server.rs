//! [tower-oauth2-resource-server](https://docs.rs/tower-oauth2-resource-server): a layer for any
//! service of `http::Request`.
//!
//! By default its cryptography is that of the `RustCrypto` crates. Here it is aws-lc-rs, with which
//! it takes an eighth of the time. Checks `aud`.

use http::Extensions;
use tonic::body::Body;
use tower::Layer;
use tower_oauth2_resource_server::server::OAuth2ResourceServer;
use tower_oauth2_resource_server::tenant::TenantConfiguration;
use tower_oauth2_resource_server::validation::ClaimsValidationSpec;

use super::token;
use super::{User, use_aws_lc};
use crate::job::{Handler, calls, ready};

/// The layer, with the issuer's key set as text.
pub fn tower_oauth2_resource_server() -> impl FnMut() {
    use_aws_lc();
    // All that it recommends but `nbf`, which it would demand, and the token has none.
    let claims = ClaimsValidationSpec::new()
        .iss(token::ISSUER)
        .aud(&vec![token::AUDIENCE.to_owned()])
        .exp(true);
    let tenant = TenantConfiguration::static_builder(token::rsa_jwks())
        .claims_validation(claims)
        .build()
        .expect("a key set");
    let builder = OAuth2ResourceServer::<User>::builder().add_tenant(tenant);
    let server = ready(builder.build()).expect("a good configuration");

    let service = server.into_layer::<Body>().layer(Handler::new(user));
    calls(service, &token::rs256())
}

fn user(extensions: &Extensions) -> Option<&str> {
    Some(&extensions.get::<User>()?.sub)
}
