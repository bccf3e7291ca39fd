# Commands of the project; CONTRIBUTING.md says what each one needs. `just` lists them.

_default:
    @just --list

# Everything that guards the main branch
ci:
    .ci/run

# The tests; they need Rust and a C compiler only
test *args:
    cargo test --locked {{ args }}

# Tests that take long: floods, load, real timeouts
slow *args:
    cargo test --locked --test slow {{ args }}

# Formatting, lints, licenses, and the minimum Rust version of dependencies
lint:
    cargo fmt --all --check
    cargo clippy --locked --workspace --all-targets -- -D warnings
    cargo clippy --locked --workspace --exclude benches --all-targets --all-features -- -D warnings
    cargo clippy --locked -p tonic-passport --no-default-features -- -D warnings
    .ci/msrv
    .ci/deny

# The documentation, with warnings denied
doc *args:
    RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps --all-features -p tonic-passport {{ args }}

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
    cargo bench --locked -p benches --bench limits {{ args }}

# Instructions that the layers add to a call
instructions:
    benches/instructions/run

# Every fuzz target, for a while
fuzz:
    fuzz/run

# Checks with other implementations and tools
interop:
    interop/wire-format/run
    interop/jose/run
    interop/shop/run
    interop/oidc-provider/run
    interop/compilers/run

# The sample shop
shop *args:
    cargo run --bin shop -- {{ args }}
