//! The order of the rooms, the top-level modules of `src/`. A room uses only those before it in the
//! table, and no two files use each other.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use syn::visit::{self, Visit};

/// Each room, and the rooms that it may use. docs/architecture.md explains the order.
const ROOMS: [(&str, &[&str]); 17] = [
    ("util", &[]),
    ("context", &[]),
    ("metadata", &["context"]),
    ("propagation", &["metadata", "util"]),
    ("call", &["context", "propagation"]),
    ("jwt", &["context", "util"]),
    ("rejection", &["context", "jwt"]),
    ("authenticate", &["context", "jwt", "metadata", "rejection"]),
    ("policy", &["context", "rejection"]),
    ("telemetry", &["context", "propagation", "rejection"]),
    (
        "inbound",
        &[
            "authenticate",
            "call",
            "context",
            "metadata",
            "policy",
            "propagation",
            "rejection",
            "telemetry",
            "util",
        ],
    ),
    ("outbound", &["call", "context", "metadata", "propagation", "rejection", "util"]),
    ("status", &["context", "inbound", "outbound", "rejection"]),
    (
        "server",
        &[
            "authenticate",
            "call",
            "context",
            "inbound",
            "policy",
            "propagation",
            "rejection",
            "status",
            "util",
        ],
    ),
    ("client", &["call", "outbound", "status", "util"]),
    ("gateway", &["client", "inbound", "policy", "rejection", "status", "util"]),
    ("testing", &["call", "context", "jwt"]),
];

/// A module, as the names of its path from the crate's root.
type Module = Vec<String>;

/// The source files of a crate, by their module.
struct Sources {
    files: BTreeMap<Module, syn::File>,
    /// The names that each module imports, and what they stand for.
    imports: BTreeMap<Module, BTreeMap<String, Module>>,
}

/// A use of one file by another.
type Arrow = (Module, Module);

impl Sources {
    fn parse<'a>(texts: impl IntoIterator<Item = (Module, &'a str)>) -> Self {
        let files = texts.into_iter().map(|(module, text)| {
            let file = syn::parse_file(text).unwrap_or_else(|error| panic!("{module:?}: {error}"));
            (module, file)
        });
        let files: BTreeMap<Module, syn::File> = files.collect();
        let mut imports = BTreeMap::new();
        for (module, file) in &files {
            let mut names = BTreeMap::new();
            for item in &file.items {
                if let syn::Item::Use(item) = item {
                    flatten(&item.tree, Vec::new(), &mut names);
                }
            }
            imports.insert(module.clone(), names);
        }
        Self { files, imports }
    }

    /// Reads all files below a folder.
    fn read(folder: &Path) -> Self {
        let mut texts = Vec::new();
        let mut folders = vec![folder.to_owned()];
        while let Some(next) = folders.pop() {
            for entry in fs::read_dir(next).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                    continue;
                }
                let name = path.strip_prefix(folder).unwrap().with_extension("");
                let module = name.iter().map(|part| part.to_str().unwrap().to_owned());
                let module: Module = module.filter(|part| part != "lib").collect();
                texts.push((module, fs::read_to_string(path).unwrap()));
            }
        }
        Self::parse(texts.iter().map(|(module, text)| (module.clone(), text.as_str())))
    }

    /// All arrows between two files.
    fn arrows(&self) -> BTreeSet<Arrow> {
        let mut arrows = BTreeSet::new();
        for (module, file) in &self.files {
            let mut paths = Paths::default();
            paths.visit_file(file);
            for path in paths.found {
                if let Some(target) = self.file_of(module, &path, 0)
                    && target != *module
                {
                    arrows.insert((module.clone(), target));
                }
            }
        }
        arrows
    }

    /// The file that defines what a path leads to; `None` for paths out of the crate.
    fn file_of(&self, from: &Module, path: &[String], depth: usize) -> Option<Module> {
        assert!(depth < 32, "{from:?}: {path:?} leads in circles");
        let (mut module, rest) = match path.split_first()? {
            (first, rest) if first == "crate" => (Module::new(), rest),
            (first, rest) if first == "self" => (from.clone(), rest),
            (first, _) if first == "super" => {
                let ups = path.iter().take_while(|part| *part == "super").count();
                (from[..from.len().checked_sub(ups)?].to_vec(), &path[ups..])
            }
            (first, _) => {
                let child = [from.as_slice(), std::slice::from_ref(first)].concat();
                if self.files.contains_key(&child) {
                    (from.clone(), path)
                } else {
                    return None;
                }
            }
        };
        for (index, name) in rest.iter().enumerate() {
            let child = [module.as_slice(), std::slice::from_ref(name)].concat();
            if self.files.contains_key(&child) {
                module = child;
                continue;
            }
            // A name that the module imports stands for what it was imported from.
            let imported = self.imports.get(&module).and_then(|names| names.get(name));
            if let Some(imported) = imported.filter(|imported| imported.as_slice() != path) {
                let further = [imported.as_slice(), &rest[index + 1..]].concat();
                return self.file_of(&module, &further, depth + 1).or(Some(module));
            }
            break;
        }
        Some(module)
    }
}

/// The paths in a file that may lead to another one.
#[derive(Default)]
struct Paths {
    found: Vec<Module>,
}

impl<'ast> Visit<'ast> for Paths {
    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        let mut names = BTreeMap::new();
        flatten(&item.tree, Vec::new(), &mut names);
        self.found.extend(names.into_values());
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        self.found.push(path.segments.iter().map(|part| part.ident.to_string()).collect());
        visit::visit_path(self, path);
    }

    fn visit_vis_restricted(&mut self, _: &'ast syn::VisRestricted) {
        // `pub(super)` and the like use nothing.
    }

    fn visit_macro(&mut self, invoked: &'ast syn::Macro) {
        // The paths in the arguments of a macro are tokens only.
        let text = without_literals(invoked.tokens.clone());
        for start in ["crate::", "super::"] {
            for (at, _) in text.match_indices(start) {
                let path = text[at..].split(|c: char| !c.is_alphanumeric() && c != '_' && c != ':');
                let path = path.take(1).flat_map(|path| path.split("::")).map(str::to_owned);
                self.found.push(path.filter(|part| !part.is_empty()).collect());
            }
        }
    }

    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        // Unit tests may use what they like.
        let is_test = item.attrs.iter().any(|attribute| {
            attribute.path().is_ident("cfg")
                && attribute.parse_args::<syn::Path>().is_ok_and(|path| path.is_ident("test"))
        });
        if !is_test {
            visit::visit_item_mod(self, item);
        }
    }
}

/// The text of tokens, without blanks and without literals: documentation among them.
fn without_literals(tokens: proc_macro2::TokenStream) -> String {
    let text = |token| match token {
        proc_macro2::TokenTree::Group(group) => format!("({})", without_literals(group.stream())),
        proc_macro2::TokenTree::Literal(_) => "_".to_owned(),
        token => token.to_string(),
    };
    tokens.into_iter().map(text).collect()
}

/// Collects the names of a `use` tree, and the whole path of each.
fn flatten(tree: &syn::UseTree, mut path: Module, names: &mut BTreeMap<String, Module>) {
    match tree {
        syn::UseTree::Path(part) => {
            path.push(part.ident.to_string());
            flatten(&part.tree, path, names);
        }
        syn::UseTree::Name(name) => {
            let name = name.ident.to_string();
            if name == "self" {
                names.insert(path.last().cloned().unwrap_or_default(), path);
            } else {
                path.push(name.clone());
                names.insert(name, path);
            }
        }
        syn::UseTree::Rename(rename) => {
            path.push(rename.ident.to_string());
            names.insert(rename.rename.to_string(), path);
        }
        syn::UseTree::Glob(_) => {
            names.insert(format!("{}::*", path.join("::")), path);
        }
        syn::UseTree::Group(group) => {
            for tree in &group.items {
                flatten(tree, path.clone(), names);
            }
        }
    }
}

/// Finds files that use each other, directly or by way of others.
fn circles(arrows: &BTreeSet<Arrow>) -> Vec<Vec<String>> {
    let mut uses: BTreeMap<&Module, Vec<&Module>> = BTreeMap::new();
    for (from, target) in arrows {
        uses.entry(from).or_default().push(target);
    }
    let mut found = BTreeSet::new();
    for start in uses.keys() {
        let mut seen: BTreeSet<&Module> = BTreeSet::new();
        let mut open: Vec<Vec<&Module>> = vec![vec![start]];
        while let Some(way) = open.pop() {
            for next in way.last().and_then(|last| uses.get(last)).into_iter().flatten() {
                if next == start {
                    let mut names: Vec<_> = way.iter().map(|module| module.join("::")).collect();
                    names.sort();
                    found.insert(names);
                } else if seen.insert(next) {
                    open.push([way.as_slice(), &[*next]].concat());
                }
            }
        }
    }
    found.into_iter().collect()
}

/// Finds arrows between rooms that are not in the table.
fn forbidden(arrows: &BTreeSet<Arrow>, rooms: &[(&str, &[&str])]) -> Vec<String> {
    let rooms: BTreeMap<&str, &[&str]> = rooms.iter().copied().collect();
    let mut found = Vec::new();
    for (from, target) in arrows {
        let (Some(from_room), Some(target_room)) = (from.first(), target.first()) else {
            // lib.rs re-exports everything. A room that imports from it hides its arrow.
            if !from.is_empty() {
                found.push(format!("{} uses lib.rs", from.join("::")));
            }
            continue;
        };
        let allowed = rooms.get(from_room.as_str());
        let allowed = allowed.unwrap_or_else(|| panic!("the room {from_room} is not in the table"));
        if from_room != target_room && !allowed.contains(&target_room.as_str()) {
            found.push(format!("{} uses {}", from.join("::"), target.join("::")));
        }
    }
    found
}

fn src() -> Sources {
    Sources::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"))
}

#[test]
fn no_room_uses_one_that_the_table_does_not_allow() {
    let arrows = src().arrows();
    assert!(arrows.len() > 100, "the arrows were not found: {arrows:?}");
    assert_eq!(forbidden(&arrows, &ROOMS), [""; 0]);
}

#[test]
fn no_two_files_use_each_other() {
    assert_eq!(circles(&src().arrows()), Vec::<Vec<String>>::new());
}

#[test]
fn the_table_of_rooms_has_no_circle_and_no_room_without_need() {
    let arrows: BTreeSet<Arrow> = ROOMS
        .iter()
        .flat_map(|(room, allowed)| {
            allowed.iter().map(|other| (vec![(*room).to_owned()], vec![(*other).to_owned()]))
        })
        .collect();
    assert_eq!(circles(&arrows), Vec::<Vec<String>>::new());
    let used: BTreeSet<Arrow> = src()
        .arrows()
        .into_iter()
        .filter_map(|(from, target)| {
            Some((vec![from.first()?.clone()], vec![target.first()?.clone()]))
        })
        .collect();
    let unused: Vec<_> = arrows.difference(&used).collect();
    assert!(unused.is_empty(), "allowed, and not used: {unused:?}");
}

#[test]
fn below_the_adapters_nothing_names_tonic() {
    let adapters = ["status", "server", "client", "gateway", "testing"];
    for (module, file) in src().files {
        if module.is_empty() || adapters.contains(&module[0].as_str()) {
            continue;
        }
        let mut paths = Paths::default();
        paths.visit_file(&file);
        let named =
            paths.found.iter().find(|path| path.first().is_some_and(|name| name == "tonic"));
        assert_eq!(named, None, "{}", module.join("::"));
    }
}

#[test]
fn circles_and_forbidden_arrows_are_found_in_a_crate_that_has_them() {
    let module = |path: &str| -> Module { path.split("::").map(str::to_owned).collect() };
    let sources = Sources::parse([
        (module("low"), "pub use low_child::Item; mod low_child;"),
        (module("low::low_child"), "pub struct Item; fn f() { crate::high::g(); }"),
        (module("high"), "use crate::low::Item; pub fn g() -> Item { Item }"),
        (module("a"), "use crate::b::B; pub struct A(B);"),
        (module("b"), "pub struct B; fn f(_: super::c::C) {}"),
        (module("c"), "pub struct C; fn f() { println!(\"{}\", crate::a::N) }"),
    ]);
    let arrows = sources.arrows();
    let rooms: [(&str, &[&str]); 5] =
        [("low", &[]), ("high", &["low"]), ("a", &["b"]), ("b", &["c"]), ("c", &[])];
    assert_eq!(forbidden(&arrows, &rooms), ["c uses a", "low::low_child uses high"]);
    assert_eq!(circles(&arrows), [vec!["a", "b", "c"], vec!["high", "low::low_child"]]);
}
