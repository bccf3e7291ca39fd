//! Descriptor sets, and the rules in them.

use tonic_passport::authenticate::Rejection;
use tonic_passport::policy::{
    MethodPath, PolicyBuilder, PolicyError, RuleEntry, RuleSource, RuleTable,
};
use tonic_passport::{AccessDenied, Policy, Rule, UserContext};

/// A good set with the options of `passport/v1/policy.proto`, and no service.
const OPTIONS: &[u8] = include_bytes!("../../corpus/descriptors/options-and-no-service");

/// The number of both options.
const OPTION: u32 = 50905;

/// The input is taken for a set, and for a rule in one that is good otherwise.
pub fn holds(input: &[u8]) {
    let _ = check(&[input]);

    let set = [OPTIONS, &file(input)].concat();
    match check(&[&set]) {
        Ok(table) => {
            let [declared, default] = table.rows() else { panic!("{table}") };
            assert_eq!(declared.rule(), default.rule());
            assert!(declared.origin().is_some_and(|origin| !origin.is_default()));
            assert!(default.origin().is_some_and(RuleSource::is_default));
        }
        Err(PolicyError::InvalidDescriptorSet { .. } | PolicyError::InvalidRule { .. }) => {}
        Err(error) => panic!("{error}"),
    }
    // Twice the same is no conflict.
    let _ = check(&[&set, &set]);
}

/// Demands that these sets give a policy that keeps to its table, or an error.
fn check(sets: &[&[u8]]) -> Result<RuleTable, PolicyError> {
    let builder = || sets.iter().fold(Policy::builder(), PolicyBuilder::descriptor_set);
    let table = builder().table();
    let policy = match (builder().build(), &table) {
        (Ok(policy), Ok(_)) => policy,
        (Err(error), Ok(table)) => {
            let PolicyError::Uncovered { methods, .. } = &error else {
                panic!("there is a table, but no policy: {error}")
            };
            let uncovered = table.rows().iter().filter(|row| row.rule().is_none());
            assert!(uncovered.map(RuleEntry::method).eq(methods.iter().map(MethodPath::as_str)));
            return Err(error);
        }
        (Err(error), Err(same)) => {
            assert_eq!(error.to_string(), same.to_string());
            return table;
        }
        (Ok(_), Err(error)) => panic!("there is a policy, but no table: {error}"),
    };
    let table = table?;
    assert_eq!(policy.table(), table);

    let nobody = UserContext::builder("nobody").build().expect("a good context");
    for row in table.rows() {
        let rule = row.rule().expect("all methods have a rule");
        let is_open = [Rule::public(), Rule::optional()].contains(rule);
        let needs_nothing = is_open || *rule == Rule::authenticated();
        let allows = |user| policy.authorize(row.method(), user).is_ok();
        assert_eq!(allows(None), is_open, "{row:?}");
        assert_eq!(allows(Some(&nobody)), needs_nothing, "{row:?}");
        for unknown in [
            format!("{}x", row.method()),
            format!("{}/", row.method()),
            format!("/{}", row.method()),
            row.method()[1..].to_owned(),
            row.method().to_ascii_uppercase(),
        ] {
            if table.rows().iter().all(|row| row.method() != unknown) {
                let answer = policy.authorize(&unknown, Some(&nobody));
                let Err(Rejection::PolicyDenied { denied, .. }) = answer else {
                    panic!("{unknown}: {answer:?}")
                };
                assert_eq!(denied, AccessDenied::RuleMissing { method: unknown });
            }
        }
    }
    let asked = policy.table();
    assert!(asked.rows().iter().all(|row| row.allowed() + row.denied() == 2), "{asked:?}");
    Ok(table)
}

/// A `FileDescriptorProto` with a service of two methods. The rule of the first, and the service's
/// default, is this one.
fn file(rule: &[u8]) -> Vec<u8> {
    let options = field(OPTION, rule);
    let method = |name: &str, options: &[u8]| {
        let (input, output) = (field(2, b".fuzz.Nothing"), field(3, b".fuzz.Nothing"));
        field(2, &[&field(1, name.as_bytes()), &input, &output, options].concat())
    };
    let methods = [method("Declared", &field(4, &options)), method("Default", &[])].concat();
    let service = [field(1, b"Service"), methods, field(3, &options)].concat();
    let nothing = field(1, b"Nothing");
    let file = [
        field(1, b"fuzz.proto"),
        field(2, b"fuzz"),
        field(3, b"passport/v1/policy.proto"),
        field(4, &nothing),
        field(6, &service),
        field(12, b"proto3"),
    ];
    field(1, &file.concat())
}

/// A field of the protocol buffers' binary form that has a length.
fn field(number: u32, content: &[u8]) -> Vec<u8> {
    let length = u32::try_from(content.len()).expect("a small input");
    [&varint(number << 3 | 2)[..], &varint(length), content].concat()
}

/// A number, seven bits at a time, the lowest first; five bytes, of which the last may be zeros.
fn varint(number: u32) -> [u8; 5] {
    let septet = |shift: u32| (number >> shift).to_le_bytes()[0] & 0x7f;
    [septet(0) | 0x80, septet(7) | 0x80, septet(14) | 0x80, septet(21) | 0x80, septet(28)]
}
