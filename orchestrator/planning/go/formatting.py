"""Whether a workflow checks with gofmt, and with which flags and folders."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from draftsman.domain.plan import Tree
from orchestrator.planning import grammar
from orchestrator.planning.makefile import called_targets, read_makefile
from orchestrator.planning.workflows import Seen, Workflows, is_workflow

FORMAT_CHECK = re.compile(r"\bgofmt(?P<flags>(?: -[sled]{1,4}){1,4})(?P<paths>(?: [A-Za-z0-9_./*-]{1,100}){0,5})")
MAX_WORKFLOWS = 10
MAX_LINES = 20_000
MAX_LINE = 1000


@dataclass(frozen=True, slots=True)
class FormatCheck:
    """The command that lists files which are not formatted, and where the one of the repository stands."""

    command: str
    file: str
    line: int


def format_check(tree: Tree, workflows: Workflows) -> FormatCheck | None:
    """Return the check of the first workflow that lists unformatted files or shows how they differ.

    Such lines hold `$(...)`, so they are no plain commands: they are looked for in the recipes of the make targets
    that workflows call, and in the text of the workflows.
    """
    for file, line, text in (*_plain(workflows.commands), *_recipes(tree, workflows), *_lines(tree)):
        match = FORMAT_CHECK.search(text[:MAX_LINE])
        flags = set(match.group("flags")) if match else set()
        if match and flags & {"l", "d"}:
            simplified = " -s" if "s" in flags else ""
            return FormatCheck(f"gofmt{simplified} -l {_files(tree, match.group('paths'))}", file, line)
    return None


def _plain(commands: tuple[Seen, ...]) -> Iterator[tuple[str, int, str]]:
    yield from ((seen.file, seen.line or 1, seen.text) for seen in commands if seen.text.startswith("gofmt "))


def _recipes(tree: Tree, workflows: Workflows) -> Iterator[tuple[str, int, str]]:
    makefile = read_makefile(tree)
    if makefile is None:
        return
    called = (seen for seen in workflows.commands if not seen.folder)
    for name in dict.fromkeys(name for seen in called for name in called_targets(seen.text)):
        target = makefile.targets.get(name)
        yield from ((makefile.path, number, text) for number, text in (target.lines if target else ()))


def _lines(tree: Tree) -> Iterator[tuple[str, int, str]]:
    for path in sorted(filter(is_workflow, tree.paths))[:MAX_WORKFLOWS]:
        text = tree.text(path) or ""
        for number, line in enumerate(text.splitlines()[:MAX_LINES], start=1) if "gofmt" in text else ():
            yield path, number, line


def _files(tree: Tree, given: str) -> str:
    """Return the folders and files that are named, where all are in the commit; else all but vendored ones."""
    named = [word.rstrip("/") for word in given.split()]
    folders = {path.rpartition("/")[0] for path in tree.paths}
    there = [word for word in named if grammar.is_tree_path(word) and (word in folders or word in tree.paths)]
    if named and len(there) == len(named) and "." not in named:
        return " ".join(there)
    vendored = any(path.startswith("vendor/") for path in tree.paths)
    return "$(git ls-files '*.go' ':!vendor')" if vendored else "."
