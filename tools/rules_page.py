"""Writes `docs/rules.md`, the rules of planning with the cases that prove them: `python -m tools.rules_page`."""

from __future__ import annotations

import tomllib
from collections import defaultdict
from pathlib import Path

from orchestrator.planning.rules import RULES

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs/rules.md"
CASES = ROOT / "tests/repos"

HEAD = """# The rules of planning

What the files of a repository say, and what follows from it. Each rule has an id, which the evidence of a plan names
(`draftsman plan --json`), and cases in `tests/repos/` that fail without it. Written by `python -m tools.rules_page`.
"""

TITLES = {
    "any": "Any repository",
    "python": "Python",
    "node": "Node",
    "bun": "Bun",
    "ruby": "Ruby",
    "go": "Go",
    "rust": "Rust",
}


def page() -> str:
    """Return the text of the page."""
    proofs = _proofs()
    lines = [HEAD]
    for ecosystem in dict.fromkeys(rule.id.split(".")[0] for rule in RULES):
        lines += [f"## {TITLES.get(ecosystem, ecosystem)}", "", "| rule | says | proven by |", "|---|---|---|"]
        for rule in RULES:
            if rule.id.split(".")[0] == ecosystem:
                lines.append(f"| `{rule.id}` | {rule.says.replace('|', '&#124;')} | {', '.join(proofs[rule.id])} |")
        lines.append("")
    return "\n".join(lines)


def _proofs() -> dict[str, list[str]]:
    """Return the names of the cases that prove each rule."""
    found: dict[str, list[str]] = defaultdict(list)
    for file in sorted(CASES.glob("*/*/expected.toml")):
        for rule in tomllib.loads(file.read_text()).get("proves", ()):
            found[rule].append(str(file.parent.relative_to(CASES)))
    return found


if __name__ == "__main__":
    PAGE.write_text(page())
    print(f"rules page: written to {PAGE}")
