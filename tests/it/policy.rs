//! What a policy lets callers do.

mod answers;
mod audit;
mod auditor;
mod callers;
mod decisions;
mod laws;
mod paths;
mod proof;
mod protos;
mod shadow;
