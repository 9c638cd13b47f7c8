"""The settings of this command: the environment, and the file that `--env-file` named."""

from __future__ import annotations

import os
import re
from pathlib import Path

from draftsman.domain.errors import SettingsError
from draftsman.settings import Settings, load


def read(env_file: Path | None = None) -> Settings:
    """Return the settings; the environment wins over the file. Raises SettingsError."""
    return load(environment(env_file))


def environment(env_file: Path | None = None) -> dict[str, str]:
    """Return the environment with the file's variables below it."""
    return (parse(env_file) if env_file else {}) | dict(os.environ)


def parse(env_file: Path) -> dict[str, str]:
    """Return NAME=VALUE lines as compose reads them: comments, blank lines, optional quotes; nothing is expanded."""
    try:
        lines = env_file.read_text("utf-8").splitlines()
    except OSError as error:
        raise SettingsError(f"{env_file} cannot be read ({error.strerror}).") from error
    found: dict[str, str] = {}
    for number, line in enumerate(lines, start=1):
        stripped = line.strip().removeprefix("export ")
        if not stripped or stripped.startswith("#"):
            continue
        name, equals, value = stripped.partition("=")
        if not equals or not name.strip().isidentifier():
            raise SettingsError(f"{env_file}:{number}: expected NAME=VALUE.")
        quoted = re.fullmatch(r"\s*(['\"])(.*)\1\s*(?:#.*)?", value)
        value = quoted[2] if quoted else re.sub(r"(?:^|\s)#.*", "", value).strip()
        found[name.strip()] = value
    return found
