"""Opens a text in the person's editor. What was written is never lost: a text that is refused is kept in its file."""

from __future__ import annotations

import os
import shlex
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from draftsman.domain.errors import SettingsError


def edit(text: str, *, suffix: str, environment: Mapping[str, str]) -> tuple[str, Path]:
    """Return the text as edited, and the file that holds it; the caller removes the file once it is of no more use.

    Raises SettingsError where no editor is set, or it failed.
    """
    command = editor_command(environment)
    descriptor, name = tempfile.mkstemp(prefix="draftsman-", suffix=suffix)
    file = Path(name)
    with os.fdopen(descriptor, "w", encoding="utf-8") as opened:
        opened.write(text)
    return reopen(file, command), file


def reopen(file: Path, command: list[str]) -> str:
    """Let the person edit a file, and return what it holds then. Raises SettingsError."""
    try:
        code = subprocess.run([*command, str(file)], check=False).returncode
    except OSError as error:
        raise SettingsError(
            f"The editor {command[0]!r} cannot be started ({error.strerror}): set EDITOR to one that can. "
            f"The text is in {file}."
        ) from None
    if code:
        raise SettingsError(f"The editor ended with exit code {code}: nothing was changed. The text is in {file}.")
    try:
        return file.read_text("utf-8")
    except (OSError, ValueError) as error:
        raise SettingsError(f"{file} cannot be read ({error}): nothing was changed.") from None


def editor_command(environment: Mapping[str, str]) -> list[str]:
    """Return the command of VISUAL, else of EDITOR, else `vi`. Raises SettingsError where it is malformed."""
    given = environment.get("VISUAL") or environment.get("EDITOR") or "vi"
    try:
        words = shlex.split(given)
    except ValueError:
        words = []
    if not words:
        raise SettingsError(f"EDITOR is no command: {given!r}. Set it to one, such as `vi` or `code --wait`.")
    return words
