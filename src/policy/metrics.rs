//! Metrics of policy decisions (feature `metrics`).

use std::sync::Arc;

/// Counts a denial in `passport_policy_denials_total`.
///
/// `target` is the method path or pattern of the rule that denied the call, or `None` where no
/// rule matched. The requested path is not a label: callers choose it, so that its cardinality is
/// unbounded.
#[cfg_attr(not(feature = "metrics"), expect(unused_variables, reason = "nothing is counted"))]
pub(super) fn denied(policy: &Arc<str>, target: Option<&Arc<str>>, is_shadow: bool) {
    #[cfg(feature = "metrics")]
    metrics::counter!(
        "passport_policy_denials_total",
        "policy" => Arc::clone(policy),
        "method" => target.map_or_else(|| Arc::from(""), Arc::clone),
        "mode" => if is_shadow { "shadow" } else { "enforced" },
    )
    .increment(1);
}
