//! The fuzz targets, run on the inputs in `fuzz/corpus`.

use std::any::Any;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use fuzz_checks::TARGETS;

#[test]
fn every_fuzz_target_passes_on_its_corpus() {
    let corpora = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    let mut failures = Vec::new();
    for (target, holds) in TARGETS {
        let mut files = 0;
        for entry in fs::read_dir(corpora.join(target)).expect(target) {
            let path = entry.unwrap().path();
            let input = fs::read(&path).unwrap();
            files += 1;
            if let Err(problem) = catch_unwind(AssertUnwindSafe(|| holds(&input))) {
                failures.push(format!("{}: {}", path.display(), text(&*problem)));
            }
        }
        assert_ne!(files, 0, "the corpus of {target} is empty");
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn every_corpus_has_a_target() {
    let corpora = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    for entry in fs::read_dir(corpora).unwrap() {
        let name = entry.unwrap().file_name();
        assert!(TARGETS.iter().any(|(target, _)| name == *target), "{name:?}");
    }
}

/// Returns the message of a panic.
fn text(problem: &(dyn Any + Send)) -> &str {
    let text = problem.downcast_ref::<String>().map(String::as_str);
    text.or(problem.downcast_ref::<&str>().copied()).unwrap_or("no text")
}
