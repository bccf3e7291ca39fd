//! Instruction counts of a call without and with the layers. Setup and teardown are not counted.
//! `benches/instructions/run` makes a table of them, and fails when a limit is exceeded.

#![allow(clippy::expect_used, reason = "a setup that fails ends the run")]
#![allow(missing_docs, reason = "what gungraun's macros make has none")]

use std::future;

use gungraun::Callgrind;
use gungraun::prelude::*;
use tokio::net::TcpListener;
use tokio::runtime::Builder;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Endpoint, Server};
use tonic_health::pb::health_client::HealthClient;
use tonic_passport::jwt::Algorithm;

use support::layers::{self, TRACED};
use support::subject::Subject;

/// Number of counted calls; instructions/limits.mjs divides by it.
const CALLS: u32 = 1000;

/// Number of calls before those, after which the count of a call no longer changes.
const BEFORE: u32 = 100;

/// Makes this number of calls.
type Calls = Box<dyn FnMut(u32)>;

#[library_benchmark]
#[bench::bare(args = (), setup = bare)]
#[bench::hop_without_layers(args = (), setup = hop_without_layers)]
#[bench::hop(args = (), setup = hop)]
#[bench::traced_hop_without_layers(args = (), setup = traced_hop_without_layers)]
#[bench::traced_hop(args = (), setup = traced_hop)]
#[bench::served(args = (), setup = served)]
#[bench::served_by_policy(args = (), setup = served_by_policy)]
#[bench::edge_without_layer(args = (), setup = edge_without_layer)]
#[bench::edge(args = (), setup = edge)]
fn calls(mut calls: Calls) -> Calls {
    calls(CALLS);
    calls
}

library_benchmark_group!(name = instructions, benchmarks = calls);
main!(
    config = LibraryBenchmarkConfig::default().tool(Callgrind::with_args(["--cache-sim=no"])),
    library_benchmark_groups = instructions
);

/// A call over a connection, with both ends on this thread.
fn bare() -> Calls {
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let mut client = runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let service = layers::service(|_| future::ready(Ok(layers::serving())));
        let server = Server::builder().add_service(service);
        tokio::spawn(server.serve_with_incoming(TcpIncoming::from(listener)));
        let endpoint = Endpoint::try_from(format!("http://{address}")).expect("a good address");
        HealthClient::new(endpoint.connect().await.expect("a connection"))
    });
    warmed(move |times| {
        runtime.block_on(async {
            for _ in 0..times {
                client.check(layers::request()).await.expect("a response");
            }
        });
    })
}

fn hop_without_layers() -> Calls {
    in_process(layers::hop_without_layers(&[]))
}

fn hop() -> Calls {
    in_process(layers::hop(&[]))
}

fn traced_hop_without_layers() -> Calls {
    in_process(layers::hop_without_layers(&TRACED))
}

fn traced_hop() -> Calls {
    in_process(layers::hop(&TRACED))
}

fn served() -> Calls {
    in_process(layers::served())
}

fn served_by_policy() -> Calls {
    in_process(layers::served_by_policy())
}

fn edge_without_layer() -> Calls {
    in_process(layers::edge_without_layer(&Subject::new(Algorithm::RS256).token(0)))
}

fn edge() -> Calls {
    let subject = Subject::new(Algorithm::RS256);
    in_process(layers::edge(subject.verifier(), &subject.token(0)))
}

fn in_process(mut call: impl FnMut() + 'static) -> Calls {
    warmed(move |times| (0..times).for_each(|_| call()))
}

fn warmed(mut calls: impl FnMut(u32) + 'static) -> Calls {
    calls(BEFORE);
    Box::new(calls)
}
