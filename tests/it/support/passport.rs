//! The program `passport`, and the files that it is given.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU64, Ordering};
use std::{fs, process};

/// The program.
pub fn command() -> Command {
    Command::new(env!("CARGO_BIN_EXE_passport"))
}

/// Runs it, with these arguments.
pub fn run(args: &[&str]) -> Output {
    command().args(args).output().unwrap()
}

/// Runs `passport policy check` on a file of these bytes, with these services.
pub fn check(bytes: &[u8], services: &[&str]) -> (Output, String) {
    let file = TempFile::new(bytes);
    let output = command().args(["policy", "check", file.name()]).args(services).output().unwrap();
    (output, file.name().to_owned())
}

/// A file that is there as long as this is.
pub struct TempFile {
    path: PathBuf,
}

impl TempFile {
    pub fn new(bytes: &[u8]) -> Self {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("passport-{}-{number}.bin", process::id());
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::write(&path, bytes).unwrap();
        Self { path }
    }

    pub fn name(&self) -> &str {
        self.path.to_str().unwrap()
    }
}

impl Drop for TempFile {
    fn drop(&mut self) {
        // Whoever looks for it meanwhile is the test, which has failed then.
        let _ = fs::remove_file(&self.path);
    }
}

/// What is written, as text: to stdout and to stderr.
pub fn written(output: &Output) -> (&str, &str) {
    let text = |bytes| std::str::from_utf8(bytes).unwrap();
    (text(&output.stdout), text(&output.stderr))
}
