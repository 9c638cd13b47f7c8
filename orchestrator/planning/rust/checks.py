"""What is run of a Rust project: formatting, Clippy, and `cargo test` as its workflow runs it."""

from __future__ import annotations

from draftsman.domain.plan import Tree
from orchestrator.planning.command_flags import Flags, joined, with_variables, words_of
from orchestrator.planning.documents import Document, read_toml, strings, table, toml_line
from orchestrator.planning.rust import rules
from orchestrator.planning.rust.python_build import PythonBuild
from orchestrator.planning.trail import Trail
from orchestrator.planning.workflows import Seen, Workflows

PACKAGES = frozenset({"--workspace", "--all", "--all-features", "--no-default-features", "--all-targets", "--lib"})
TARGETS = frozenset(
    {"--bins", "--tests", "--doc", "--examples", "--release", "-r", "--locked", "--frozen", "--offline"}
)
QUIET = frozenset({"--verbose", "-v", "-vv", "--quiet", "-q", "--future-incompat-report"})
CARGO_FLAGS = Flags(
    kept=PACKAGES | TARGETS | {"--no-fail-fast", "--no-deps", "--keep-going"},
    kept_with_value=frozenset(
        {"--features", "-F", "--exclude", "--package", "-p", "--test", "--bin", "--manifest-path"}
    ),
    dropped=QUIET,
    dropped_with_value=frozenset({"--color", "--profile", "-j", "--jobs", "--retries", "--message-format"}),
)
NARROW = frozenset({"--doc", "--lib", "--package", "-p", "--test", "--bin", "--bins", "--examples"})
VARIABLES = frozenset({"CARGO_BUILD_JOBS", "CARGO_INCREMENTAL", "RUST_MIN_STACK", "RUST_TEST_THREADS", "SQLX_OFFLINE"})
TEST_ARGUMENTS = frozenset({"--nocapture", "--test-threads=1", "--include-ignored", "--show-output"})
FORMAT_CONFIGS = ("rustfmt.toml", ".rustfmt.toml")
CLIPPY_CONFIGS = ("clippy.toml", ".clippy.toml")

UNSTABLE = frozenset(
    {"unstable_features", "imports_granularity", "group_imports", "wrap_comments", "format_strings", "comment_width"}
    | {
        "normalize_comments",
        "format_code_in_doc_comments",
        "imports_layout",
        "reorder_impl_items",
        "error_on_unformatted",
    }
    | {"format_macro_matchers", "overflow_delimited_expr", "condense_wildcard_suffixes", "blank_lines_upper_bound"}
    | {"doc_comment_code_block_width", "fn_single_line", "where_single_line", "struct_field_align_threshold"}
    | {"version", "indent_style", "brace_style", "control_brace_style", "trailing_comma", "trailing_semicolon"}
    | {
        "error_on_line_overflow",
        "hex_literal_case",
        "imports_indent",
        "normalize_doc_attributes",
        "match_block_trailing",
    }
)
"""Settings that stable rustfmt warns of and leaves out, so that its verdict is another one.

Source: https://rust-lang.github.io/rustfmt/.
"""


def choose_fast(tree: Tree, manifest: Document, channel: bool, workflows: Workflows, trail: Trail) -> tuple[str, ...]:
    """Return the commands for formatting and lint, each at most once. `channel` says that Rust is beta or nightly."""
    chosen: dict[str, str] = {}
    for seen in workflows.commands if trail.applies(rules.WORKFLOW_LINT) else ():
        command = _lint(seen)
        if command is not None and command.split()[1] not in chosen:
            chosen[command.split()[1]] = command
            rule = "the repository's own workflow runs it"
            trail.note("fast", seen.text, rule, file=seen.file, line=seen.line, by=rules.WORKFLOW_LINT)
    if "fmt" not in chosen and trail.applies(rules.RUSTFMT):
        command = _configured_format(tree, channel, trail)
        chosen |= {"fmt": command} if command else {}
    if "clippy" not in chosen and trail.applies(rules.CLIPPY):
        place = _clippy_config(tree, manifest)
        if place is not None:
            trail.note("fast", "cargo clippy", "Clippy is configured", file=place[0], line=place[1], by=rules.CLIPPY)
            chosen["clippy"] = "cargo clippy --all-targets"
    if "clippy" in chosen:
        chosen.pop("check", None)  # Clippy checks all that `cargo check` does
    return tuple(chosen[name] for name in ("fmt", "clippy", "check") if name in chosen)


def choose_full(
    manifest: Document, tree: Tree, extension: PythonBuild | None, workflows: Workflows, trail: Trail
) -> tuple[str, ...]:
    """Return the command that runs the tests. `extension` is where a Python package says that Rust builds it."""
    command = _by_workflow(workflows, trail)
    if command is not None:
        return (command,)
    if extension is not None and trail.applies(rules.EXTENSION):
        rule = "a Python package that is built from Rust: Python's tests are run"
        trail.note(
            "full",
            "cargo test",
            f"{rule}, not `cargo test`",
            file=extension.file,
            line=extension.line,
            by=rules.EXTENSION,
        )
        return ()
    if not trail.applies(rules.TESTS):
        return ()
    trail.note("full", "cargo test", "Cargo runs the tests", file="Cargo.toml", by=rules.TESTS)
    workspace = table(manifest, "workspace")
    members = "members" in workspace and "default-members" not in workspace
    if "package" in manifest and members and trail.applies(rules.WORKSPACE):
        line = toml_line(tree.text("Cargo.toml"), "workspace", "members")
        shown = ", ".join(strings(workspace["members"]))
        trail.note("full", shown, "members of the workspace", file="Cargo.toml", line=line, by=rules.WORKSPACE)
        return ("cargo test --workspace",)
    return ("cargo test",)


def _by_workflow(workflows: Workflows, trail: Trail) -> str | None:
    """Return the first `cargo test` of the workflows for all of the repository, with default features if any is."""
    if not trail.applies(rules.WORKFLOW_TESTS):
        return None
    calls = [call for seen in workflows.commands if (call := _test(seen))]
    wide = [call for _, call in calls if not NARROW & {word.partition("=")[0] for word in call.split()}]
    command = min(wide, key=lambda call: ("--no-default-features" in call, "--release" in call)) if wide else None
    for place, other in calls:
        chosen = other == command
        rule = "the repository's own workflow runs it" if chosen else "run by a workflow as well, not here"
        trail.note("full", other, rule, file=place.file, line=place.line, by=rules.WORKFLOW_TESTS)
    return command


def components(commands: tuple[str, ...]) -> tuple[str, ...]:
    """Return the components of Rust that commands need."""
    programs = {command.split()[1] for command in commands if command.startswith("cargo ")}
    return tuple(name for name, program in (("clippy", "clippy"), ("rustfmt", "fmt")) if program in programs)


def _cargo_words(seen: Seen) -> list[str]:
    """Return what stands behind `cargo`, without `+stable`; nothing where it runs in a folder or on another channel."""
    words = words_of(seen)
    if words[:1] != ["cargo"]:
        return []
    words = words[1:]
    if words[:1] == ["+stable"]:
        words = words[1:]
    return [] if words[:1] and words[0].startswith("+") else words


def _lint(seen: Seen) -> str | None:
    words = _cargo_words(seen)
    if words[:1] == ["fmt"]:
        flags = set(words[1:]) - {"--", "--all", "--check", "--verbose", "-v", "--package", "-p"}
        if "--check" not in words or flags:
            return None
        return "cargo fmt --all --check" if "--all" in words else "cargo fmt --check"
    if words[:1] not in (["clippy"], ["check"]):
        return None
    own, _, behind = _split(words[1:])
    arguments = CARGO_FLAGS.of(own)
    if arguments is None or any(not one.startswith("-") and not _is_value(arguments, one) for one in arguments):
        return None
    denied = _denied(behind)
    if denied is None or "--manifest-path" in arguments:
        return None
    return joined(["cargo", words[0], *arguments, *(["--", *denied] if denied else [])])


def _split(words: list[str]) -> tuple[list[str], bool, list[str]]:
    """Return what stands before `--`, whether there is one, and what stands behind it."""
    if "--" not in words:
        return words, False, []
    at = words.index("--")
    return words[:at], True, words[at + 1 :]


def _denied(words: list[str]) -> list[str] | None:
    """Return lint levels (`-D warnings`, `-Dwarnings`), None where something else stands among them."""
    waiting = iter(words)
    for word in waiting:
        if word in ("-D", "-W", "-A", "-F"):
            if not next(waiting, "").replace("::", "").replace("_", "").replace("-", "").isalnum():
                return None
        elif not (word[:2] in ("-D", "-W", "-A", "-F") and word[2:].replace("::", "").replace("_", "").isalnum()):
            return None
    return words


def _is_value(arguments: list[str], word: str) -> bool:
    before = arguments[arguments.index(word) - 1]
    return before in CARGO_FLAGS.kept_with_value


def _test(seen: Seen) -> tuple[Seen, str] | None:
    """Return the check that a workflow's command is here: `cargo test`, for nextest too."""
    words = _cargo_words(seen)
    nextest = words[:2] == ["nextest", "run"]
    if words[:1] != ["test"] and words[:1] != ["t"] and not nextest:
        return None
    own, _, behind = _split(words[2:] if nextest else words[1:])
    arguments = CARGO_FLAGS.of(own)
    if arguments is None or "--manifest-path" in arguments:
        return None
    if any(not one.startswith("-") and not _is_value(arguments, one) for one in arguments):
        return None
    if not set(behind) <= TEST_ARGUMENTS:
        return None
    command = joined(["cargo", "test", *arguments, *(["--", *behind] if behind and not nextest else [])])
    return seen, with_variables(command, seen, VARIABLES)


def _configured_format(tree: Tree, channel: bool, trail: Trail) -> str | None:
    for file in FORMAT_CONFIGS:
        if file not in tree.paths:
            continue
        settings = read_toml(tree, file)
        unstable = [key for key in settings if key in UNSTABLE]
        if unstable and not channel:
            rule = f"not run: `{unstable[0]}` needs a nightly Rust"
            line = toml_line("[_]\n" + (tree.text(file) or ""), "_", unstable[0])
            trail.note("fast", file, rule, file=file, line=(line or 2) - 1, by=rules.RUSTFMT)
            return None
        trail.note("fast", file, "the formatting is configured", file=file, by=rules.RUSTFMT)
        return "cargo fmt --all --check"
    return None


def _clippy_config(tree: Tree, manifest: Document) -> tuple[str, int | None] | None:
    for file in CLIPPY_CONFIGS:
        if file in tree.paths:
            return file, None
    for section in ("lints", "workspace.lints"):
        if table(manifest, *section.split("."), "clippy"):
            return "Cargo.toml", toml_line(tree.text("Cargo.toml"), f"{section}.clippy")
    return None
