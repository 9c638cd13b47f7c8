"""What is run of a Go project: vet, formatting, and `go test` as its workflow runs it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from draftsman.domain.plan import Tree
from orchestrator.planning.command_flags import Flags, joined, with_variables, words_of
from orchestrator.planning.documents import line_of
from orchestrator.planning.go import rules
from orchestrator.planning.go.formatting import format_check
from orchestrator.planning.go.module import GoModule
from orchestrator.planning.trail import Trail
from orchestrator.planning.workflows import Seen, Workflows

VARIABLES = frozenset({"CGO_ENABLED", "GOEXPERIMENT", "GOFLAGS", "GODEBUG"})
FLAGS = Flags(
    kept=frozenset({"-race", "-short", "-failfast", "-v", "-trimpath"}),
    kept_with_value=frozenset(
        {
            "-tags",
            "-timeout",
            "-count",
            "-p",
            "-parallel",
            "-shuffle",
            "-mod",
            "-run",
            "-skip",
            "-vet",
            "-cpu",
            "-ldflags",
        }
    ),
    dropped=frozenset({"-cover", "-json"}),
    dropped_with_value=frozenset({"-coverprofile", "-covermode", "-coverpkg"}),
)
PACKAGES = re.compile(r"\./[A-Za-z0-9_./-]{0,200}|\.")
MAX_PACKAGES = 30
"""Patterns that one command names; more of them are taken for all of the module."""

FILTERS = ("-run", "-skip")
MAKE_TARGETS = ("test", "tests", "unit-test", "test-unit", "unit", "check")
NOT_INSTALLED = re.compile(r"docker|gotestsum|golangci|ginkgo|kind|envtest|\$\(shell|\$\(MAKE\)|\./")


@dataclass(frozen=True, slots=True)
class Call:
    """A workflow's `go test` as it is run here; `filtered` says that it leaves tests of its packages out."""

    seen: Seen
    command: str
    flags: tuple[str, ...]
    packages: tuple[str, ...]
    filtered: bool


def choose_fast(
    tree: Tree, module: GoModule, workflows: Workflows, trail: Trail, *, linted: bool = False
) -> tuple[str, ...]:
    """Return the commands that vet, and check the formatting where a workflow does.

    `linted` says that a linter runs which calls vet itself.
    """
    commands = []
    if trail.applies(rules.VET) and not linted:
        patterns = _patterns(tree, module, trail)
        trail.note("fast", "go vet", "it comes with Go, and reads all packages", by=rules.VET)
        commands.append(f"go vet {patterns}")
    place = format_check(tree, workflows)
    if place is not None and trail.applies(rules.GOFMT):
        trail.note(
            "fast", place.command, "a workflow checks the formatting", file=place.file, line=place.line, by=rules.GOFMT
        )
        commands.append(f"! {place.command} | grep .")
    return tuple(commands)


def choose_full(tree: Tree, module: GoModule, workflows: Workflows, trail: Trail) -> tuple[str, ...]:
    """Return the command that runs the tests, none where there are none."""
    tests = _test_files(tree, module, trail)
    if not tests or not trail.applies(rules.TESTS):
        return ()
    command = _by_workflow(tests, workflows, trail)
    if command is not None:
        return (command,)
    made = _make_test(tree, workflows)
    if made is not None and trail.applies(rules.MAKE):
        place, line = made
        rule = f"{place.file} runs it, and its recipe is `go test`"
        trail.note("full", place.text, rule, file="Makefile", line=line, by=rules.MAKE)
        return (place.text,)
    trail.note("full", tests[0], "`_test.go` files: `go test`", file=tests[0], by=rules.TESTS)
    return (f"go test {_patterns(tree, module, trail)}",)


def _by_workflow(tests: list[str], workflows: Workflows, trail: Trail) -> str | None:
    """Return the widest `go test` of the workflows, the first without tags where there is a choice."""
    if not trail.applies(rules.WORKFLOW_TESTS):
        return None
    seen = [found for found in map(_go_test, workflows.commands) if found]
    whole = [one for one in seen if not one.filtered]
    wide = [one for one in whole if "./..." in one.packages]
    command = _plainest(wide).command if wide else _together(tests, whole, trail)
    for one in seen:
        chosen = one.command == command
        rule = "the repository's own workflow runs it" if chosen else "run by a workflow as well, not here"
        place = one.seen
        trail.note("full", one.command, rule, file=place.file, line=place.line, by=rules.WORKFLOW_TESTS)
    return command


def _plainest(calls: list[Call]) -> Call:
    return min(calls, key=lambda one: "-tags" in one.command)


def _together(tests: list[str], calls: list[Call], trail: Trail) -> str | None:
    """Return one command for calls that test parts of the module: what they have in common, of all their packages."""
    parts = [one for one in calls if any(word.endswith("...") for word in one.packages)]
    plain = [one for one in parts if "-tags" not in one.command] or parts
    if not plain:
        return None
    packages = list(dict.fromkeys(word for one in plain for word in one.packages))
    if len(packages) < 2 or len(plain) < 2 or not trail.applies(rules.PARTS):
        return _plainest(parts).command
    first = plain[0]
    flags = [word for word in first.flags if all(word in other.flags for other in plain)]
    many = len(packages) > MAX_PACKAGES
    covered = many or all(any(_is_in(path, pattern) for pattern in packages) for path in tests)
    shown = ["./..."] if covered else packages
    command = with_variables(joined(["go", "test", *flags, *shown]), first.seen, VARIABLES)
    rule = f"{len(plain)} commands of the workflows test parts of it: here in one"
    trail.note("full", command, rule, file=first.seen.file, line=first.seen.line, by=rules.PARTS)
    return command


def _is_in(path: str, pattern: str) -> bool:
    folder = pattern.removeprefix("./").removesuffix("...").rstrip("/")
    inside = path.rpartition("/")[0]
    return inside == folder or (pattern.endswith("...") and (not folder or f"{inside}/".startswith(f"{folder}/")))


def _patterns(tree: Tree, module: GoModule, trail: Trail) -> str:
    """Return the packages of all modules that count: the top's, or the workspace's."""
    if not module.used or not trail.applies(rules.WORKSPACE):
        return "./..."
    present = [one for one in module.used if one == "." or f"{one}/go.mod" in tree.paths]
    line = line_of(tree.text("go.work"), r"^use")
    trail.note(
        "full", ", ".join(present), "the modules of the workspace", file="go.work", line=line, by=rules.WORKSPACE
    )
    return " ".join("./..." if one == "." else f"./{one}/..." for one in present) or "./..."


def _test_files(tree: Tree, module: GoModule, trail: Trail) -> list[str]:
    """Return the test files, without those of vendored code and of modules that do not count."""
    nested = {path.removesuffix("go.mod") for path in tree.paths if path.endswith("/go.mod")}
    if trail.applies(rules.WORKSPACE):
        nested -= {f"{one}/" for one in module.used}
    tests = sorted(path for path in tree.paths if path.endswith("_test.go"))
    return [path for path in tests if not _apart(path, nested)]


def _apart(path: str, nested: set[str]) -> bool:
    folders = path.split("/")[:-1]
    if any(one in ("vendor", "testdata") or one[:1] in "._" for one in folders):
        return True
    return any("/".join(folders[:depth]) + "/" in nested for depth in range(1, len(folders) + 1))


def _go_test(seen: Seen) -> Call | None:
    """Return the check that a workflow's command is here: `go test`, or what `gotestsum` would call."""
    words = words_of(seen)
    if words[:1] == ["gotestsum"]:
        words = ["go", "test", *(words[words.index("--") + 1 :] if "--" in words else ["./..."])]
    if words[:2] != ["go", "test"]:
        return None
    arguments = FLAGS.of(f"-{word.lstrip('-')}" if word.startswith("--") else word for word in words[2:])
    if arguments is None:
        return None
    packages = tuple(word for word in arguments if word.startswith("."))
    if not all(map(PACKAGES.fullmatch, packages)) or not packages:
        return None
    if any(".." in word.replace("...", "") for word in packages):
        return None
    command = with_variables(joined(["go", "test", *arguments]), seen, VARIABLES)
    flags = tuple(_whole_flags(arguments))
    return Call(seen, command, flags, packages, any(flag.startswith(FILTERS) for flag in flags))


def _whole_flags(arguments: list[str]) -> Iterator[str]:
    """Yield the flags, each with its value behind `=`, so that each is one word."""
    waiting = iter(arguments)
    for word in waiting:
        if word in FLAGS.kept_with_value:
            yield f"{word}={next(waiting, '')}"
        elif word.startswith("-"):
            yield word


def _make_test(tree: Tree, workflows: Workflows) -> tuple[Seen, int] | None:
    text = tree.text("Makefile") or ""
    for seen in workflows.commands:
        words = words_of(seen)
        if len(words) != 2 or words[0] != "make" or words[1] not in MAKE_TARGETS:
            continue
        line = line_of(text, rf"^{words[1]}:")
        recipe = text.splitlines()[line or 0 :] if line else []
        body = []
        for one in recipe:
            if not one.startswith("\t"):
                break
            body.append(one)
        joined = "\n".join(body)
        if line and "go test" in joined and not NOT_INSTALLED.search(joined.replace("./...", "")):
            return seen, line
    return None
