//! Protocol buffers that are compiled while a test runs.

use std::collections::HashMap;
use std::path::Path;

use protox::file::{
    ChainFileResolver, File, FileResolver, GoogleFileResolver, IncludeFileResolver,
};
use protox::{Compiler, Error};

/// The protocol buffers of the package, by name.
pub fn proto(name: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("proto").join(name)).unwrap()
}

/// Compiles files, each with its name and text, with everything that they import: other ones of
/// them, `passport/v1/policy.proto`, and what everyone may import. Where a text is given for a
/// name, it stands for the file that the package has.
pub fn compile(files: &[(&str, &str)]) -> Vec<u8> {
    try_compile(files).unwrap()
}

/// The same, for what may not compile.
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

/// Files that are nowhere but here.
struct Texts(HashMap<String, String>);

impl FileResolver for Texts {
    fn open_file(&self, name: &str) -> Result<File, Error> {
        match self.0.get(name) {
            Some(text) => File::from_source(name, text),
            None => Err(Error::file_not_found(name)),
        }
    }
}
