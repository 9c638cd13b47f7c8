"""The tools that check Python without running it, and which calls of them leave the tree as it is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from orchestrator.planning.python import rules
from orchestrator.planning.python.calls import Call, read_call
from orchestrator.planning.rule import Rule
from orchestrator.planning.workflows import Seen

REWRITING = frozenset(
    {"--fix", "--write", "--in-place", "-i", "--add-noqa", "--install-types", "--unsafe-fixes", "--add-ignore", "-w"}
    | {"--write-changes", "--fix-only", "--writebaseline", "--watch"}
)


@dataclass(frozen=True, slots=True)
class Linter:
    """A checking tool. It is used where a file or section configures it, or a workflow runs it.

    `checking` holds the words without which a call would rewrite files. `by_dependency` says that a project which
    merely depends on it runs it, since it works without configuration. `alone` says that it needs nothing of the
    project, so that it can be had pinned. `call` is empty for a tool that only a workflow can say how to call.
    `hooks` are the ids of its pre-commit hooks, beside its own name.
    """

    name: str
    rule: Rule
    call: str = ""
    files: tuple[str, ...] = ()
    sections: tuple[tuple[str, str], ...] = ()
    checking: tuple[str, ...] = ()
    by_dependency: bool = False
    alone: bool = False
    hooks: tuple[str, ...] = ()


FLAKE8_SECTIONS = (("setup.cfg", "flake8"), ("tox.ini", "flake8"))
LINTERS = (
    Linter(
        *("ruff", rules.RUFF, "ruff check .", ("ruff.toml", ".ruff.toml")),
        checking=("check",),
        by_dependency=True,
        alone=True,
        hooks=("ruff-check",),
    ),
    Linter(
        *("black", rules.BLACK, "black --check ."),
        checking=("--check",),
        by_dependency=True,
        alone=True,
        hooks=("black-jupyter",),
    ),
    Linter(
        *(
            "isort",
            rules.ISORT,
            "isort --check-only .",
            (".isort.cfg",),
            (("setup.cfg", "isort"), ("tox.ini", "isort")),
        ),
        checking=("--check-only", "--check", "-c"),
        alone=True,
    ),
    Linter("flake8", rules.FLAKE8, "flake8", (".flake8",), FLAKE8_SECTIONS, by_dependency=True, alone=True),
    Linter("pylint", rules.PYLINT),
    Linter("pydocstyle", rules.PYDOCSTYLE, alone=True),
    Linter("mypy", rules.MYPY, "mypy", ("mypy.ini", ".mypy.ini"), (("setup.cfg", "mypy"),)),
    Linter("pyright", rules.PYRIGHT, "pyright", ("pyrightconfig.json",)),
    Linter("basedpyright", rules.BASEDPYRIGHT, "basedpyright"),
    Linter("ty", rules.TY, "ty check", ("ty.toml",), checking=("check",)),
    Linter("pyrefly", rules.PYREFLY, "pyrefly check", ("pyrefly.toml",), checking=("check",)),
)
BY_NAME = {linter.name: linter for linter in LINTERS}


def check_arguments(linter: Linter, words: tuple[str, ...]) -> list[str] | None:
    """Return the arguments if the call of this tool checks, and does not rewrite; else None."""
    words = _without_fixing(words)
    options = {word.partition("=")[0] for word in words}
    if words[:1] != (linter.name,) or REWRITING & options:
        return None
    if linter.name in ("ruff", "ty", "pyrefly") and words[1:2] != ("check",):
        return None
    if {"--version", "--help", "--show-settings", "--show-files"} & set(words):
        return None
    return list(words[1:]) if not linter.checking or set(linter.checking) & set(words) else None


def _without_fixing(words: tuple[str, ...]) -> tuple[str, ...]:
    """Return a call of ruff that fails where it fixed something as the one that only looks."""
    if words[:2] == ("ruff", "check") and "--exit-non-zero-on-fix" in words:
        return tuple(word for word in words if word not in ("--fix", "--exit-non-zero-on-fix"))
    return words


def format_arguments(words: tuple[str, ...]) -> list[str] | None:
    """Return the arguments if this is ruff checking the format, or failing where it changed some; else None."""
    asked = {"--check", "--diff", "--exit-non-zero-on-format"} & set(words)
    if words[:2] != ("ruff", "format") or not asked:
        return None
    return ["--check" if word == "--exit-non-zero-on-format" else word for word in words[1:]]


def checks(call: Call) -> bool:
    """Return whether a call is one of these tools, and leaves the tree as it is."""
    linter = BY_NAME.get(call.program)
    formats = format_arguments(call.words) is not None
    return formats or (linter is not None and check_arguments(linter, call.words) is not None)


def only_checks(lines: Iterable[str]) -> frozenset[str]:
    """Return the tools that check, where command lines call them and nothing else; none for no lines.

    An environment of a task runner is its own: what a line installs into it changes nothing of the tree.
    """
    found: set[str] = set()
    for line in lines:
        bare = line.strip().removeprefix("- ")
        if not bare or bare.startswith("#"):
            continue
        call = read_call(Seen("", None, bare))
        if call is None:
            return frozenset()
        if call.words[:2] == ("pip", "install"):
            continue
        if call.program == "mypy" and "--non-interactive" in call.words:
            call = replace(call, words=tuple(word for word in call.words if word != "--install-types"))
        if not checks(call):
            return frozenset()
        found.add(call.program)
    return frozenset(found)
