# Commands of the project; CONTRIBUTING.md says what each one needs. `just` lists them.

_default:
    @just --list

# Everything that guards the main branch
ci:
    .ci/run

# All tests that need Rust and a C compiler only
test *args:
    cargo test --locked {{ args }}

# Formatting, lints, licenses, and the minimum Rust version of dependencies
lint:
    cargo fmt --all --check
    cargo clippy --locked --workspace --all-targets -- -D warnings
    cargo clippy --locked --all-targets --all-features -- -D warnings
    cargo clippy --locked --no-default-features -- -D warnings
    .ci/msrv
    .ci/deny

# The documentation, with warnings denied
doc *args:
    RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps --all-features {{ args }}

# The public API against docs/public-api.txt; `just api --write` updates it
api *args:
    .ci/public-api {{ args }}

# The public API against a git revision
semver rev:
    cargo semver-checks --package tonic-passport --baseline-rev {{ rev }}

# Known vulnerabilities of dependencies; downloads the RustSec database
advisories:
    cargo deny check advisories

# The benchmarks with limits; needs an idle machine
bench *args:
    cargo bench --locked --manifest-path benches/Cargo.toml --bench marks {{ args }}

# Instructions that the layers add to a call
instructions:
    interop/instructions

# Every fuzz target, for a while
fuzz:
    interop/fuzz

# Checks with other implementations and tools
interop:
    interop/wire-format
    interop/jose-differential
    interop/shop
    interop/oidc-provider/run
    interop/compilers/run

# The sample shop
shop *args:
    cargo run --bin shop -- {{ args }}
