"""Ruby, Go and Rust repositories with nothing configured go through `draftsman run` on a real engine.

Ruby installs from a gem index of its own. Go and Rust have their dependencies in the repository.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.images.engine_client import find_client
from tests.images.ensure import ensure
from tests.orchestrator.gem_index import GemIndex, build_gem, index_of, served
from tests.orchestrator.sandbox_parts import make_commit

pytestmark = pytest.mark.engine

RUBY, GO, RUST, NODE = "ruby:3.3-slim", "golang:1.24-bookworm", "rust:1.85-slim", "node:22-slim"
SUM_GO = 'package sum\n\nimport "example.com/base"\n\nfunc Add(a, b int) int { return base.Plus(a, b) }\n'
SUM_TEST_GO = (
    'package sum\n\nimport "testing"\n\nfunc TestAdd(t *testing.T) {\n'
    '\tif got := Add(1, 2); got != 3 {\n\t\tt.Errorf("got %d", got)\n\t}\n}\n'
)
GO_FILES = {
    ".go-version": "1.24\n",
    "go.mod": "module example.com/sum\n\ngo 1.23\n\nrequire example.com/base v1.0.0\n",
    "sum.go": SUM_GO,
    "sum_test.go": SUM_TEST_GO,
    "vendor/modules.txt": "# example.com/base v1.0.0\n## explicit; go 1.23\nexample.com/base\n",
    "vendor/example.com/base/base.go": "package base\n\nfunc Plus(a, b int) int { return a + b }\n",
}
CHECKSUM = "0" * 64
RUST_FILES = {
    "Cargo.toml": '[package]\nname = "sum"\nversion = "1.0.0"\nedition = "2021"\n\n[dependencies]\nbase = "1"\n',
    "Cargo.lock": (
        'version = 4\n\n[[package]]\nname = "base"\nversion = "1.0.0"\n'
        'source = "registry+https://github.com/rust-lang/crates.io-index"\n'
        f'checksum = "{CHECKSUM}"\n\n'
        '[[package]]\nname = "sum"\nversion = "1.0.0"\ndependencies = [\n "base",\n]\n'
    ),
    "rust-toolchain.toml": '[toolchain]\nchannel = "1.85"\ncomponents = ["rustfmt", "clippy"]\n',
    "rustfmt.toml": "max_width = 100\n",
    "clippy.toml": "",
    "src/lib.rs": (
        "pub fn add(a: i32, b: i32) -> i32 {\n    base::plus(a, b)\n}\n\n"
        "#[test]\nfn adds() {\n    assert_eq!(add(1, 2), 3);\n}\n"
    ),
    ".cargo/config.toml": (
        '[source.crates-io]\nreplace-with = "vendored-sources"\n\n[source.vendored-sources]\ndirectory = "vendor"\n'
    ),
    "vendor/base/Cargo.toml": '[package]\nname = "base"\nversion = "1.0.0"\nedition = "2021"\n',
    "vendor/base/src/lib.rs": "pub fn plus(a: i32, b: i32) -> i32 {\n    a + b\n}\n",
    "vendor/base/.cargo-checksum.json": json.dumps({"files": {}, "package": CHECKSUM}),
}


@dataclass(frozen=True)
class Ran:
    """What `draftsman run` said: its JSON, and its log."""

    result: dict[str, Any]
    log: str

    @property
    def commands(self) -> dict[str, int]:
        """Return the exit codes of the commands that ran."""
        return {step["command"]: step["exit_code"] for step in self.result["steps"]}


def run(folder: Path, files: dict[str, str], *images: str, allow: str = "") -> Ran:
    """Run the checks of a repository that holds these files; the images are made present first.

    `allow` is what jobs may reach although it is private.
    """
    ensure(find_client(), images, lambda _: None)
    repository = make_commit(folder, files).folder
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("DRAFTSMAN_", "GITHUB_"))}
    order = [sys.executable, "-m", "draftsman.cli.main", "run", str(repository), "--json"]
    environment = kept | {"DRAFTSMAN_HOME": str(folder / "home"), "NO_COLOR": "1", "DRAFTSMAN_FENCE_ALLOW": allow}
    done = subprocess.run(order, env=environment, capture_output=True, text=True, timeout=280, check=False)
    assert done.stdout.startswith("{"), done.stderr
    return Ran(json.loads(done.stdout), done.stderr)


def ruby_files(index: GemIndex, name: str, expected: int = 3) -> dict[str, str]:
    """A repository that needs a gem with an extension in C, locked."""
    return {
        ".ruby-version": "3.3\n",
        "Gemfile": f'source "{index.url}"\n\ngem "{name}"\n',
        "Gemfile.lock": (
            f"GEM\n  remote: {index.url}/\n  specs:\n    {name} (1.0.0)\n\n"
            f"PLATFORMS\n  ruby\n\nDEPENDENCIES\n  {name}\n"
        ),
        "test/sum_test.rb": (
            f'require "{name}"\n\nsum = Sum.add(1, 2)\nabort("got #{{sum}}") unless sum == {expected}\nputs "1 test"\n'
        ),
    }


@pytest.fixture
def gem() -> tuple[str, bytes]:
    """A gem with an extension in C, under a name that no cache has seen."""
    ensure(find_client(), [RUBY], lambda _: None)
    name = f"sum{uuid.uuid4().hex[:12]}"
    files = {
        f"{name}.gemspec": (
            f'Gem::Specification.new do |spec|\n  spec.name = "{name}"\n  spec.version = "1.0.0"\n'
            '  spec.summary = "Adds"\n  spec.authors = ["A"]\n  spec.files = ["ext/extconf.rb", "ext/sum.c"]\n'
            '  spec.extensions = ["ext/extconf.rb"]\nend\n'
        ),
        "ext/extconf.rb": f'require "mkmf"\n$CFLAGS += " -DINIT=Init_{name}"\ncreate_makefile("{name}")\n',
        "ext/sum.c": (
            "#include <ruby.h>\n\nstatic VALUE add(VALUE self, VALUE a, VALUE b) {\n"
            "  return INT2NUM(NUM2INT(a) + NUM2INT(b));\n}\n\nvoid INIT(void) {\n"
            '  rb_define_singleton_method(rb_define_module("Sum"), "add", add, 2);\n}\n'
        ),
    }
    return name, build_gem(RUBY, name, files)


def test_bundler_installs_from_an_index_and_then_from_the_cache(tmp_path: Path, gem: tuple[str, bytes]) -> None:
    name, content = gem
    with served(index_of(name, content)) as index:
        first = run(tmp_path / "first", ruby_files(index, name), RUBY, allow=index.address)
        assert first.result["conclusion"] == "success", first.log
        assert index.downloads == [f"/gems/{name}-1.0.0.gem"]
        second = run(tmp_path / "second", ruby_files(index, name, expected=4), RUBY, allow=index.address)
    assert index.downloads == [f"/gems/{name}-1.0.0.gem"], "the second run takes the gem from the cache"
    assert second.result["conclusion"] == "failure"
    assert "got 3" in second.log
    assert first.commands["BUNDLE_FROZEN=true bundle install"] == 0


def test_a_lock_that_the_gemfile_outgrew_fails_the_setup(tmp_path: Path, gem: tuple[str, bytes]) -> None:
    name, content = gem
    with served(index_of(name, content)) as index:
        files = ruby_files(index, name)
        ran = run(tmp_path, files | {"Gemfile": files["Gemfile"] + 'gem "other"\n'}, RUBY, allow=index.address)
    assert ran.result["conclusion"] == "failure"
    assert ran.commands == {"BUNDLE_FROZEN=true bundle install": 16}


def test_ruby_and_node_share_an_image(tmp_path: Path, gem: tuple[str, bytes]) -> None:
    name, content = gem
    manifest = {"name": "app", "private": True, "scripts": {"test": "node --test web/app.test.js"}}
    node = {
        ".node-version": "22\n",
        "package.json": json.dumps(manifest),
        "web/app.test.js": 'require("node:test")("works", () => {});\n',
    }
    with served(index_of(name, content)) as index:
        ran = run(tmp_path, ruby_files(index, name) | node, RUBY, NODE, allow=index.address)
    assert ran.result["conclusion"] == "success", ran.log
    assert "npm test" in ran.commands
    assert any("bundle exec ruby" in command for command in ran.commands)


def test_go_with_vendored_modules(tmp_path: Path) -> None:
    ran = run(tmp_path / "green", GO_FILES, GO)
    assert ran.result["conclusion"] == "success", ran.log
    assert ran.commands == {"go vet ./...": 0, "go test ./...": 0}
    broken = GO_FILES | {"sum.go": SUM_GO.replace("Plus(a, b)", "Plus(a, a)")}
    red = run(tmp_path / "red", broken, GO)
    assert red.result["conclusion"] == "failure"
    assert red.commands == {"go vet ./...": 0, "go test ./...": 1}
    assert "got 2" in red.log


def test_go_beside_node_formats_and_races(tmp_path: Path) -> None:
    """Go is copied into Node's image, with the C compiler that the race detector needs."""
    workflow = "on: push\njobs:\n  test:\n    steps:\n      - run: go test -race ./...\n      - run: gofmt -l .\n"
    manifest = {"name": "app", "private": True, "scripts": {"lint": "node --check web.js", "test": "node --test"}}
    files = GO_FILES | {
        ".node-version": "22\n",
        "package.json": json.dumps(manifest),
        "web.js": "",
        "web.test.js": 'require("node:test")("works", () => {});\n',
        "badly.go": "package sum\nvar  One = 1\n",
        ".github/workflows/ci.yml": workflow,
    }
    ran = run(tmp_path / "unformatted", files, GO, NODE)
    format_check = "! gofmt -l $(git ls-files '*.go' ':!vendor') | grep ."
    assert (ran.commands["go vet ./..."], ran.commands[format_check]) == (0, 1)
    assert "go test -race ./..." not in ran.commands
    assert "badly.go" in ran.log
    del files["badly.go"]
    ran = run(tmp_path / "formatted", files, GO, NODE)
    assert ran.result["conclusion"] == "success", ran.log
    assert ran.commands["go test -race ./..."] == 0


def test_rust_with_vendored_crates(tmp_path: Path) -> None:
    ran = run(tmp_path / "green", RUST_FILES, RUST)
    assert ran.result["conclusion"] == "success", ran.log
    assert ran.commands == {
        "cargo fetch --locked": 0,
        "cargo fmt --all --check": 0,
        "cargo clippy --all-targets": 0,
        "cargo test": 0,
    }
    unformatted = RUST_FILES | {"src/lib.rs": RUST_FILES["src/lib.rs"].replace("    base", "  base")}
    red = run(tmp_path / "red", unformatted, RUST)
    assert red.commands["cargo fmt --all --check"] == 1
    assert "cargo test" not in red.commands
