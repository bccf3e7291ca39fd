//! Bytes of any kind are an error at worst: nothing that reads them panics, or does not come back.

use std::sync::LazyLock;

use proptest::prelude::*;
use tonic_passport::Policy;
use tonic_passport::policy::PolicyError;

use super::{METHOD, raw, refusal, set, text, wire};

/// A rule of every kind.
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

/// What is changed.
static GOOD: LazyLock<Vec<u8>> = LazyLock::new(|| set(DEFAULT, RULE));

/// Whatever is in the set, there is a policy or an error, and both can be shown.
fn build(set: &[u8]) {
    match Policy::builder().descriptor_set(set).build() {
        Ok(policy) => assert!(!policy.table().to_string().is_empty()),
        Err(error) => assert!(!text(&error).is_empty()),
    }
}

/// A change to some bytes: where, in thousandths of all of them, and what.
#[derive(Clone, Debug)]
enum Change {
    Flip(u8),
    Insert(Vec<u8>),
    Delete(usize),
    Double(usize),
}

fn change() -> impl Strategy<Value = (usize, Change)> {
    let change = prop_oneof![
        (0_u8..8).prop_map(|bit| Change::Flip(1 << bit)),
        any::<u8>().prop_map(Change::Flip),
        prop::collection::vec(any::<u8>(), 1..4).prop_map(Change::Insert),
        (1_usize..16).prop_map(Change::Delete),
        (1_usize..64).prop_map(Change::Double),
    ];
    // The last tenth of them is the service, and before it is the option: what is read is there.
    (prop_oneof![0_usize..1000, 900_usize..1000, 970_usize..1000], change)
}

fn apply(bytes: &mut Vec<u8>, (place, change): (usize, Change)) {
    let at = place * bytes.len() / 1000;
    match change {
        Change::Flip(bits) => {
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= bits;
            }
        }
        Change::Insert(more) => drop(bytes.splice(at..at, more)),
        Change::Delete(length) => drop(bytes.drain(at..bytes.len().min(at + length))),
        Change::Double(length) => {
            let part = bytes[at..bytes.len().min(at + length)].to_vec();
            bytes.splice(at..at, part);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn a_mutated_descriptor_set_never_panics(
        changes in prop::collection::vec(change(), 1..6),
    ) {
        let mut set = GOOD.clone();
        for change in changes {
            apply(&mut set, change);
        }
        build(&set);
    }

    #[test]
    fn arbitrary_option_bytes_never_panic(
        of_service in prop::collection::vec(any::<u8>(), 0..24),
        of_method in prop::collection::vec(any::<u8>(), 0..24),
        is_option in any::<bool>(),
    ) {
        let option = |bytes: Vec<u8>| if is_option { wire::bytes(50905, bytes) } else { bytes };
        build(&raw(&option(of_service), &option(of_method), &[]));
    }
}

#[test]
fn flipped_bits_in_a_descriptor_set_never_panic() {
    let set = &*GOOD;
    // All before are those of google/protobuf/descriptor.proto.
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
    // protoc says so of every file that names an edition: this one is 2023.
    let edition = [wire::bytes(12, "editions"), wire::number(14, 1000)].concat();
    let option = wire::bytes(50905, wire::bytes(4, "a"));
    let policy = Policy::builder().descriptor_set(raw(&[], &option, &edition)).build().unwrap();
    assert_eq!(policy.table().rows()[0].rule().unwrap().to_string(), r#"permission "a""#);

    let error = refusal(raw(&[], &[], &edition));
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
    // Field 20, which is nothing in files and methods' options.
    let (start, end) = ([0xa3, 0x01].repeat(100_000), [0xa4, 0x01].repeat(100_000));
    let groups = [start.clone(), end].concat();
    let option = wire::bytes(50905, wire::bytes(4, "a"));
    for more in [message, groups.clone()] {
        assert!(Policy::builder().descriptor_set(raw(&[], &option, &more)).build().is_ok());
    }
    let in_options = [option, groups].concat();
    assert!(Policy::builder().descriptor_set(raw(&[], &in_options, &[])).build().is_ok());
    let error = refusal(raw(&[], &start, &[]));
    assert!(matches!(error, PolicyError::InvalidRule { .. }), "{error:?}");
}
