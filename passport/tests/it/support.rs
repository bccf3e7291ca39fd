//! The program `passport`, and its input files.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU64, Ordering};
use std::{fs, process};

use protox::file::{
    ChainFileResolver, File, FileResolver, GoogleFileResolver, IncludeFileResolver,
};
use protox::{Compiler, Error};

/// Returns the program.
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

/// File that is removed when this is dropped.
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
        // Without it, the test has failed already.
        let _ = fs::remove_file(&self.path);
    }
}

/// Returns the text on stdout and on stderr.
pub fn written(output: &Output) -> (&str, &str) {
    let text = |bytes| std::str::from_utf8(bytes).unwrap();
    (text(&output.stdout), text(&output.stderr))
}

/// The folder of the protocol buffers.
fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../proto")
}

/// Reads a file of the protocol buffers.
pub fn proto(name: &str) -> String {
    fs::read_to_string(folder().join(name)).unwrap()
}

/// Compiles files, each with its name and text, and what they import. A text takes precedence over
/// the file of that name.
pub fn compile(files: &[(&str, &str)]) -> Vec<u8> {
    let texts = files.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
    let mut resolver = ChainFileResolver::new();
    resolver.add(Texts(texts.collect()));
    resolver.add(IncludeFileResolver::new(folder()));
    resolver.add(GoogleFileResolver::new());

    let mut compiler = Compiler::with_file_resolver(resolver);
    compiler.include_imports(true).include_source_info(true);
    compiler.open_files(files.iter().map(|(name, _)| name)).unwrap();
    compiler.encode_file_descriptor_set()
}

/// Texts of files, by name.
struct Texts(HashMap<String, String>);

impl FileResolver for Texts {
    fn open_file(&self, name: &str) -> Result<File, Error> {
        match self.0.get(name) {
            Some(text) => File::from_source(name, text),
            None => Err(Error::file_not_found(name)),
        }
    }
}
