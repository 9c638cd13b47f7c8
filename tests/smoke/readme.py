"""The lines that the README and the page of backups tell a person to type, as they stand there."""

from __future__ import annotations

import re
from pathlib import Path

README = Path(__file__).parents[2] / "README.md"
BACKUPS = README.parent / "docs/backups.md"
START, RECOVER, UPGRADE = "Start", "Recover", "Upgrade"
"""The captions of the README's blocks that the smoke test runs."""
BACK_UP, RESTORE, MOVE = "Back up now", "Restore", "Move"
"""Those of the page of backups."""

_BLOCK = r"^\*\*{caption}\*\*.*?^```console\n(.*?)^```$"


def lines_of(text: str, caption: str) -> list[str]:
    """Return the commands of the first block of commands below this bold caption, without their comments.

    Raises LookupError where there is none.
    """
    found = re.search(_BLOCK.format(caption=re.escape(caption)), text, re.MULTILINE | re.DOTALL)
    lines = [_command(line[2:]) for line in found[1].splitlines() if line.startswith("$ ")] if found else []
    if not lines:
        raise LookupError(f"There is no block of commands below **{caption}**.")
    return lines


def _command(line: str) -> str:
    return line.partition("  #")[0].strip()
