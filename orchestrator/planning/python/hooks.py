"""Reads the hooks of a pre-commit configuration: which tools, at which release, with which arguments."""

from __future__ import annotations

import re
from dataclasses import dataclass

from orchestrator.planning import grammar
from orchestrator.planning.documents import line_of, read_yaml, strings
from orchestrator.planning.python.calls import Call, read_call
from orchestrator.planning.python.project import PythonProject
from orchestrator.planning.workflows import Seen

FILE = ".pre-commit-config.yaml"
FROZEN = r"rev:[ \t]*+[\"']?%s[\"']?[ \t]*+#[ \t]*+frozen:[ \t]*+v?([0-9]+(?:\.[0-9]+){1,3})"
COMMIT = re.compile(r"[0-9a-f]{40}")
MAX_REPOSITORIES = 60
MAX_HOOKS = 30


@dataclass(frozen=True, slots=True)
class Hook:
    """A hook. `release` is that of its tool, None where it cannot be told. `partial` says that it skips files.

    `call` holds the words that a hook of the repository's own calls, where it is given no names of files.
    """

    name: str
    line: int | None
    release: str | None
    arguments: tuple[str, ...]
    dependencies: tuple[str, ...]
    partial: bool
    call: tuple[str, ...] = ()


def read_hooks(project: PythonProject) -> dict[str, Hook]:
    """Return the hooks by their ids; none where the configuration is absent or cannot be read."""
    document = read_yaml(project.tree, FILE)
    text = project.tree.text(FILE) or ""
    repositories = document.get("repos") if isinstance(document, dict) else None
    skips = isinstance(document, dict) and "exclude" in document
    found: dict[str, Hook] = {}
    for repository in repositories[:MAX_REPOSITORIES] if isinstance(repositories, list) else []:
        if not isinstance(repository, dict):
            continue
        release = _release(text, repository.get("rev"))
        hooks = repository.get("hooks")
        for hook in hooks[:MAX_HOOKS] if isinstance(hooks, list) else []:
            name = hook.get("id") if isinstance(hook, dict) else None
            if isinstance(name, str) and grammar.fits(grammar.SCRIPT, name) and name not in found:
                partial = skips or bool({"files", "exclude", "types_or", "stages"} & set(hook))
                partial = partial or hook.get("types", ["python"]) != ["python"]
                pattern = rf"^[ \t]*+(?:-[ \t]*+)?id:[ \t]*+[\"']?{re.escape(name)}[\"']?[ \t\r]*+(?:#.*)?$"
                arguments, needs = strings(hook.get("args")), strings(hook.get("additional_dependencies"))
                line = line_of(text, pattern)
                called = _local_call(hook, arguments) if repository.get("repo") == "local" else None
                if called is None:
                    found[name] = Hook(name, line, release, arguments, needs, partial)
                else:
                    tool = "ruff-format" if called.words[:2] == ("ruff", "format") else called.program
                    words = called.words if hook.get("pass_filenames") == "false" else ()
                    found.setdefault(tool, Hook(name, line, None, arguments, needs, partial, words))
    return found


def _local_call(hook: dict[str, object], arguments: tuple[str, ...]) -> Call | None:
    """Return what a hook of the repository's own calls: its `entry` (`uv run ruff check`) with its arguments."""
    entry = hook.get("entry")
    words = " ".join([entry, *map(grammar.quoted, arguments)]) if isinstance(entry, str) else ""
    return read_call(Seen(FILE, None, words))


def _release(text: str, revision: object) -> str | None:
    """Return the release that a revision names: `v1.2.3`, or a commit frozen from it."""
    if not isinstance(revision, str):
        return None
    if COMMIT.fullmatch(revision):
        match = re.search(FROZEN % revision, text)
        return match.group(1) if match else None
    bare = revision.removeprefix("v")
    return bare if grammar.fits(grammar.PIN, bare) else None
