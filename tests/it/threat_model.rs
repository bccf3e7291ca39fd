//! Check that every test named in `docs/threat-model.md` and `docs/benchmarks.md` exists.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Adds all files below a folder.
fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else {
            found.push(path);
        }
    }
}

/// Returns all tests below a folder, as `module::function`.
fn tests(folder: &str) -> BTreeSet<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut files = Vec::new();
    sources(&root, &mut files);
    let mut tests = BTreeSet::new();
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        let module = file.strip_prefix(&root).unwrap().with_extension("");
        let module = module.to_str().unwrap().replace('/', "::");
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        let attributes = ["#[test]", "#[tokio::test"];
        for (index, line) in lines.iter().enumerate() {
            if attributes.iter().any(|attribute| line.starts_with(attribute)) {
                let signature = lines[index..].iter().find_map(|line| line.split_once("fn "));
                let (name, _) = signature.unwrap().1.split_once('(').unwrap();
                tests.insert(format!("{module}::{name}"));
            }
        }
    }
    tests
}

/// Checks that a document names at least `min` tests, and that they exist below these folders.
fn assert_named_tests_exist(document: &str, min: usize, folders: &[&str]) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(root.join(document)).unwrap();
    // Names with capitals are types.
    let is_test = |code: &&str| code.contains("::") && !code.contains(char::is_uppercase);
    let named: BTreeSet<&str> = text.split('`').skip(1).step_by(2).filter(is_test).collect();
    assert!(named.len() >= min, "{document}: {}", named.len());

    let existing: BTreeSet<String> = folders.iter().flat_map(|folder| tests(folder)).collect();
    let missing: Vec<_> = named.iter().filter(|name| !existing.contains(**name)).collect();
    assert!(missing.is_empty(), "{document}: {missing:#?}");
}

#[test]
fn every_test_that_the_threat_model_names_exists() {
    assert_named_tests_exist("docs/threat-model.md", 61, &["tests/it", "tests/slow"]);
}

#[test]
fn every_test_that_the_benchmarks_name_exists() {
    assert_named_tests_exist("docs/benchmarks.md", 2, &["benches/tests"]);
}
