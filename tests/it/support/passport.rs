//! Runs of the program `passport`, and temporary files for its arguments.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU64, Ordering};
use std::{fs, process};

/// Returns a command that runs the program.
pub fn command() -> Command {
    Command::new(env!("CARGO_BIN_EXE_passport"))
}

/// Runs the program with these arguments.
pub fn run(args: &[&str]) -> Output {
    command().args(args).output().unwrap()
}

/// Runs `passport policy check` on a file with these bytes. Returns the name of the file too.
pub fn check(bytes: &[u8], services: &[&str]) -> (Output, String) {
    let file = TempFile::new(bytes);
    let output = command().args(["policy", "check", file.name()]).args(services).output().unwrap();
    (output, file.name().to_owned())
}

/// A file that is removed on drop.
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
        // A file that stays behind does not affect other tests: its name is unique.
        let _ = fs::remove_file(&self.path);
    }
}

/// Returns stdout and stderr as text.
pub fn written(output: &Output) -> (&str, &str) {
    let text = |bytes| std::str::from_utf8(bytes).unwrap();
    (text(&output.stdout), text(&output.stderr))
}
