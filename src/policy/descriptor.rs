//! Reader of descriptor sets: services, methods, and the rules that they declare.
//!
//! The steps are a file each: [`wire`] splits messages into fields, [`file`] reads the files of a
//! set and checks that it is complete, [`field`] reads field declarations, [`options`] finds the
//! options of `passport/v1/policy.proto`, [`rule`] decodes their values, and [`service`] puts the
//! services together.
//!
//! The reader is written for this purpose, because rules must not get lost: a library that does not
//! know the options would skip them silently. It reads only what policies need. A descriptor set
//! may contain features that this version does not know.

mod field;
mod file;
mod options;
mod rule;
mod service;
mod wire;

pub(super) use service::{Service, read_services};
