//! Capture of metrics.

use std::collections::BTreeMap;

use metrics_util::debugging::{DebugValue, DebuggingRecorder, Snapshotter};

/// Metrics recorded on this thread.
pub struct Metrics {
    snapshotter: Snapshotter,
    _guard: metrics::LocalRecorderGuard<'static>,
}

impl Metrics {
    pub fn start() -> Self {
        let recorder: &'static DebuggingRecorder = Box::leak(Box::new(DebuggingRecorder::new()));
        let snapshotter = recorder.snapshotter();
        Self { snapshotter, _guard: metrics::set_default_local_recorder(recorder) }
    }

    /// Returns each metric, as `name{label=value,…}`, with its increase since the last call: the
    /// count, or the number of durations.
    pub fn take(&self) -> BTreeMap<String, u64> {
        let all = self.snapshotter.snapshot().into_vec();
        let taken = all.into_iter().map(|(key, _, _, value)| {
            let (name, labels) = key.key().clone().into_parts();
            let mut labels: Vec<String> =
                labels.iter().map(|label| format!("{}={}", label.key(), label.value())).collect();
            labels.sort();
            let value = match value {
                DebugValue::Counter(count) => count,
                DebugValue::Histogram(durations) => {
                    assert!(durations.iter().all(|seconds| (0.0..60.0).contains(&seconds.0)));
                    durations.len() as u64
                }
                DebugValue::Gauge(_) => panic!("there are no gauges"),
            };
            (format!("{}{{{}}}", name.as_str(), labels.join(",")), value)
        });
        taken.filter(|(_, value)| *value > 0).collect()
    }
}
