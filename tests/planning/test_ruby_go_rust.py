"""Versions, ranges and commands of Ruby, Go and Rust, beyond what the cases in `tests/repos/` show."""

from __future__ import annotations

import json

import pytest

from draftsman.domain.errors import PlanError
from draftsman.domain.plan import Plan, ProfileOverrides
from orchestrator.planning.plan import make_plan
from orchestrator.planning.ruby.requirement import read_requirement
from tests.planning.cases import TEMPLATES, tree_of

CI = ".github/workflows/ci.yml"
RUBY = {"Gemfile": 'gem "rspec"\n', "spec/a_spec.rb": ""}
GO = {"go.mod": "module example.com/a\n", "a.go": "", "a_test.go": ""}
RUST = {"Cargo.toml": '[package]\nname = "a"\n', "src/lib.rs": ""}


def plan(files: dict[str, str], overrides: ProfileOverrides | None = None) -> Plan:
    return make_plan(tree_of(files), repo="octo/case", overrides=overrides or ProfileOverrides(), templates=TEMPLATES)


def image(files: dict[str, str]) -> str:
    return plan(files).toolchains[0].image


def workflow(*commands: str, before: str = "") -> dict[str, str]:
    runs = "".join(f"      - run: {json.dumps(command)}\n" for command in commands)
    return {CI: f"on: push\njobs:\n  test:\n    runs-on: ubuntu-latest\n    steps:\n{before}{runs}"}


@pytest.mark.parametrize(
    ("texts", "allowed", "refused"),
    [
        (["~> 3.2"], ["3.2", "3.4", "3.2.1"], ["3.1", "4.0"]),
        (["~> 3.2.1"], ["3.2", "3.2.1", "3.2.9"], ["3.2.0", "3.3", "3.1"]),
        (["~> 3"], ["3.0", "3.4"], ["2.7", "4.0"]),
        ([">= 2.7", "< 3.4"], ["2.7", "3.3"], ["3.4", "2.6"]),
        ([">= 2.7, < 3.4"], ["2.7", "3.3"], ["3.4", "2.6"]),
        (["3.2.2"], ["3.2.2"], ["3.2", "3.2.3"]),
        (["3.2"], ["3.2", "3.2.9"], ["3.3"]),
        (["!= 3.3"], ["3.2", "3.4"], ["3.3", "3.3.4"]),
        (["> 3.2"], ["3.2", "3.3"], ["3.1"]),
        (["<= 3.2.2"], ["3.1", "3.2.2"], ["3.2", "3.3"]),
    ],
)
def test_ranges_of_rubygems(texts: list[str], allowed: list[str], refused: list[str]) -> None:
    requirement = read_requirement(texts)
    assert requirement is not None
    assert [one for one in allowed if not requirement.allows(one)] == []
    assert [one for one in refused if requirement.allows(one)] == []


@pytest.mark.parametrize("text", ["", "three", "~> ", "=> 3.2", "3.2 3.3", ">= 3.2 && id", "3.2\nid", "1." * 40])
def test_what_is_no_range_of_rubygems(text: str) -> None:
    assert read_requirement([text]) is None


@pytest.mark.parametrize(
    ("file", "text", "version"),
    [
        (".ruby-version", "3.3\n", "3.3"),
        (".ruby-version", "# ours\nruby-3.3.1\n", "3.3.1"),
        (".ruby-version", "ruby-3.3.1@gems\n", "3.3.1"),
        (".ruby-version", "2.7.8-p225\n", "2.7.8"),
        (".ruby-version", "4.0.0-preview2\n", "4.0.0-preview2"),
        ("mise.toml", '[tools]\nruby = "3.3"\n', "3.3"),
        ("Gemfile", 'ruby "3.2.2"\n', "3.2.2"),
        ("Gemfile", "ruby '3.2.2', patchlevel: '53'\n", "3.2.2"),
        ("Gemfile", 'ruby("~> 3.1")\n', "3.4"),
        ("Gemfile", 'ruby ">= 3.1", "< 3.4" # for now\n', "3.3"),
        ("Gemfile", 'ruby ENV.fetch("RUBY_VERSION", "3.2")\n', "3.4"),
        ("Gemfile", 'ruby File.read(".ruby-version").strip\n', "3.4"),
        ("Gemfile", 'ruby "~> #{MINIMUM}"\n', "3.4"),
        ("Gemfile", '# ruby "3.1"\n', "3.4"),
        ("Gemfile", 'ruby "~> 4.0"\n', "4.0"),
        ("Gemfile", 'ruby ">= 4.1"\n', "4.1"),
        ("a.gemspec", 's.required_ruby_version = Gem::Requirement.new(">= 2.7", "< 3.1")\n', "3.0"),
        ("a.gemspec", "  spec.required_ruby_version = ['>= 3.0', '< 3.4']\n", "3.3"),
        ("a.gemspec", "  spec.required_ruby_version = MINIMUM\n", "3.4"),
    ],
)
def test_ruby_hints(file: str, text: str, version: str) -> None:
    assert image({**RUBY, file: text}) == f"ruby:{version}-slim"


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("go 1.20\n", "1.26"),
        ("go 1.21.0\n", "1.26"),
        ("go 1.27\n", "1.27"),
        ("go 1.28.1\n", "1.28.1"),
        ("go 1.24rc1\n", "1.26"),
        ("go 1.21\n\ntoolchain go1.25.3\n", "1.25.3"),
        ("go 1.21 // oldest\ntoolchain default\n", "1.26"),
        ("go 1.21\r\n", "1.26"),
        ("", "1.26"),
    ],
)
def test_go_lines(text: str, version: str) -> None:
    assert image({**GO, "go.mod": f"module example.com/a\n\n{text}"}) == f"golang:{version}-bookworm"


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("stable", "1.27"),
        ("oldstable", "1.26"),
        ("1.25.x", "1.25"),
        ("^1.21", "1.26"),
        ("1.x", "1.26"),
        ("1.20", "1.26"),
    ],
)
def test_go_of_a_workflow_is_not_below_the_floor(text: str, version: str) -> None:
    setup = f"      - uses: actions/setup-go@v6\n        with:\n          go-version: '{text}'\n"
    files = {**GO, "go.mod": "module example.com/a\n\ngo 1.22\n", **workflow("true", before=setup)}
    assert image(files) == f"golang:{version}-bookworm"


def test_old_go_has_an_image_without_a_suite() -> None:
    assert image({**GO, ".go-version": "1.20.4\n"}) == "golang:1.20.4"


@pytest.mark.parametrize(
    ("file", "text", "version"),
    [
        ("rust-toolchain", "1.90.0\n", "1.90.0"),
        ("rust-toolchain", "stable\n", "1.100"),
        ("rust-toolchain", '[toolchain]\nchannel = "1.88"\n', "1.88"),
        ("rust-toolchain.toml", '[toolchain]\nchannel = "1.85-x86_64-unknown-linux-gnu"\n', "1.85"),
        ("rust-toolchain.toml", '[toolchain]\ncomponents = ["clippy"]\n', "1.100"),
        ("Cargo.toml", '[package]\nname = "a"\nrust-version = "1.70"\nedition = "2024"\n', "1.100"),
        (
            "Cargo.toml",
            '[package]\nname = "a"\nedition.workspace = true\n[workspace.package]\nedition = "2021"\n',
            "1.100",
        ),
        ("Cargo.toml", '[workspace]\nmembers = []\n[workspace.package]\nrust-version = "1.100.1"\n', "1.100"),
    ],
)
def test_rust_hints(file: str, text: str, version: str) -> None:
    assert image({**RUST, file: text}) == f"rust:{version}-slim"


def test_a_dated_nightly_needs_no_warning() -> None:
    made = plan({**RUST, "rust-toolchain.toml": '[toolchain]\nchannel = "nightly-2026-01-31"\n'})
    assert "rustup toolchain install nightly-2026-01-31" in made.dockerfile
    assert made.warnings == ()


@pytest.mark.parametrize(
    ("files", "place"),
    [
        ({**RUBY, ".ruby-version": "truffleruby-24.1\n"}, ".ruby-version:1"),
        ({**RUBY, ".tool-versions": "ruby jruby-9.4\n"}, ".tool-versions:1"),
        ({**RUBY, "Gemfile": '\nruby "3.1.4", engine: "jruby", engine_version: "9.4"\n'}, "Gemfile:2"),
        ({**RUBY, "Gemfile": 'ruby "< 1.9"\n'}, "Gemfile:1"),
        ({**RUBY, "a.gemspec": "\ns.required_ruby_version = '3.x!'\n"}, "a.gemspec:2"),
        ({**GO, "go.mod": "module a\ngo\n"}, "go.mod:2"),
        ({**GO, "go.mod": "<<<<<<< HEAD\n"}, "go.mod:1"),
        ({**GO, "go.work": "go 1.22\nuse ../other\n"}, "go.work:2"),
        ({**GO, "go.work": "go 1.22\nuse (\n\t./a$(id)\n)\n"}, "go.work:3"),
        ({**GO, ".go-version": "1.26;id\n"}, ".go-version:1"),
        ({**RUST, "rust-toolchain": "1.90 id\n"}, "rust-toolchain:1"),
        ({**RUST, "rust-toolchain.toml": '[toolchain]\npath = "/opt"\n'}, "rust-toolchain.toml:2"),
        ({**RUST, "rust-toolchain.toml": "[toolchain]\nchannel = 1.90\n"}, "rust-toolchain.toml:2"),
        ({**RUST, "Cargo.toml": '[package]\nrust-version = "new"\n'}, "Cargo.toml:2"),
        ({**RUST, "Cargo.toml": "[package]\nedition = 2021\n"}, "Cargo.toml:2"),
    ],
)
def test_malformed_hints_name_file_and_line(files: dict[str, str], place: str) -> None:
    with pytest.raises(PlanError, match=rf"^{place}: "):
        plan(files)


@pytest.mark.parametrize(
    ("command", "full"),
    [
        ("bundle exec rspec", "bundle exec rspec"),
        ("bin/rspec", "bundle exec rspec"),
        ("bundle exec rspec --format progress --profile", "bundle exec rspec"),
        ("bundle exec rspec --tag fast", "bundle exec rspec --tag fast"),
        ("bundle exec rake spec", "bundle exec rake spec"),
        ("bundle exec rake release", "bundle exec rspec"),
        ("bundle exec rake spec:system", "bundle exec rspec"),
        ("bundle exec rake test build", "bundle exec rspec"),
        ("bundle exec rspec ../outside", "bundle exec rspec"),
        ("bundle exec rspec --only-failures", "bundle exec rspec"),
        ("bundle exec rspec; id", "bundle exec rspec"),
    ],
)
def test_ruby_tests_of_a_workflow(command: str, full: str) -> None:
    assert plan({**RUBY, **workflow(command)}).profile.full == (full,)


@pytest.mark.parametrize(
    ("command", "fast"),
    [
        ("bundle exec rubocop", ("bundle exec rubocop",)),
        ("bundle exec rubocop --parallel -f github lib", ("bundle exec rubocop --parallel lib",)),
        ("bundle exec rubocop -a", ()),
        ("bundle exec rubocop --auto-correct-all", ()),
        ("bundle exec standardrb --fix", ()),
        ("bundle exec steep check", ("bundle exec steep check",)),
        ("bundle exec steep stats", ()),
        ("bundle exec srb tc", ("bundle exec srb tc",)),
        ("bundle exec rake rubocop", ("bundle exec rake rubocop",)),
        ("bundle exec rake rubocop:autocorrect", ()),
    ],
)
def test_ruby_linters_of_a_workflow(command: str, fast: tuple[str, ...]) -> None:
    assert plan({**RUBY, **workflow(command)}).profile.fast == fast


def test_a_linter_that_the_lock_does_not_have_is_not_run() -> None:
    lock = "GEM\n  specs:\n    rspec (3.13.1)\n\nDEPENDENCIES\n  rspec\n"
    assert plan({**RUBY, "Gemfile.lock": lock, **workflow("bundle exec rubocop")}).profile.fast == ()


def test_an_optional_group_is_installed_where_a_workflow_asks_for_it() -> None:
    gemfile = 'gem "rspec"\n\ngroup :lint, optional: true do\n  gem "rubocop"\nend\n'
    steps = "      - run: bundle exec rubocop\n        env:\n          BUNDLE_WITH: lint\n"
    made = plan({**RUBY, "Gemfile": gemfile, ".rubocop.yml": "", **workflow("bundle exec rspec", before=steps)})
    assert made.profile.setup == "BUNDLE_WITH=lint bundle install"
    assert made.profile.fast == ("BUNDLE_WITH=lint bundle exec rubocop",)


@pytest.mark.parametrize(
    ("command", "full"),
    [
        ("go test ./...", "go test ./..."),
        ("go test --race -count=1 ./...", "go test -race -count=1 ./..."),
        ("gotestsum --format testname -- -short ./...", "go test -short ./..."),
        ("go test -bench=. ./...", "go test ./..."),
        ("go test -coverprofile c.out -v ./...", "go test -v ./..."),
        ("go test ./internal/one", "go test ./..."),
        ("go test ./cmd/... ./pkg/...", "go test ./cmd/... ./pkg/..."),
        ("go test ../...", "go test ./..."),
        ("go test -exec evil ./...", "go test ./..."),
        ("go test -o /tmp/x ./...", "go test ./..."),
        ("go test -toolexec=evil ./...", "go test ./..."),
    ],
)
def test_go_tests_of_a_workflow(command: str, full: str) -> None:
    assert plan({**GO, **workflow(command)}).profile.full == (full,)


def test_tests_without_tags_come_before_those_with() -> None:
    made = plan({**GO, **workflow("go test -tags=integration ./...", "go test -race ./...")})
    assert made.profile.full == ("go test -race ./...",)


@pytest.mark.parametrize(
    ("command", "full"),
    [
        ("cargo test", "cargo test"),
        ("cargo +stable test --all-features --verbose", "cargo test --all-features"),
        ("cargo +nightly test --all-features", "cargo test"),
        ("cargo nextest run --workspace --profile ci", "cargo test --workspace"),
        ("cargo test --features 'one two' -- --nocapture", "cargo test --features 'one two' -- --nocapture"),
        ("cargo test --doc", "cargo test"),
        ("cargo test --target wasm32-unknown-unknown", "cargo test"),
        ("cargo test --no-run", "cargo test"),
        ("cargo test --config evil", "cargo test"),
        ("cargo test name_of_one", "cargo test"),
        ("cargo test --manifest-path sub/Cargo.toml", "cargo test"),
    ],
)
def test_rust_tests_of_a_workflow(command: str, full: str) -> None:
    assert plan({**RUST, **workflow(command)}).profile.full == (full,)


@pytest.mark.parametrize(
    ("command", "fast"),
    [
        ("cargo fmt --all -- --check", ("cargo fmt --all --check",)),
        ("cargo fmt", ()),
        ("cargo clippy --fix", ()),
        ("cargo clippy -- -D warnings -A clippy::too_many_arguments", None),
        ("cargo clippy -- -D warnings --cap-lints allow", ()),
        ("cargo check --all", ("cargo check --all",)),
        ("cargo deny check", ()),
    ],
)
def test_rust_linters_of_a_workflow(command: str, fast: tuple[str, ...] | None) -> None:
    assert plan({**RUST, **workflow(command)}).profile.fast == ((command,) if fast is None else fast)


@pytest.mark.parametrize(
    ("manager", "base"), [("bundler", "ruby:3.4-slim"), ("go", "golang:1.26-bookworm"), ("cargo", "rust:1.100-slim")]
)
def test_a_profile_can_ask_for_a_toolchain_that_no_file_does(manager: str, base: str) -> None:
    made = plan({"README.md": ""}, ProfileOverrides(dependency_manager=manager, full=("true",)))
    assert made.toolchains[0].image == base
    assert made.profile.setup == ""
    assert made.caches == (manager,)


def test_all_of_them_share_one_image() -> None:
    files = {**RUBY, **GO, **RUST, "package.json": '{"scripts": {"test": "node --test"}}', "a.test.js": ""}
    made = plan(
        {**files, "pyproject.toml": '[project]\nname = "a"\nversion = "1"\n', "a.py": "", "test_a.py": "import pytest"}
    )
    assert made.toolchains[0].ecosystem == "python"
    for source in ("node:", "ruby:", "golang:", "rust:"):
        assert f"COPY --from={source}" in made.dockerfile
    assert made.dockerfile.count("FROM ") == 1
