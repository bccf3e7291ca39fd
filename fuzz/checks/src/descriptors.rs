//! Fuzz target: descriptor sets, and the rules in them.

use tonic_passport::Rejection;
use tonic_passport::policy::{
    MethodPath, PolicyBuilder, PolicyError, RuleEntry, RuleSource, RuleTable,
};
use tonic_passport::{AccessDenied, Policy, Rule, UserContext};

/// Valid descriptor set with the options of `passport/v1/policy.proto`, and no service.
const OPTIONS: &[u8] = include_bytes!("../../corpus/descriptors/options-and-no-service");

/// Field number of both options.
const OPTION: u32 = 50905;

/// Reads the input as a descriptor set, and as a rule in an otherwise valid descriptor set.
pub fn holds(input: &[u8]) {
    let _ = check(&[input]);

    let set = [OPTIONS, &file(input)].concat();
    match check(&[&set]) {
        Ok(table) => {
            let [declared, default] = table.entries() else { panic!("{table}") };
            assert_eq!(declared.rule(), default.rule());
            assert!(declared.source().is_some_and(|source| !source.is_default()));
            assert!(default.source().is_some_and(RuleSource::is_default));
        }
        Err(PolicyError::InvalidDescriptorSet { .. } | PolicyError::InvalidRule { .. }) => {}
        Err(error) => panic!("{error}"),
    }
    // Two identical sets do not conflict.
    let _ = check(&[&set, &set]);
}

/// Builds a policy, and asserts that its decisions agree with its table.
fn check(sets: &[&[u8]]) -> Result<RuleTable, PolicyError> {
    let builder = || sets.iter().fold(Policy::builder(), PolicyBuilder::descriptor_set);
    let table = builder().table();
    let policy = match (builder().build(), &table) {
        (Ok(policy), Ok(_)) => policy,
        (Err(error), Ok(table)) => {
            let PolicyError::Uncovered { methods, .. } = &error else {
                panic!("a table without a policy: {error}")
            };
            let uncovered = table.entries().iter().filter(|row| row.rule().is_none());
            assert!(uncovered.map(RuleEntry::target).eq(methods.iter().map(MethodPath::as_str)));
            return Err(error);
        }
        (Err(error), Err(table_error)) => {
            assert_eq!(error.to_string(), table_error.to_string());
            return table;
        }
        (Ok(_), Err(error)) => panic!("a policy without a table: {error}"),
    };
    let table = table?;
    assert_eq!(policy.table(), table);

    let user = UserContext::builder("alice").build().expect("a valid context");
    for row in table.entries() {
        let rule = row.rule().expect("every method has a rule");
        let is_open = [Rule::public(), Rule::optional()].contains(rule);
        let is_met_by_all_users = is_open || *rule == Rule::authenticated();
        let allows = |caller| policy.authorize(row.target(), caller).is_ok();
        assert_eq!(allows(None), is_open, "{row:?}");
        assert_eq!(allows(Some(&user)), is_met_by_all_users, "{row:?}");
        for unknown in [
            format!("{}x", row.target()),
            format!("{}/", row.target()),
            format!("/{}", row.target()),
            row.target()[1..].to_owned(),
            row.target().to_ascii_uppercase(),
        ] {
            if table.entries().iter().all(|row| row.target() != unknown) {
                let result = policy.authorize(&unknown, Some(&user));
                let Err(Rejection::PolicyDenied { denied, .. }) = result else {
                    panic!("{unknown}: {result:?}")
                };
                assert_eq!(denied, AccessDenied::RuleMissing { method: unknown });
            }
        }
    }
    let table_with_counts = policy.table();
    assert!(
        table_with_counts.entries().iter().all(|row| row.allowed() + row.denied() == 2),
        "{table_with_counts:?}"
    );
    Ok(table)
}

/// Encodes a `FileDescriptorProto` with a service of two methods. `rule` is the rule of the first
/// method, and the default rule of the service.
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

/// Encodes a length-delimited field.
fn field(number: u32, content: &[u8]) -> Vec<u8> {
    let length = u32::try_from(content.len()).expect("a small input");
    [&varint(number << 3 | 2)[..], &varint(length), content].concat()
}

/// Encodes a varint, padded to five bytes.
fn varint(number: u32) -> [u8; 5] {
    let septet = |shift: u32| (number >> shift).to_le_bytes()[0] & 0x7f;
    [septet(0) | 0x80, septet(7) | 0x80, septet(14) | 0x80, septet(21) | 0x80, septet(28)]
}
