"""Says which folders of a commit are submodules: unless the profile asks for their files, checks may lack them."""

from __future__ import annotations

import re

from draftsman.domain.plan import Tree
from orchestrator.planning import any_rules
from orchestrator.planning.trail import Trail, show

FILE = ".gitmodules"
MAX_NAMED = 5
_PATH = re.compile(r"^[ \t]*+path[ \t]*+=[ \t]*+(\S[^\r\n]*+)", re.MULTILINE)


def note_submodules(tree: Tree, trail: Trail, *, are_fetched: bool) -> None:
    """Note the submodules of the commit; warn where they are not fetched and so empty in a job (`man gitmodules`)."""
    text = tree.text(FILE) or ""
    found = list(_PATH.finditer(text[: 64 * 1024]))
    if not found or not trail.applies(any_rules.SUBMODULES):
        return
    for match in found[:MAX_NAMED]:
        line = text.count("\n", 0, match.start(1)) + 1
        rule = f"a submodule: its files are {'fetched' if are_fetched else 'not fetched'}"
        trail.note("project", match[1], rule, file=FILE, line=line, by=any_rules.SUBMODULES)
    if are_fetched:
        return
    names = ", ".join(show(match[1], 60) for match in found[:MAX_NAMED])
    more = ", ..." if len(found) > MAX_NAMED else ""
    trail.warn(
        f"Submodules are not fetched ({names}{more}): checks that need their files will fail. `submodules = true` in "
        ".draftsman.toml or in the profile fetches them."
    )
