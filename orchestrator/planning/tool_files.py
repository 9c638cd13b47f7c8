"""Reads `.tool-versions`, `mise.toml` and `.mise.toml`, which name exact versions of any tool."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from draftsman.domain.plan import Tree
from orchestrator.planning.documents import malformed, read_toml, table, toml_line
from orchestrator.planning.trail import show

MISE_FILES = ("mise.toml", ".mise.toml")
TOOL_FILES = (".tool-versions", *MISE_FILES)


@dataclass(frozen=True, slots=True)
class ToolHint:
    """One tool's version as written, and where."""

    file: str
    line: int
    text: str


def read_tool_files(tree: Tree, names: tuple[str, ...]) -> Iterator[ToolHint]:
    """Yield what these files say for a tool that goes by any of `names`, at most one hint for each of them and file."""
    for number, raw in enumerate((tree.text(".tool-versions") or "").splitlines(), start=1):
        words = raw.split("#")[0].split()
        if words and words[0] in names:
            if len(words) < 2:
                raise malformed(".tool-versions", number, f"no version stands after {show(words[0])!r}.")
            if words[1] not in ("system", "latest"):
                yield ToolHint(".tool-versions", number, words[1])
            break  # the first line decides
    for path in MISE_FILES:
        tools = table(read_toml(tree, path), "tools")
        for name in names:
            value = tools.get(name)
            value = value.get("version") if isinstance(value, dict) else value
            value = value[0] if isinstance(value, list) and value else value
            if isinstance(value, str) and value not in ("system", "latest"):
                yield ToolHint(path, toml_line(tree.text(path), "tools", name) or 1, value)
