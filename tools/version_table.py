"""Writes `orchestrator/planning/version_table.py` anew from https://endoflife.date: `python -m tools.version_table`.

A release that the table has and the site no longer lists is kept, so that old repositories still get an image.
Look at the difference before you commit it, and at the defaults in `orchestrator/planning/versions.py`.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import urllib.request
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from orchestrator.planning import version_table

SITE = "https://endoflife.date"
TARGET = Path(version_table.__file__)
PRODUCTS = {"PYTHON": "python", "NODE": "nodejs", "RUBY": "ruby", "GO": "go", "RUST": "rust"}
"""The table's names, and the site's."""

OLDEST = {"PYTHON": "3.6", "NODE": "14", "RUBY": "2.7", "GO": "1.18", "RUST": "1.70"}
"""Nobody's checks are expected to run on anything before these."""

Row = tuple[str, str, bool, str]


class RefreshError(Exception):
    """The site did not answer as it should; the text says what to do."""


def fetch(site: str, product: str) -> dict[str, Any]:
    """Return the site's answer for a product. Raises RefreshError.

    Source of the address and of the form: https://endoflife.date/docs/api/v1/.
    """
    url = f"{site}/api/v1/products/{product}/"
    try:
        with urllib.request.urlopen(url, timeout=30) as answer:
            document = json.load(answer)
    except (OSError, ValueError) as error:
        raise RefreshError(
            f"{url} did not answer as it should ({error}). Try again where it can be reached."
        ) from error
    if not isinstance(document, dict):
        raise RefreshError(f"{url} answered with something else than an object.")
    return document


def read_rows(document: dict[str, Any], oldest: str, today: date) -> list[Row]:
    """Return the rows of one product's answer: releases that are out, none before `oldest`. Raises RefreshError.

    A product that has no long-term releases at all counts every one as good as that.
    """
    releases = _field(document, "result", "releases")
    some_are = any(release.get("isLts") for release in releases)
    rows = []
    for release in releases:
        version, out = str(release.get("name")), release.get("releaseDate")
        if not re.fullmatch(r"[0-9]{1,3}(\.[0-9]{1,3})?", version):
            continue
        if not isinstance(out, str) or date.fromisoformat(out) > today or order(version) < order(oldest):
            continue
        long_term = bool(release.get("isLts") or release.get("ltsFrom"))
        rows.append((version, _end(release, today), long_term or not some_are, _code_name(release)))
    if not rows:
        raise RefreshError("The site lists no release of this product that is out.")
    return rows


def merge(known: Iterable[Row], found: Iterable[Row]) -> list[Row]:
    """Return all rows, newest first; of the same version the found one."""
    rows = {row[0]: row for row in (*known, *found)}
    return sorted(rows.values(), key=lambda row: order(row[0]), reverse=True)


def order(version: str) -> tuple[int, ...]:
    """Return what a version is sorted by."""
    return tuple(int(part) for part in version.split("."))


def write(tables: dict[str, list[Row]], today: date) -> str:
    """Return the text of the data module."""
    head = (version_table.__doc__ or "").rstrip("\n")
    lines = [f'"""{head}', '"""', "", f'AS_OF = "{today.isoformat()}"']
    lines += ['"""The day on which the table was made; it decides what counts as supported."""', ""]
    for name, rows in tables.items():
        lines += [f"{name} = (", *(f'    ("{one[0]}", "{one[1]}", {one[2]}, "{one[3]}"),' for one in rows), ")", ""]
    return "\n".join(lines[:-1]) + "\n"


def refresh(site: str, today: date) -> str:
    """Return the new text of the data module. Raises RefreshError, and then nothing is written."""
    tables = {}
    for name, product in PRODUCTS.items():
        known = getattr(version_table, name, ())
        tables[name] = merge(known, read_rows(fetch(site, product), OLDEST[name], today))
    return write(tables, today)


def main(arguments: list[str]) -> int:
    """Refresh the table. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tools.version_table", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--site", default=SITE, help="where to ask (default: %(default)s)")
    parser.add_argument("--output", type=Path, default=TARGET, help="the file to write (default: the table itself)")
    chosen = parser.parse_args(arguments)
    try:
        text = refresh(chosen.site.rstrip("/"), datetime.now(UTC).date())
    except RefreshError as error:
        print(f"version table: {error}", file=sys.stderr)
        return 1
    chosen.output.write_text(text)
    print(f"version table: written to {chosen.output}")
    return 0


def _field(document: Any, *keys: str) -> list[dict[str, Any]]:
    for key in keys:
        document = document.get(key) if isinstance(document, dict) else None
    if not isinstance(document, list):
        raise RefreshError(f"The site's answer has no list at {'.'.join(keys)}.")
    return [one for one in document if isinstance(one, dict)]


def _end(release: dict[str, Any], today: date) -> str:
    """Return the end of security fixes; a product without a date ends when its next release is out."""
    end = release.get("eolFrom")
    if isinstance(end, str):
        return date.fromisoformat(end).isoformat()
    return (today + timedelta(days=-1 if release.get("isEol") else 365)).isoformat()


def _code_name(release: dict[str, Any]) -> str:
    name = str(release.get("codename") or "").lower()
    return name if re.fullmatch(r"[a-z]{1,20}", name) else ""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
