"""What is run of a Go project: vet, formatting, and `go test` as its workflow runs it."""

from __future__ import annotations

import re

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
MAKE_TARGETS = ("test", "tests", "unit-test", "test-unit", "unit", "check")
NOT_INSTALLED = re.compile(r"docker|gotestsum|golangci|ginkgo|kind|envtest|\$\(shell|\$\(MAKE\)|\./")


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
        trail.note("fast", place.command, "a workflow checks the formatting", file=place.file, line=place.line, by=rules.GOFMT)
        commands.append(f"! {place.command} | grep .")
    return tuple(commands)


def choose_full(tree: Tree, module: GoModule, workflows: Workflows, trail: Trail) -> tuple[str, ...]:
    """Return the command that runs the tests, none where there are none."""
    tests = _test_files(tree, module, trail)
    if not tests or not trail.applies(rules.TESTS):
        return ()
    command = _by_workflow(workflows, trail)
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


def _by_workflow(workflows: Workflows, trail: Trail) -> str | None:
    """Return the widest `go test` of the workflows, the first without tags where there is a choice."""
    if not trail.applies(rules.WORKFLOW_TESTS):
        return None
    seen = [found for found in map(_go_test, workflows.commands) if found]
    wide = [found for found in seen if "./..." in found[1].split()] or [one for one in seen if "..." in one[1]]
    command = min(wide, key=lambda found: "-tags" in found[1])[1] if wide else None
    for place, other in seen:
        chosen = other == command
        rule = "the repository's own workflow runs it" if chosen else "run by a workflow as well, not here"
        trail.note("full", other, rule, file=place.file, line=place.line, by=rules.WORKFLOW_TESTS)
    return command


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


def _go_test(seen: Seen) -> tuple[Seen, str] | None:
    """Return the check that a workflow's command is here: `go test`, or what `gotestsum` would call."""
    words = words_of(seen)
    if words[:1] == ["gotestsum"]:
        words = ["go", "test", *(words[words.index("--") + 1 :] if "--" in words else ["./..."])]
    if words[:2] != ["go", "test"]:
        return None
    arguments = FLAGS.of(f"-{word.lstrip('-')}" if word.startswith("--") else word for word in words[2:])
    if arguments is None:
        return None
    positional = [word for word in arguments if word.startswith(".")]
    if not all(map(PACKAGES.fullmatch, positional)) or not positional:
        return None
    if any(".." in word.replace("...", "") for word in positional):
        return None
    return seen, with_variables(joined(["go", "test", *arguments]), seen, VARIABLES)


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
