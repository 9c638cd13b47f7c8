"""`python -m tests.real`: runs the real projects and prints what `docs/zero-config.md` says of them.

Each row of the table is measured now; run it twice for warm figures. `--only NAME` takes some projects, `--plans`
prints the plans that the document shows instead, and runs nothing.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.real.checked import check, print_plan
from tests.real.document import SHOWN_PLANS, row, shown_plan
from tests.real.projects import Project, read_projects


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command. Returns 1 where a project did not go green."""
    parser = argparse.ArgumentParser(prog="python -m tests.real", description=__doc__)
    parser.add_argument("--only", action="append", default=[], metavar="NAME", help="take just these")
    parser.add_argument("--plans", action="store_true", help="print plans, run nothing")
    options = parser.parse_args(arguments)
    projects = [one for one in read_projects() if not options.only or one.name in options.only]
    if options.plans:
        return _print_plans(projects)
    return max((_print_row(project) for project in projects), default=2)


def _print_plans(projects: Sequence[Project]) -> int:
    for project in projects:
        if project.name in SHOWN_PLANS:
            with tempfile.TemporaryDirectory() as folder:
                print(f"```console\n$ draftsman plan {project.name}")
                print(f"{shown_plan(print_plan(project, Path(folder)))}\n```\n", flush=True)
    return 0


def _print_row(project: Project) -> int:
    with tempfile.TemporaryDirectory() as folder:
        checked = check(project, Path(folder))
    if checked.result["conclusion"] == "success":
        print(row(project, checked), flush=True)
        return 0
    print(f"{project.name}: {checked.result['conclusion']}, {checked.result.get('title', '')}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
