//! Protocol buffers compiled at test time.

use std::collections::HashMap;
use std::path::Path;

use protox::file::{
    ChainFileResolver, File, FileResolver, GoogleFileResolver, IncludeFileResolver,
};
use protox::{Compiler, Error};

/// Returns the text of a `.proto` file of the package.
pub fn proto(name: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("proto").join(name)).unwrap()
}

/// Compiles files, given as name and text, with their imports: each other, the package's files, and
/// Google's well-known types. A text given here replaces the package's file of the same name.
pub fn compile(files: &[(&str, &str)]) -> Vec<u8> {
    try_compile(files).unwrap()
}

/// Like [`compile`], but returns errors.
pub fn try_compile(files: &[(&str, &str)]) -> Result<Vec<u8>, Error> {
    let given = files.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
    let mut resolver = ChainFileResolver::new();
    resolver.add(Texts(given.collect()));
    resolver.add(IncludeFileResolver::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("proto")));
    resolver.add(GoogleFileResolver::new());

    let mut compiler = Compiler::with_file_resolver(resolver);
    compiler.include_imports(true).include_source_info(true);
    for (name, _) in files {
        compiler.open_file(name)?;
    }
    Ok(compiler.encode_file_descriptor_set())
}

/// In-memory files.
struct Texts(HashMap<String, String>);

impl FileResolver for Texts {
    fn open_file(&self, name: &str) -> Result<File, Error> {
        match self.0.get(name) {
            Some(text) => File::from_source(name, text),
            None => Err(Error::file_not_found(name)),
        }
    }
}
