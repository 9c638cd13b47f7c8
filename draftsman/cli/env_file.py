"""Changing a file of settings: what a person wrote stays, secrets stay private, and the file is whole or untouched."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

from draftsman.domain.errors import SettingsError

_LINE = re.compile(r"(\s*(?:export\s+)?)([A-Za-z_][A-Za-z0-9_]*)\s*=")
_PLAIN = re.compile(r"[A-Za-z0-9_@%+=:,./-]+")
_PRIVATE = 0o600


def changed(text: str, values: Mapping[str, str]) -> str:
    """Return the file's text with these settings. Their lines are replaced in place; new ones come at the end.

    Raises SettingsError for a value that such a file cannot hold.
    """
    lines = text.splitlines(keepends=True)
    left = dict(values)
    for number, line in enumerate(lines):
        found = _LINE.match(line)
        if found and found[2] in values:
            end = line[len(line.rstrip("\r\n")) :]
            lines[number] = f"{found[1]}{_assignment(found[2], values[found[2]])}{end or os.linesep}"
            left.pop(found[2], None)
    if left and lines and not lines[-1].endswith("\n"):
        lines[-1] += "\n"
    return "".join([*lines, *(f"{_assignment(name, value)}\n" for name, value in left.items())])


def read(path: Path) -> str:
    """Return the file's text, empty where there is none. Raises SettingsError where it cannot be read."""
    try:
        return path.read_bytes().decode("utf-8")
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} cannot be read ({_reason(error)}).") from error


def check_writable(path: Path) -> None:
    """Raise SettingsError where `write` would fail: said before something is made that needs to be written."""
    target = path.resolve()
    if target.exists() and not target.is_file():
        raise SettingsError(f"{path} is no file: name another one.")
    try:
        probe = _new_file(target)
    except OSError as error:
        raise SettingsError(f"{path} cannot be written ({_reason(error)}): name another file.") from error
    probe.unlink()


def write(path: Path, text: str) -> None:
    """Replace the file, or make it, readable for its owner alone. Raises SettingsError; then nothing has changed."""
    target = path.resolve()  # a link stays a link
    try:
        draft = _new_file(target)
        try:
            with draft.open("wb") as file:
                _fill(file, text)
            if target.exists():
                with contextlib.suppress(OSError):  # root writes for others: the file stays theirs
                    os.chown(draft, target.stat().st_uid, target.stat().st_gid)
            draft.replace(target)
        except OSError:
            draft.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise SettingsError(f"{path} cannot be written ({_reason(error)}).") from error


def create(path: Path, text: str) -> bool:
    """Make the file, readable for its owner alone; False where there is one already. Raises SettingsError."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _PRIVATE)
    except FileExistsError:
        return False
    except OSError as error:
        raise SettingsError(f"{path} cannot be written ({_reason(error)}).") from error
    try:
        with os.fdopen(handle, "wb") as file:
            _fill(file, text)
    except OSError as error:
        path.unlink(missing_ok=True)  # half a key would be in the way of the next try
        raise SettingsError(f"{path} cannot be written ({_reason(error)}).") from error
    return True


def _fill(file: BinaryIO, text: str) -> None:
    file.write(text.encode("utf-8"))
    file.flush()
    os.fsync(file.fileno())


def _new_file(target: Path) -> Path:
    draft = target.with_name(f".{target.name}.{secrets.token_hex(8)}")
    os.close(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _PRIVATE))
    return draft


def _assignment(name: str, value: str) -> str:
    if _PLAIN.fullmatch(value):
        return f"{name}={value}"
    if not value.isprintable() or "'" in value:
        raise SettingsError(f"{name}: its value cannot stand in a file of settings; set it in the environment.")
    return f"{name}='{value}'"  # compose expands nothing between these


def _reason(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or "it is no UTF-8"
