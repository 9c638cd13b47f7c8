"""The rules of Rust repositories."""

from __future__ import annotations

from orchestrator.planning.rule import Rule

CARGO = Rule("rust.project.cargo", "A `Cargo.toml` makes a Rust project.")
MEMBER = Rule(
    "rust.project.python-member",
    "A member of a uv workspace that is built from Rust (maturin, setuptools-rust) brings Rust into the image.",
)
TOOLCHAIN_FILE = Rule(
    "rust.version.toolchain-file", "`rust-toolchain.toml` and `rust-toolchain` name the Rust exactly."
)
NIGHTLY = Rule(
    "rust.version.nightly", "Beta and nightly have no official image: rustup installs them on the newest stable one."
)
TOOL_FILES = Rule("rust.version.tool-files", "`.tool-versions` and `mise.toml` name the Rust exactly.")
WORKFLOW_VERSION = Rule(
    "rust.version.workflow",
    "Of the versions that workflows set up: stable, else the newest that is not below the floor.",
)
FLOOR = Rule("rust.version.floor", "`rust-version` is a floor for users: the default where it is enough, else that.")
EDITION = Rule("rust.version.edition", "An edition needs the Rust that brought it.")
LOCKED = Rule("rust.setup.locked", "A committed lock decides the versions, and an outdated one fails the setup.")
FETCH = Rule("rust.setup.fetch", "Crates are fetched before the checks, so that a missing one fails the setup.")
WORKFLOW_LINT = Rule("rust.fast.workflow", "The workflow's `cargo fmt`, `clippy` and `check` decide their flags.")
RUSTFMT = Rule("rust.fast.rustfmt", "A `rustfmt.toml` for stable Rust is checked by `cargo fmt`.")
CLIPPY = Rule("rust.fast.clippy", "Clippy runs where `clippy.toml` or `[lints.clippy]` configures it.")
TESTS = Rule("rust.full.tests", "`cargo test` runs the tests of a package or of a virtual workspace.")
WORKSPACE = Rule("rust.full.workspace", "A workspace whose top is a package as well is tested with all its members.")
WORKFLOW_TESTS = Rule(
    "rust.full.workflow", "The workflow's `cargo test` or `cargo nextest` decides packages and features."
)
EXTENSION = Rule(
    "rust.full.extension", "Of a Python package that is built from Rust, Python's tests are run and Rust only builds."
)
COMPONENTS = Rule("rust.image.components", "The image gets clippy, rustfmt and what the toolchain file lists.")
OVERRIDE = Rule("rust.image.override", "The image's Rust is the one that runs: a toolchain file downloads no other.")
NATIVE = Rule("rust.image.native", "Crates that bind to C libraries get these as Debian packages.")
