//! What a policy lets callers do.

use tonic_passport::policy::PolicyError;
use tonic_passport::{Policy, Rule};

use crate::support::descriptors::{compile, proto};

#[test]
fn the_rules_of_the_protocol_buffers_are_those_of_the_policy() -> Result<(), PolicyError> {
    let set = compile(&[("shop/v1/user.proto", &proto("shop/v1/user.proto"))]);
    let policy = Policy::builder().descriptor_set(set).build()?;
    let table = policy.table();
    let [get_user, who_am_i] = table.rows() else { panic!("{table}") };
    assert_eq!(get_user.rule(), Some(&Rule::authenticated()));
    assert_eq!(who_am_i.origin().unwrap().to_string(), "shop/v1/user.proto (default)");
    Ok(())
}
