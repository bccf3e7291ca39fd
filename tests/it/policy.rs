//! What a policy lets callers do.

mod answers;
mod audit;
mod auditor;
mod callers;
mod decisions;
mod paths;
mod protos;
mod shadow;
