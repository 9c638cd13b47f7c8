"""Secrets that stand in files of their own, as Docker's secrets do: NAME_FILE names the file that holds NAME."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit

from draftsman.domain.errors import SettingsError

_LARGEST = 64 * 1024


def file_name(name: str) -> str:
    """Return the variable that names the file of a secret."""
    return f"{name}_FILE"


def read_secret(environment: Mapping[str, str], name: str) -> str:
    """Return the secret, given itself or as a file (line ends at its end are none of it); empty where it is not given.

    Raises SettingsError where it is given both ways, or the file is no good.
    """
    value, path = environment.get(name, ""), environment.get(file_name(name), "")
    if value and path:
        raise SettingsError(f"{name} and {file_name(name)} are both set: take one away.")
    if not path:
        return value
    content = read_limited(Path(path), file_name(name), limit=_LARGEST).decode("utf-8", "replace").rstrip("\r\n")
    if not content or "\n" in content:
        raise SettingsError(f"{file_name(name)}: {path} must hold the secret in one line, and nothing else.")
    return content


def read_limited(path: Path, name: str, *, limit: int) -> bytes:
    """Return what the file holds that the setting `name` names. Raises SettingsError where it is no good."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise SettingsError(f"{name}: {path} cannot be read ({error.strerror}).") from error
    if not content or len(content) > limit:
        raise SettingsError(f"{name}: {path} is empty or larger than {limit} bytes.")
    return content


def with_password(url: str, password: str) -> str:
    """Return the database's URL with this password. Raises SettingsError where it has one, or names no user."""
    parts = urlsplit(url)
    user, separator, rest = parts.netloc.rpartition("@")
    if not separator or not user:
        raise SettingsError("DATABASE_PASSWORD: DATABASE_URL names no user whose password it could be.")
    if ":" in user:
        raise SettingsError("DATABASE_PASSWORD: DATABASE_URL has a password already: take one away.")
    return urlunsplit(parts._replace(netloc=f"{user}:{quote(password, safe='')}@{rest}"))
