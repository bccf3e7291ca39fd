//! A sink that remembers, and what a policy has counted.

use std::sync::{Arc, Mutex};

use tonic_passport::Policy;
use tonic_passport::policy::{AuditEvent, AuditSink};

/// A decision, as it was reported.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Event {
    pub method: String,
    pub principal: Option<String>,
    pub policy: String,
    pub rule: Option<String>,
    pub source: Option<String>,
    pub authorized: bool,
    pub shadow: bool,
}

/// Remembers what it is shown. Clones remember together.
#[derive(Clone, Debug, Default)]
pub struct Auditor(Arc<Mutex<Vec<Event>>>);

impl Auditor {
    /// What was reported since this was last asked.
    pub fn take(&self) -> Vec<Event> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

impl AuditSink for Auditor {
    fn record(&self, event: &AuditEvent<'_>) {
        self.0.lock().unwrap().push(Event {
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

/// How many calls each rule has allowed, and how many it has denied.
pub fn counts(policy: &Policy) -> Vec<(String, u64, u64)> {
    let table = policy.table();
    let rows = table.rows().iter();
    rows.map(|row| (row.method().to_owned(), row.allowed(), row.denied())).collect()
}
