//! `passport policy check FILE`, as reviews and CI run it.

use std::io;
use std::process::Output;

use shop::proto::FILE_DESCRIPTOR_SET;

use crate::support::{TempFile, check, command, compile, run, written};

/// Demands that this is all that it says, and its exit code.
#[track_caller]
fn assert_says(output: &Output, code: i32, out: &str, err: &str) {
    assert_eq!(written(output), (out, err));
    assert_eq!(output.status.code(), Some(code), "{:?}", output.status);
}

/// The rules of the shop, as its protocol buffers say them.
const SHOP: &str = r#"
METHOD                                      RULE                        SOURCE
/shop.v1.InventoryService/CheckStock        permission "orders:read"    shop/v1/inventory.proto
/shop.v1.InventoryService/ListReservations  permission "orders:read"    shop/v1/inventory.proto
/shop.v1.InventoryService/Reserve           permission "orders:create"  shop/v1/inventory.proto
/shop.v1.InventoryService/ReserveAll        permission "orders:create"  shop/v1/inventory.proto
/shop.v1.OrderService/CheckItems            permission "orders:read"    shop/v1/order.proto
/shop.v1.OrderService/CreateOrder           permission "orders:create"  shop/v1/order.proto
/shop.v1.OrderService/GetOrder              permission "orders:read"    shop/v1/order.proto
/shop.v1.OrderService/ImportOrders          permission "orders:create"  shop/v1/order.proto
/shop.v1.OrderService/ListOrders            permission "orders:read"    shop/v1/order.proto
/shop.v1.UserService/GetUser                authenticated               shop/v1/user.proto (default)
/shop.v1.UserService/WhoAmI                 authenticated               shop/v1/user.proto (default)
"#;

#[test]
fn the_table_of_the_shop_says_of_each_method_what_it_needs_and_who_says_so() {
    let (output, _) = check(FILE_DESCRIPTOR_SET, &[]);
    assert_says(&output, 0, SHOP.trim_start(), "");
}

#[test]
fn only_the_services_that_are_named_are_looked_at() {
    let users = "\
METHOD                        RULE           SOURCE
/shop.v1.UserService/GetUser  authenticated  shop/v1/user.proto (default)
/shop.v1.UserService/WhoAmI   authenticated  shop/v1/user.proto (default)
";
    let (output, _) = check(FILE_DESCRIPTOR_SET, &["shop.v1.UserService"]);
    assert_says(&output, 0, users, "");

    let all = ["shop.v1.UserService", "shop.v1.InventoryService", "shop.v1.OrderService"];
    let (output, _) = check(FILE_DESCRIPTOR_SET, &all);
    assert_says(&output, 0, SHOP.trim_start(), "");

    let (output, file) = check(FILE_DESCRIPTOR_SET, &["shop.v1.UserService", "shop.v1.Users"]);
    let shop = "shop.v1.InventoryService, shop.v1.OrderService, shop.v1.UserService";
    assert_says(
        &output,
        1,
        "",
        &format!("passport: {file}: there is no service shop.v1.Users; known services: {shop}\n"),
    );
    let (output, file) = check(FILE_DESCRIPTOR_SET, &["UserService/WhoAmI"]);
    let error = r#""UserService/WhoAmI" is not the full name of a service"#;
    assert_says(&output, 1, "", &format!("passport: {file}: {error}\n"));
}

/// The descriptor set of two services, with methods of every kind of rule and without one.
fn notes() -> Vec<u8> {
    let text = r#"
        syntax = "proto3";
        package notes.v1;
        import "passport/v1/policy.proto";
        service Notes {
          rpc Get(Note) returns (Note) { option (passport.v1.rule) = { public: true }; }
          rpc Put(Note) returns (Note);
          rpc Delete(Note) returns (Note) {
            option (passport.v1.rule) = { any_of: { permissions: 'notes:all' roles: 'admin' } };
          }
          rpc Count(Note) returns (Note) {}
        }
        service Admin {
          option (passport.v1.default_rule) = { role: 'admin' };
          rpc Drop(Note) returns (Note);
        }
        message Note {}
    "#;
    compile(&[("notes.proto", text)])
}

#[test]
fn methods_without_a_rule_are_shown_and_named_and_an_error() {
    let table = r#"
METHOD                  RULE                                           SOURCE
/notes.v1.Admin/Drop    role "admin"                                   notes.proto (default)
/notes.v1.Notes/Count   none
/notes.v1.Notes/Delete  any of (permission "notes:all", role "admin")  notes.proto
/notes.v1.Notes/Get     public                                         notes.proto
/notes.v1.Notes/Put     none
"#;
    let (output, file) = check(&notes(), &[]);
    let error = "no rule for /notes.v1.Notes/Count, /notes.v1.Notes/Put";
    assert_says(&output, 1, table.trim_start(), &format!("passport: {file}: {error}\n"));
    // The other one has none.
    let (output, _) = check(&notes(), &["notes.v1.Admin"]);
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn a_rule_that_is_wrong_is_an_error_by_file_service_and_method() {
    let text = r#"
        syntax = "proto3";
        package notes.v1;
        import "passport/v1/policy.proto";
        service Notes {
          rpc Get(Note) returns (Note) {
            option (passport.v1.rule) = { public: true role: 'admin' };
          }
        }
        message Note {}
    "#;
    let (output, file) = check(&compile(&[("notes.proto", text)]), &[]);
    let error = "notes.proto: /notes.v1.Notes/Get: public and role contradict each other: a rule \
                 has exactly one of them";
    assert_says(&output, 1, "", &format!("passport: {file}: {error}\n"));
}

#[test]
fn a_file_that_cannot_be_read_is_an_error_by_its_name() {
    let missing = TempFile::new(b"").name().to_owned();
    let error = io::Error::from_raw_os_error(2);
    let output = run(&["policy", "check", &missing]);
    assert_says(&output, 1, "", &format!("passport: {missing}: {error}\n"));

    let directory = env!("CARGO_TARGET_TMPDIR");
    let output = run(&["policy", "check", directory]);
    let (out, err) = written(&output);
    assert_eq!((out, output.status.code()), ("", Some(1)));
    assert!(err.starts_with(&format!("passport: {directory}: ")), "{err}");
}

#[test]
fn a_file_that_is_no_descriptor_set_is_an_error() {
    let cut_short = &FILE_DESCRIPTOR_SET[..FILE_DESCRIPTOR_SET.len() - 1];
    for (bytes, problem) in [
        (&b""[..], "it contains no service"),
        (b"syntax = \"proto3\";", "not a valid protocol buffer message, or one of another type"),
        (cut_short, "the message is truncated"),
    ] {
        let (output, file) = check(bytes, &[]);
        let error = format!("passport: {file}: descriptor set: {problem}\n");
        assert_says(&output, 1, "", &error);
    }
}

#[test]
fn a_table_may_be_wider_than_any_terminal() {
    let name = "orders:".repeat(10_000);
    let method = format!("option (passport.v1.rule) = {{ permission: '{name}' }};");
    let text = format!(
        r#"syntax = "proto3"; package shop.v1; import "passport/v1/policy.proto";
        service Wide {{ rpc Get(Request) returns (Request) {{ {method} }} }}
        message Request {{}}"#
    );
    let (output, _) = check(&compile(&[("shop/v1/wide.proto", &text)]), &[]);
    let row = format!("/shop.v1.Wide/Get  permission \"{name}\"  shop/v1/wide.proto\n");
    let (out, err) = written(&output);
    assert!(out.ends_with(&row));
    assert_eq!((err, output.status.code()), ("", Some(0)));
}

#[test]
fn help_and_the_version_go_to_stdout() {
    let cases: [(&[&str], &str); 5] = [
        (&["-h"], "Usage: passport <COMMAND>"),
        (&["--help"], "Usage: passport <COMMAND>"),
        (&["policy", "--help"], "Usage: passport policy <COMMAND>"),
        (&["policy", "check", "--help"], "Usage: passport policy check <FILE> [SERVICE]..."),
        (
            &["policy", "check", "shop.bin", "-h"],
            "Usage: passport policy check <FILE> [SERVICE]...",
        ),
    ];
    for (args, usage) in cases {
        let output = run(args);
        let (out, err) = written(&output);
        assert!(out.contains(usage), "{args:?}: {out}");
        assert_eq!((err, output.status.code()), ("", Some(0)), "{args:?}");
    }
    for flag in ["-V", "--version"] {
        assert_says(&run(&[flag]), 0, concat!("passport ", env!("CARGO_PKG_VERSION"), "\n"), "");
    }
}

#[test]
fn the_help_of_a_check_names_what_writes_its_file() {
    let output = run(&["policy", "check", "--help"]);
    let (out, _) = written(&output);
    let out = out.split_whitespace().collect::<Vec<_>>().join(" ");
    for text in [
        "Fails when a rule is invalid, or a method has none.",
        "`protoc --include_imports --descriptor_set_out`, `buf build`, protox or tonic-prost-build",
        "each as package.Service",
    ] {
        assert!(out.contains(text), "no {text:?} in {out}");
    }
}

#[test]
fn a_command_line_that_is_not_understood_exits_with_2_and_the_usage() {
    let cases: [&[&str]; 9] = [
        &[],
        &["policy"],
        &["policy", "check"],
        &["policy", "check", "-"],
        &["policy", "check", "shop.bin", "--all"],
        &["policy", "chek", "shop.bin"],
        &["check", "shop.bin"],
        &["shop.bin"],
        &[""],
    ];
    for args in cases {
        let output = run(args);
        let (out, err) = written(&output);
        assert_eq!((out, output.status.code()), ("", Some(2)), "{args:?}");
        assert!(err.contains("Usage: passport") || err.contains("--help"), "{args:?}: {err}");
    }
}

#[test]
fn a_closed_stdout_is_an_error_and_no_panic() {
    let file = TempFile::new(FILE_DESCRIPTOR_SET);
    for args in [&["policy", "check", file.name()][..], &["--help"], &["--version"]] {
        let (reader, writer) = io::pipe().unwrap();
        drop(reader);
        let output = command().args(args).stdout(writer).output().unwrap();
        let error = io::Error::from_raw_os_error(32);
        assert_says(&output, 1, "", &format!("passport: {error}\n"));
    }
    // stderr is closed too.
    for args in [&["policy", "check", file.name()][..], &["policy"]] {
        let (reader, writer) = io::pipe().unwrap();
        drop(reader);
        let output = command()
            .args(args)
            .stdout(writer.try_clone().unwrap())
            .stderr(writer)
            .output()
            .unwrap();
        let expected = if args.len() == 1 { 2 } else { 1 };
        assert_eq!(output.status.code(), Some(expected), "{args:?}");
    }
}
