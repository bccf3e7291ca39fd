//! Audit sink that records events, and the counters of a policy.

use std::sync::{Arc, Mutex};

use tonic_passport::Policy;
use tonic_passport::policy::{AuditEvent, AuditSink};

/// Owned copy of an audit event.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RecordedEvent {
    pub method: String,
    pub principal: Option<String>,
    pub policy: String,
    pub rule: Option<String>,
    pub source: Option<String>,
    pub authorized: bool,
    pub shadow: bool,
}

/// Audit sink that keeps all events. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct RecordingSink(Arc<Mutex<Vec<RecordedEvent>>>);

impl RecordingSink {
    /// Removes and returns all events.
    pub fn take(&self) -> Vec<RecordedEvent> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

impl AuditSink for RecordingSink {
    fn record(&self, event: &AuditEvent<'_>) {
        self.0.lock().unwrap().push(RecordedEvent {
            method: event.method.to_owned(),
            principal: event.principal.map(str::to_owned),
            policy: event.policy.to_owned(),
            rule: event.rule.map(ToString::to_string),
            source: event.source.map(ToString::to_string),
            authorized: event.authorized,
            shadow: event.shadow,
        });
    }
}

/// Number of calls that each rule has allowed and denied.
pub fn counts(policy: &Policy) -> Vec<(String, u64, u64)> {
    let table = policy.table();
    let rows = table.entries().iter();
    rows.map(|row| (row.target().to_owned(), row.allowed(), row.denied())).collect()
}
