"""Says which folders of a commit are submodules: their files are not fetched, so checks that need them fail."""

from __future__ import annotations

import re

from draftsman.domain.plan import Tree
from orchestrator.planning import any_rules
from orchestrator.planning.trail import Trail, show

FILE = ".gitmodules"
MAX_NAMED = 5
_PATH = re.compile(r"^[ \t]*+path[ \t]*+=[ \t]*+(\S[^\r\n]*+)", re.MULTILINE)


def note_submodules(tree: Tree, trail: Trail) -> None:
    """Note the submodules of the commit, and warn that they are empty in a job (`man gitmodules`)."""
    text = tree.text(FILE) or ""
    found = list(_PATH.finditer(text[: 64 * 1024]))
    if not found or not trail.applies(any_rules.SUBMODULES):
        return
    for match in found[:MAX_NAMED]:
        line = text.count("\n", 0, match.start(1)) + 1
        rule = "a submodule: its files are not fetched"
        trail.note("project", match[1], rule, file=FILE, line=line, by=any_rules.SUBMODULES)
    names = ", ".join(show(match[1], 60) for match in found[:MAX_NAMED])
    more = ", ..." if len(found) > MAX_NAMED else ""
    trail.warn(f"Submodules are not fetched ({names}{more}): checks that need their files will fail.")
