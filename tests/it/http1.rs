//! Over HTTP/1, which a server may accept for grpc-web, identity is as safe as over HTTP/2.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tonic::transport::Server;
use tonic_passport::{BearerToken, ForwardedContext, Gateway, ServerLayer};

use crate::support::probe::Probe;
use crate::support::server::TestServer;
use crate::support::shop::order_service_server::SERVICE_NAME;
use crate::support::{raw, token};

/// Makes a call with an empty message over HTTP/1, and answers with the status line.
async fn call(server: &TestServer, fields: &str) -> String {
    let mut stream = TcpStream::connect(server.addr).await.unwrap();
    let bearer = token::good("alice");
    let head = format!(
        "POST {} HTTP/1.1\r\nhost: shop\r\ncontent-type: application/grpc\r\ncontent-length: 5\r\n\
         authorization: Bearer {bearer}\r\n{fields}\r\n\r\n\0\0\0\0\0",
        raw::METHOD
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut line = String::new();
    while !line.ends_with("\r\n") {
        line.push(char::from(stream.read_u8().await.unwrap()));
    }
    line.trim().to_owned()
}

#[tokio::test]
async fn a_connection_header_takes_no_identity_away() {
    let probe = Probe::default();
    let inside = ServerLayer::new(ForwardedContext::trust_private_network())
        .optional_methods([raw::METHOD.parse().unwrap()]);
    let upstream = probe.behind(inside).await;
    let routes = Gateway::builder().route(SERVICE_NAME, upstream.connect().await).build().unwrap();
    let routes = routes.into_routes();
    let edge = ServerLayer::new(BearerToken::new(token::verifier()));
    let gateway = TestServer::start(|incoming| {
        let mut server = Server::builder().accept_http1(true).layer(edge);
        server.add_routes(routes).serve_with_incoming(incoming)
    })
    .await;

    for fields in [
        "connection: keep-alive",
        "connection: x-user-id",
        "connection: x-user-roles, x-user-permissions",
        "connection: x-user-id, x-user-email, x-user-roles, x-user-permissions",
        "connection: x-user-roles\r\nconnection: x-user-email",
        "proxy-connection: x-user-roles",
        "keep-alive: x-user-roles",
        "connection: authorization",
    ] {
        assert_eq!(call(&gateway, fields).await, "HTTP/1.1 200 OK", "{fields}");
        let seen = probe.take_one();
        let user = seen.user.expect(fields);
        assert_eq!(user.id(), "alice", "{fields}");
        assert_eq!(user.roles(), ["buyer"], "{fields}");
        assert_eq!(user.email(), Some("alice@example.com"), "{fields}");
        assert_eq!(user.permissions(), ["orders:create", "orders:read"], "{fields}");
        assert!(!seen.metadata.contains_key("connection"), "{fields}");
    }
}
