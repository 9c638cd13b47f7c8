"""What `docs/zero-config.md` says of the real projects: its table's rows and its plans. Pure: values in, text out."""

from __future__ import annotations

import re

from tests.real.checked import Checked
from tests.real.projects import Project

SHOWN_PLANS = ("dirty-equals", "node-magic-string", "isso")
"""The projects whose plans the document shows whole."""

_FROM = {"pypi": "PyPI sdist", "npm": "npm"}
_TAG = re.compile(r"(draftsman-runner/\S+:)[0-9a-f]{12}")


def row(project: Project, checked: Checked) -> str:
    """Return the project's row of the table."""
    origin = _FROM.get(project.registry) or f"Debian source, {project.suite}"
    seconds = round(checked.result["timings"]["total"])
    cells = (
        f"{project.name} {project.version}",
        origin,
        project.manager,
        checks(checked),
        str(checked.counted.ran),
        str(seconds),
    )
    return f"| {' | '.join(cells)} |"


def checks(checked: Checked) -> str:
    """Return the cell of the checks that ran, in their order."""
    validation = checked.plan["profile"]["validation"]
    return "; ".join(f"`{command}`" for command in (*validation["fast"], *validation["full"]))


def shown_plan(text: str) -> str:
    """Return what `draftsman plan` printed as the document shows it: without the key, which changes with ours."""
    return _TAG.sub(r"\1<key>", text).strip()


def plan_in(document: str, project: str) -> str:
    """Return the plan that the document shows of a project, or nothing."""
    found = re.search(rf"^\$ draftsman plan {re.escape(project)}\n(.*?)^```$", document, re.MULTILINE | re.DOTALL)
    return "" if found is None else found[1].strip()
