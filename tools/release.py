"""Makes what a release consists of, into `dist/<version>/`: whole, or not at all. It uploads nothing and tags nothing.

The version is `__version__` in `draftsman/__init__.py`; the changelog must have a section of it with a date, and
nothing left to release. What is made depends on the commit alone: the same commit gives the same files.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from tools import lock
from tools.sbom import SbomError, sbom
from tools.venv import HOST_BUNDLE

ROOT = Path(__file__).resolve().parent.parent
_SECTION = re.compile(r"^## (?P<title>.+)$", re.MULTILINE)
_COMPILE = (
    *("pip", "compile", "--quiet", "--universal", "--generate-hashes", "--no-header", "--no-annotate"),
    *("--python-version", "3.11", "-c", "requirements-dev.lock", "pyproject.toml"),
)
"""How requirements.lock is made (docs/development.md)."""


class ReleaseError(Exception):
    """No release can be made; the sentence says what to do first."""


def sections(changelog: str) -> dict[str, str]:
    """Return the changelog's sections, newest first: {title: text}."""
    titles = list(_SECTION.finditer(changelog))
    ends = [*(found.start() for found in titles[1:]), len(changelog)]
    return {
        found["title"].strip(): changelog[found.end() : end].strip() for found, end in zip(titles, ends, strict=True)
    }


def check_changelog(changelog: str, version: str) -> None:
    """Raise ReleaseError unless the changelog's newest section is that of the version, with a date and a text."""
    found = sections(changelog)
    if found.get("Unreleased"):
        raise ReleaseError(
            "CHANGELOG.md still has something under `## Unreleased`: give it the title "
            f"`## {version} - {datetime.now(UTC):%Y-%m-%d}`, with an empty `## Unreleased` above it, and commit that."
        )
    newest = next((title for title in found if title != "Unreleased"), "")
    if not re.fullmatch(rf"{re.escape(version)} - \d{{4}}-\d\d-\d\d", newest):
        raise ReleaseError(
            f"The newest section of CHANGELOG.md is {newest!r}, and the version is {version}: one of them is not right."
        )
    if not found[newest]:
        raise ReleaseError(f"CHANGELOG.md says nothing about {version}.")


def check_commit(version: str) -> None:
    """Raise ReleaseError where the tree is not that of its commit, or the version was released from another one."""
    if changed := _git("status", "--porcelain"):
        raise ReleaseError(f"The tree has changes that are not committed:\n{changed}")
    tagged = _git(
        "tag", "--list", f"v{version}", "--format=%(if)%(*objectname)%(then)%(*objectname)%(else)%(objectname)%(end)"
    )
    if tagged and tagged != _git("rev-parse", "HEAD"):
        raise ReleaseError(f"v{version} is the commit {tagged[:12]} already: choose another version.")


def check_lock() -> None:
    """Raise ReleaseError where requirements.lock is not what pyproject.toml asks for. Asks the package index."""
    kept = (ROOT / "requirements.lock").read_text("utf-8")
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "requirements.lock"
        made.write_text(kept)  # versions that fit are kept
        _uv(*_COMPILE, "--output-file", str(made))
        if made.read_text("utf-8") != kept:
            raise ReleaseError("requirements.lock does not fit pyproject.toml: make it anew (docs/development.md).")


def make(version: str, folder: Path) -> None:
    """Make the files of the release in an empty folder. Raises ReleaseError."""
    made_at = datetime.fromtimestamp(int(_git("log", "-1", "--format=%ct")), UTC)
    _uv("build", "--quiet", "--out-dir", str(folder), str(ROOT), SOURCE_DATE_EPOCH=str(int(made_at.timestamp())))
    (folder / ".gitignore").unlink(missing_ok=True)
    (wheel,) = folder.glob("*.whl")
    text = (ROOT / "requirements.lock").read_text("utf-8")
    pins = lock.read(text)
    named = f"draftsman-{version}"
    (folder / f"{named}.requirements.lock").write_text(text)
    (folder / f"{named}.constraints.txt").write_text("".join(f"{pin.line}\n" for pin in pins))
    (folder / f"{named}.cdx.json").write_text(sbom(version, pins, made_at=made_at, wheel=wheel.read_bytes()))
    files = sorted(folder.iterdir())
    sums = [f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}\n" for file in files]
    (folder / "SHA256SUMS").write_text("".join(sums))


def release() -> Path:
    """Check, make, and return the folder of the release. Raises ReleaseError."""
    version = re.findall(r'^__version__ = "(.+)"$', (ROOT / "draftsman/__init__.py").read_text("utf-8"), re.MULTILINE)[
        0
    ]
    check_commit(version)
    check_changelog((ROOT / "CHANGELOG.md").read_text("utf-8"), version)
    check_lock()
    target: Path = ROOT / "dist" / version
    target.parent.mkdir(exist_ok=True)
    making = Path(tempfile.mkdtemp(prefix=".making-", dir=target.parent))
    making.chmod(0o755)
    try:
        make(version, making)
        shutil.rmtree(target, ignore_errors=True)
        making.rename(target)
    finally:
        shutil.rmtree(making, ignore_errors=True)
    return target


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True)
    if done.returncode != 0:
        raise ReleaseError(f"`git {arguments[0]}` failed: {done.stderr.strip()}")
    return done.stdout.strip()


def _uv(*arguments: str, **variables: str) -> None:
    trust = {"SSL_CERT_FILE": str(HOST_BUNDLE)} if HOST_BUNDLE.exists() else {"UV_SYSTEM_CERTS": "1"}
    uv = Path(sys.executable).with_name("uv")
    done = subprocess.run(
        [uv, *arguments], cwd=ROOT, env=os.environ | trust | variables, capture_output=True, text=True
    )
    if done.returncode != 0:
        raise ReleaseError(f"`uv {' '.join(arguments[:2])}` failed:\n{done.stderr.strip()}")


def main() -> int:
    """The exit code: 0, or 1 where no release can be made."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    try:
        made = release()
    except (ReleaseError, SbomError) as error:
        print(f"release: {error}", file=sys.stderr)
        return 1
    for file in sorted(made.iterdir()):
        print(file.relative_to(ROOT))
    print(f"Nothing was uploaded. When it is out: git tag -s v{made.name} -m {made.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
