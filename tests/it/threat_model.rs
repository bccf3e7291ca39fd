//! Check that every test named in `docs/threat-model.md` exists.

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

/// Returns all tests of one test target, as `module::function`.
fn tests(target: &str) -> BTreeSet<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(target);
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

#[test]
fn every_test_that_the_threat_model_names_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(root.join("docs/threat-model.md")).unwrap();
    let is_test = |code: &&str| code.contains("::") && code.starts_with(char::is_lowercase);
    let named: BTreeSet<&str> = text.split('`').skip(1).step_by(2).filter(is_test).collect();
    assert!(named.len() > 60, "{}", named.len());

    let mut existing = tests("it");
    existing.extend(tests("slow"));
    let missing: Vec<_> = named.iter().filter(|name| !existing.contains(**name)).collect();
    assert!(missing.is_empty(), "{missing:#?}");
}
