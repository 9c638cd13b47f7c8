"""The fast checks of Python: which linters and type checkers a repository uses, and how they are called."""

from __future__ import annotations

import re
from bisect import bisect_left
from dataclasses import dataclass

from orchestrator.planning import grammar
from orchestrator.planning.documents import line_of, read_ini, read_toml, table, toml_line
from orchestrator.planning.python.project import PythonProject
from orchestrator.planning.python.setup import PythonSetup
from orchestrator.planning.trail import Trail
from orchestrator.planning.versions import RUFF
from orchestrator.planning.workflows import Seen, Workflows

RUFF_HOOK = re.compile(
    r"ruff-pre-commit/?[\"']?[ \t]*\n[ \t]*rev:[ \t]*[\"']?"
    r"(?:[0-9a-f]{40}[\"']?[ \t]*#[ \t]*frozen:[ \t]*)?v?([0-9]+(?:\.[0-9]+){1,3})"
)
"""The release in a pre-commit configuration, also where it is frozen to a commit."""

REWRITING = ("--fix", "--write", "--in-place", "-i", "--add-noqa", "--install-types")


@dataclass(frozen=True, slots=True)
class Linter:
    """A checking tool. It is used where a file or section configures it, or a workflow runs it.

    `checking` holds the words without which a call would rewrite files. `by_dependency` says that a
    project which merely depends on it runs it, since it works without configuration.
    """

    name: str
    call: str
    files: tuple[str, ...] = ()
    sections: tuple[tuple[str, str], ...] = ()
    checking: tuple[str, ...] = ()
    by_dependency: bool = False


LINTERS = (
    Linter("ruff", "ruff check .", ("ruff.toml", ".ruff.toml"), checking=("check",), by_dependency=True),
    Linter("black", "black --check .", checking=("--check",), by_dependency=True),
    Linter("isort", "isort --check-only .", (".isort.cfg",), checking=("--check-only", "--check", "-c")),
    Linter("flake8", "flake8", (".flake8",), (("setup.cfg", "flake8"), ("tox.ini", "flake8")), (), True),
    Linter("mypy", "mypy", ("mypy.ini", ".mypy.ini"), (("setup.cfg", "mypy"),)),
    Linter("pyright", "pyright", ("pyrightconfig.json",)),
)


@dataclass(frozen=True, slots=True)
class FastChecks:
    """The fast commands, and what setup has to install for them besides."""

    commands: tuple[str, ...]
    additions: tuple[str, ...]


def choose_linters(project: PythonProject, setup: PythonSetup, workflows: Workflows, trail: Trail) -> FastChecks:
    """Return the fast checks of the tools that the repository uses and that are, or can be, installed."""
    commands: list[str] = []
    additions: list[str] = []
    for linter in LINTERS:
        found = _reason(linter, project, setup, workflows)
        if found is None:
            continue
        file, line, reason = found
        start = setup.prefix + linter.name
        if linter.name not in setup.names:
            pinned = _pinned(linter, project, setup)
            if pinned is None:
                rule = f"{reason}, but setup does not install {linter.name}: not run"
                trail.note("fast", linter.name, rule, file=file, line=line)
                continue
            start, addition, why = pinned
            additions += [addition] if addition else []
            trail.note("setup", addition or start, why)
        for call, rule in _calls(linter, project, workflows):
            commands.append(start + call.removeprefix(linter.name))
            trail.note("fast", commands[-1], f"{reason}{rule}", file=file, line=line)
    return FastChecks(tuple(dict.fromkeys(commands)), tuple(additions))


def _reason(
    linter: Linter, project: PythonProject, setup: PythonSetup, workflows: Workflows
) -> tuple[str | None, int | None, str] | None:
    """Return file, line and reason why the repository uses the tool, or None where it does not."""
    tree = project.tree
    if linter.name in table(project.pyproject, "tool"):
        line = toml_line(tree.text("pyproject.toml"), f"tool.{linter.name}")
        return "pyproject.toml", line, f"`[tool.{linter.name}]` configures it"
    for file in linter.files:
        if file in tree.paths:
            return file, 1, f"`{file}` configures it"
    for file, section in linter.sections:
        if read_ini(tree, file).has_section(section):
            return file, line_of(tree.text(file), rf"^\[{section}\]"), f"`[{section}]` configures it"
    for seen in workflows.commands:
        if _arguments(linter, seen) is not None:
            return seen.file, seen.line, "the repository's own workflow runs it"
    # Beside ruff, black and flake8 are often there for something else (the code in documentation, say).
    alone = linter.name == "ruff" or ("ruff" not in setup.names and "ruff" not in table(project.pyproject, "tool"))
    if linter.by_dependency and alone and linter.name in setup.names:
        return None, None, "the project depends on it"
    hook = _hook(project, linter.name)
    return (".pre-commit-config.yaml", hook, "a pre-commit hook runs it") if hook else None


def _calls(linter: Linter, project: PythonProject, workflows: Workflows) -> list[tuple[str, str]]:
    """Return the calls of a tool, each with what to add to the reason."""
    for seen in workflows.commands:
        arguments = _arguments(linter, seen)
        if arguments is not None and _stays_in(project, arguments):
            calls = [(" ".join([linter.name, *arguments]), f"; as in {seen.file}:{seen.line}")]
            break
    else:
        calls = [(_mypy(project) if linter.name == "mypy" else linter.call, "")]
    if linter.name == "ruff" and (why := _wants_ruff_format(project, workflows)):
        calls.append(("ruff format --check .", f"; {why}"))
    return calls


def _arguments(linter: Linter, seen: Seen) -> list[str] | None:
    """Return the arguments if a workflow's command calls this tool to check, not to rewrite."""
    words = re.sub(r"^(uv run( --[a-z-]+)* |poetry run |pdm run |uvx |python3? -m )+", "", seen.text).split()
    if words[:1] != [linter.name] or any(word in REWRITING for word in words):
        return None
    if linter.name == "ruff" and words[1:2] != ["check"]:
        return None
    return words[1:] if not linter.checking or set(linter.checking) & set(words) else None


def _stays_in(project: PythonProject, arguments: list[str]) -> bool:
    """Return whether all paths among the arguments are paths of this commit."""
    paths = [word for word in arguments if not word.startswith("-") and word not in ("check", "format")]
    return all(word == "." or has_path(project, word) for word in paths)


def has_path(project: PythonProject, path: str) -> bool:
    """Return whether the commit has this file or folder."""
    bare = path.rstrip("/").removeprefix("./")
    inside = bisect_left(project.paths, f"{bare}/")
    return bare in project.tree.paths or any(one.startswith(f"{bare}/") for one in project.paths[inside : inside + 1])


def _mypy(project: PythonProject) -> str:
    """Return the call: with no arguments where the configuration says what to check, else `src`, or packages."""
    settings = set(table(project.pyproject, "tool", "mypy"))
    for file in ("mypy.ini", ".mypy.ini", "setup.cfg"):
        parser = read_ini(project.tree, file)
        settings |= set(parser["mypy"]) if parser.has_section("mypy") else set()
    if settings & {"files", "packages", "modules"}:
        return "mypy"
    if any(path.startswith("src/") for path in project.sources):
        return "mypy src"
    packages = sorted(
        path.removesuffix("/__init__.py")
        for path in project.sources
        if path.count("/") == 1 and path.endswith("/__init__.py") and grammar.is_tree_path(path)
    )
    packages = [name for name in packages if name not in ("test", "tests")]
    return f"mypy {' '.join(packages)}" if 0 < len(packages) < 10 else "mypy ."


def _wants_ruff_format(project: PythonProject, workflows: Workflows) -> str | None:
    """Return why the format is checked too, or None."""
    if "format" in table(project.pyproject, "tool", "ruff"):
        return "`[tool.ruff.format]` is set"
    for file in ("ruff.toml", ".ruff.toml"):
        if "format" in read_toml(project.tree, file):
            return f"`[format]` is set in {file}"
    for seen in workflows.commands:
        if "ruff format" in seen.text and "--check" in seen.text.split():
            return f"{seen.file}:{seen.line} checks the format"
    return "a pre-commit hook formats" if _hook(project, "ruff-format") else None


def _hook(project: PythonProject, name: str) -> int | None:
    """Return the line of a pre-commit hook of this id (ruff's is also called `ruff-check`)."""
    return line_of(
        project.tree.text(".pre-commit-config.yaml"),
        rf"^[ \t]*+(?:-[ \t]*+)?id:[ \t]*+[\"']?{re.escape(name)}(?:-check)?[\"']?[ \t\r]*+$",
    )


def _pinned(linter: Linter, project: PythonProject, setup: PythonSetup) -> tuple[str, str, str] | None:
    """Return how to start a tool that is not installed, what setup adds for it, and why; None if it cannot be had.

    Only ruff can: it is one binary that needs nothing of the project. Type checkers need its dependencies.
    """
    if linter.name != "ruff" or (setup.complete and setup.manager == "pip"):
        return None
    release, source = _ruff_release(project)
    why = f"ruff is configured but not among the dependencies: {source}"
    if setup.manager == "uv":
        return f"uvx ruff@{release}", "", why
    return "ruff", f"pip install ruff=={release}", why


def _ruff_release(project: PythonProject) -> tuple[str, str]:
    """Return the release of ruff, from `required-version` or the pre-commit hook, else our pin; and its source."""
    documents = (table(project.pyproject, "tool", "ruff"), read_toml(project.tree, "ruff.toml"))
    for document in documents:
        required = document.get("required-version")
        if isinstance(required, str) and grammar.fits(grammar.PIN, required.removeprefix("==")):
            return required.removeprefix("=="), "`required-version` names the release"
    hook = RUFF_HOOK.search(project.tree.text(".pre-commit-config.yaml") or "")
    if hook and grammar.fits(grammar.PIN, hook.group(1)):
        return hook.group(1), "the pre-commit hook names the release"
    return RUFF, "Draftsman's release of it"
