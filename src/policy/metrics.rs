//! tmp
use std::sync::Arc;
#[cfg_attr(not(feature = "metrics"), expect(unused_variables, reason = "only metrics use it"))]
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
