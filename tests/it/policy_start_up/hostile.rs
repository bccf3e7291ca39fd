//! Robustness of the descriptor reader: arbitrary input never panics, recurses deeply, or hangs.

use std::sync::LazyLock;

use proptest::prelude::*;
use tonic_passport::Policy;
use tonic_passport::policy::PolicyError;

use super::{METHOD, build_error, raw, set, text, wire};

/// Rule with groups, permissions and roles.
const RULE: &str = "
    option (passport.v1.rule) = {
      any_of: {
        permissions: ['a', 'b']
        roles: 'c'
        all_of: { permissions: 'd' any_of: { roles: 'e' } }
      }
    };
";
const DEFAULT: &str = "option (passport.v1.default_rule) = { authenticated: true };";

/// Valid descriptor set that the tests mutate.
static GOOD: LazyLock<Vec<u8>> = LazyLock::new(|| set(DEFAULT, RULE));

/// Builds a policy, and formats the result: a table or an error.
fn build(set: &[u8]) {
    match Policy::builder().descriptor_set(set).build() {
        Ok(policy) => assert!(!policy.table().to_string().is_empty()),
        Err(error) => assert!(!text(&error).is_empty()),
    }
}

/// Mutation of a few bytes.
#[derive(Clone, Debug)]
enum Mutation {
    Flip(u8),
    Insert(Vec<u8>),
    Delete(usize),
    Duplicate(usize),
}

/// Strategy for mutations, and their position in thousandths of the input.
fn mutation() -> impl Strategy<Value = (usize, Mutation)> {
    let mutation = prop_oneof![
        (0_u8..8).prop_map(|bit| Mutation::Flip(1 << bit)),
        any::<u8>().prop_map(Mutation::Flip),
        prop::collection::vec(any::<u8>(), 1..4).prop_map(Mutation::Insert),
        (1_usize..16).prop_map(Mutation::Delete),
        (1_usize..64).prop_map(Mutation::Duplicate),
    ];
    // The service is in the last tenth of the input, which is mutated more often.
    (prop_oneof![0_usize..1000, 900_usize..1000, 970_usize..1000], mutation)
}

fn apply(bytes: &mut Vec<u8>, (position, mutation): (usize, Mutation)) {
    let at = position * bytes.len() / 1000;
    match mutation {
        Mutation::Flip(bits) => {
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= bits;
            }
        }
        Mutation::Insert(more) => drop(bytes.splice(at..at, more)),
        Mutation::Delete(length) => drop(bytes.drain(at..bytes.len().min(at + length))),
        Mutation::Duplicate(length) => {
            let part = bytes[at..bytes.len().min(at + length)].to_vec();
            bytes.splice(at..at, part);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn a_mutated_descriptor_set_never_panics(
        mutations in prop::collection::vec(mutation(), 1..6),
    ) {
        let mut set = GOOD.clone();
        for mutation in mutations {
            apply(&mut set, mutation);
        }
        build(&set);
    }

    #[test]
    fn arbitrary_option_bytes_never_panic(
        service_options in prop::collection::vec(any::<u8>(), 0..24),
        method_options in prop::collection::vec(any::<u8>(), 0..24),
        is_option in any::<bool>(),
    ) {
        let option = |bytes: Vec<u8>| if is_option { wire::bytes(50905, bytes) } else { bytes };
        build(&raw(&option(service_options), &option(method_options), &[]));
    }
}

#[test]
fn flipped_bits_in_a_descriptor_set_never_panic() {
    let set = &*GOOD;
    // The bytes before are google/protobuf/descriptor.proto.
    let start = set.windows(8).position(|bytes| bytes == b"passport").unwrap();
    for at in start..set.len() {
        for bits in [0x01, 0x02, 0x80] {
            let mut set = set.clone();
            set[at] ^= bits;
            build(&set);
        }
    }
}

#[test]
fn a_file_that_imports_itself_is_accepted() {
    let name = "shop/v1/order.proto";
    let public = [wire::bytes(3, name), wire::number(10, 0), wire::number(10, 1)].concat();
    let option = wire::bytes(50905, wire::bytes(4, "a"));
    assert!(Policy::builder().descriptor_set(raw(&[], &option, &public)).build().is_ok());
}

#[test]
fn files_with_an_edition_are_read() {
    // `syntax` is "editions", and `edition` is 2023.
    let edition = [wire::bytes(12, "editions"), wire::number(14, 1000)].concat();
    let option = wire::bytes(50905, wire::bytes(4, "a"));
    let policy = Policy::builder().descriptor_set(raw(&[], &option, &edition)).build().unwrap();
    assert_eq!(policy.table().entries()[0].rule().unwrap().to_string(), r#"permission "a""#);

    let error = build_error(raw(&[], &[], &edition));
    let PolicyError::Uncovered { methods, .. } = &error else { panic!("{error:?}") };
    assert_eq!(methods.len(), 1);
    assert!(text(&error).starts_with(&format!("no rule for {METHOD}")), "{error}");
}

#[test]
fn deeply_nested_messages_and_groups_do_not_overflow_the_stack() {
    let nested = (0..20_000).fold(Vec::new(), |inner, _| {
        if inner.len() < 65_536 { wire::bytes(3, inner) } else { inner }
    });
    let message = wire::bytes(4, [wire::bytes(1, "Deep"), nested].concat());
    // Groups in field 20, which neither files nor method options declare.
    let (start, end) = ([0xa3, 0x01].repeat(100_000), [0xa4, 0x01].repeat(100_000));
    let groups = [start.clone(), end].concat();
    let option = wire::bytes(50905, wire::bytes(4, "a"));
    for more in [message, groups.clone()] {
        assert!(Policy::builder().descriptor_set(raw(&[], &option, &more)).build().is_ok());
    }
    let in_options = [option, groups].concat();
    assert!(Policy::builder().descriptor_set(raw(&[], &in_options, &[])).build().is_ok());
    let error = build_error(raw(&[], &start, &[]));
    assert!(matches!(error, PolicyError::InvalidRule { .. }), "{error:?}");
}
