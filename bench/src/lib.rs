//! One job, done by tonic-passport and by its peers: a request with `authorization: Bearer <token>`
//! becomes a request whose handler knows the user.
//!
//! Everyone stands in front of the same handler, gets the same request with a token of 660 bytes,
//! and has its keys in memory: nothing here waits for a network.

#[path = "../../benches/support/job.rs"]
mod job;

pub mod ours;
pub mod peers;
pub mod token;
