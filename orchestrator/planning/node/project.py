"""What the files of a Node repository say, read once."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property

from draftsman.domain.plan import Tree
from orchestrator.planning import grammar
from orchestrator.planning.documents import Document, json_line, read_json, read_yaml, strings, table
from orchestrator.planning.node.scripts import Scripts

READ = (
    ".node-version",
    ".nvmrc",
    "package.json",
    ".npmrc",
    ".yarnrc.yml",
    "pnpm-workspace.yaml",
    "lerna.json",
    "turbo.json",
    "nx.json",
    ".bun-version",
    ".devcontainer/devcontainer.json",
    ".devcontainer.json",
    "yarn.lock",
    "pnpm-lock.yaml",
)
MAX_MEMBERS = 40
MAX_TEST_FILES = 6
MAX_DEPTH = 4
MAX_PATTERNS = 50
LOCK_HEAD = 4000
"""Bytes at the start of a lock that are read: its version stands there."""

VERSION_FILE = re.compile(r"(?:[^/]+/){1,3}\.n(?:vmrc|ode-version)")
TEST_FILE = re.compile(r"(?:[^/]+/){0,5}(?:[^/]+[._](?:test|spec)|test)\.[cm]?[jt]sx?")
ASIDE = re.compile(
    r"(?:^|/)(?:node_modules|vendor|third_party|fixtures?|__fixtures__|testdata|examples?|templates?|docs?|website)/"
)
"""Folders whose manifests belong to nobody's tests."""


@dataclass(frozen=True)
class Member:
    """A workspace: its folder, its manifest and its scripts."""

    folder: str
    manifest: Document
    scripts: Scripts


@dataclass(frozen=True)
class NodeProject:
    """The top manifest of a commit, and what can be told from it. `text` is its text, for line numbers."""

    tree: Tree
    manifest: Document
    text: str

    @cached_property
    def scripts(self) -> Scripts:
        """Return the scripts of the top manifest."""
        return _scripts(self.manifest, self.text)

    @cached_property
    def members(self) -> tuple[Member, ...]:
        """Return the workspaces whose manifests were read, in order of folder."""
        patterns = self.workspace_patterns
        if not patterns:
            return ()
        found = []
        for path in sorted(path for path in self.tree.contents if path.endswith("/package.json")):
            folder = path.removesuffix("/package.json")
            if _is_member(folder, patterns) and grammar.is_tree_path(folder):
                manifest = _lenient(self.tree, path)
                found.append(Member(folder, manifest, _scripts(manifest, self.tree.text(path) or "")))
        return tuple(found)

    @cached_property
    def workspace_patterns(self) -> tuple[str, ...]:
        """Return the patterns of workspace folders, from whichever file names them."""
        declared = self.manifest.get("workspaces")
        declared = declared.get("packages") if isinstance(declared, dict) else declared
        pnpm = table(read_yaml(self.tree, "pnpm-workspace.yaml")).get("packages")
        lerna = _lenient(self.tree, "lerna.json").get("packages")
        patterns = (*strings(declared), *strings(pnpm), *strings(lerna))
        return tuple(dict.fromkeys(one.removeprefix("./").rstrip("/") for one in patterns if len(one) < 100))[
            :MAX_PATTERNS
        ]

    @cached_property
    def dependencies(self) -> dict[str, str]:
        """Return the names of what setup installs at the top and in the workspaces, each with its manifest."""
        found: dict[str, str] = {}
        manifests = [("package.json", self.manifest)]
        manifests += [(f"{member.folder}/package.json", member.manifest) for member in self.members]
        for file, manifest in manifests:
            for kind in ("dependencies", "devDependencies", "optionalDependencies"):
                for name in table(manifest, kind):
                    found.setdefault(name, file)
        return found

    def line(self, *keys: str) -> int | None:
        """Return the line of nested keys of the top manifest."""
        return json_line(self.text, *keys)

    def head(self, path: str) -> str:
        """Return the start of a file, as a lock is too large to be read whole."""
        return self.tree.contents.get(path, b"")[:LOCK_HEAD].decode("utf-8", errors="replace")


def read_project(tree: Tree) -> NodeProject:
    """Return the project, empty where there is no package.json. Raises PlanError where that is malformed."""
    return NodeProject(tree, read_json(tree, "package.json"), tree.text("package.json") or "")


def reads(paths: frozenset[str]) -> list[str]:
    """Return the files that planning of Node needs, the weightiest first."""
    if "package.json" not in paths:
        return [path for path in READ[:2] if path in paths]
    members: list[str] = []
    tests: list[str] = []
    others: list[str] = []
    for path in paths:
        if path.count("/") > MAX_DEPTH:
            continue
        if path.endswith("/package.json"):
            members.append(path)
        elif path.endswith((".js", ".ts", ".mjs", ".cjs", ".mts", ".tsx", ".jsx")):
            if ("test" in path or "spec" in path) and TEST_FILE.fullmatch(path):
                tests.append(path)
        elif path.endswith((".nvmrc", ".node-version")) and VERSION_FILE.fullmatch(path):
            others.append(path)
    return [
        *(path for path in READ if path in paths),
        *_first(others, 3),
        *_first(members, MAX_MEMBERS),
        *_first(tests, MAX_TEST_FILES),
    ]


def _first(paths: Iterable[str], count: int) -> list[str]:
    kept = [path for path in paths if not ASIDE.search(path)]
    return sorted(kept, key=lambda path: (path.count("/"), path))[:count]


def _is_member(folder: str, patterns: tuple[str, ...]) -> bool:
    matched = False
    for pattern in patterns:
        if _matches(folder, pattern.lstrip("!")):
            matched = not pattern.startswith("!")
    return matched


def _matches(folder: str, pattern: str) -> bool:
    """Match as workspaces do: `*` stays inside one folder, `**` does not."""
    if "**" in pattern:
        return fnmatchcase(folder, re.sub(r"\*\*+/?", "*", pattern))
    return folder.count("/") == pattern.count("/") and fnmatchcase(folder, pattern)


def _scripts(manifest: Document, text: str) -> Scripts:
    commands = table(manifest, "scripts")
    return Scripts({name: one for name, one in commands.items() if isinstance(one, str)}, text)


def _lenient(tree: Tree, path: str) -> Document:
    """Return a JSON object that decides nothing by itself; empty where it cannot be read."""
    try:
        document = json.loads(tree.text(path) or "{}")
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}
