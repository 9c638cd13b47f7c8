"""Gets the published archive of a project through this machine's own package clients, and checks its bytes.

An archive is fetched once and kept in the cache. Nothing of it runs here: a PyPI archive comes from the index that
pip is configured for (pip's own `download` would run the project's build), an npm one by `npm pack`, a Debian one by
apt, from the mirror of this machine's package sources.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

from tests.real.projects import Project
from tools import apt

APT_HELPER = "/usr/lib/apt/apt-helper"
SECONDS = 180


class ArchiveError(Exception):
    """An archive cannot be had, or is not the pinned one; the text says which and why."""


def cache_folder() -> Path:
    """Return the folder that keeps archives between calls."""
    home = os.environ.get("DRAFTSMAN_CACHE_HOME") or Path.home() / ".cache/draftsman"
    return Path(home) / "real"


def get_archive(project: Project) -> Path:
    """Return the project's archive, fetched if the cache does not hold it. Raises ArchiveError."""
    kept = cache_folder() / project.archive
    if kept.exists() and _sha256(kept) == project.sha256:
        return kept
    kept.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="fetch-", dir=kept.parent) as folder:
        fetched = FETCHERS[project.registry](project, Path(folder))
        found = _sha256(fetched)
        if found != project.sha256:
            raise ArchiveError(
                f"{project.archive} has the SHA-256 {found}, not {project.sha256} as in projects.toml: "
                "it is not the file that was pinned."
            )
        fetched.replace(kept)
    return kept


def _fetch_pypi(project: Project, folder: Path) -> Path:
    index = _pip_index().rstrip("/")
    page_url = f"{index}/{re.sub(r'[-_.]+', '-', project.name).lower()}/"
    try:
        with urllib.request.urlopen(_html(page_url), timeout=SECONDS) as answer:
            page = answer.read().decode("utf-8", "replace")
        link = re.search(rf"href=[\"']([^\"'#]*{re.escape(project.archive)})[\"'#]", page)
        if link is None:
            raise ArchiveError(f"pip's index has no {project.archive}: it is no longer published there.")
        into = folder / project.archive
        with urllib.request.urlopen(_html(urllib.parse.urljoin(page_url, link[1])), timeout=SECONDS) as answer:
            into.write_bytes(answer.read())
    except OSError as error:
        raise ArchiveError(f"{project.archive} cannot be had from pip's index ({_cause(error)}).") from error
    return into


def _html(url: str) -> urllib.request.Request:
    return urllib.request.Request(url, headers={"Accept": "text/html, */*;q=0.1"})


def _cause(error: OSError) -> str:
    """Return why a request failed, without its address."""
    if isinstance(error, urllib.error.HTTPError):
        return f"it answers {error.code}"
    return str(getattr(error, "reason", error))


def _pip_index() -> str:
    """Return the address of the index that pip uses: the configured one, else the default that its help names."""
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    for name in ("global.index-url", "download.index-url"):
        configured = subprocess.run([*pip, "config", "get", name], capture_output=True, text=True)
        if configured.returncode == 0 and configured.stdout.strip():
            return configured.stdout.strip()
    if os.environ.get("PIP_INDEX_URL"):
        return os.environ["PIP_INDEX_URL"]
    wide = {**os.environ, "COLUMNS": "500"}
    shown = subprocess.run([*pip, "download", "--help"], capture_output=True, text=True, env=wide).stdout
    found = re.search(r"--index-url.*?\(default\s+(\S+?)\)", shown, re.DOTALL)
    if found is None:
        raise ArchiveError("pip names no index: set PIP_INDEX_URL.")
    return found[1]


def _fetch_npm(project: Project, folder: Path) -> Path:
    npm = shutil.which("npm")
    if npm is None:
        raise ArchiveError(f"{project.archive} is fetched by `npm pack`, and there is no npm here: install Node.js.")
    order = [npm, "pack", "--loglevel=error", f"{project.name}@{project.version}"]
    done = subprocess.run(order, cwd=folder, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    return _only_file(folder, project, done)


def _fetch_debian(project: Project, folder: Path) -> Path:
    """Fetch the upstream archive alone: other parts of a source package are Debian's."""
    if not apt.debian_codename():
        raise ArchiveError(f"{project.archive} is fetched by apt, and this is no Debian.")
    lists = folder.parent / "lists" / project.suite
    (lists / "partial").mkdir(parents=True, exist_ok=True)
    listed = lists.parent / f"{project.suite}.sources"
    binary = apt.derive_source(apt.machine_sources(), apt.debian_codename(), project.suite)
    listed.write_text(binary.replace("Types: deb\n", "Types: deb-src\n", 1))
    own = [
        *("-qq", "-o", f"Dir::Etc::sourcelist={listed}", "-o", "Dir::Etc::sourceparts=-"),
        *("-o", f"Dir::State::lists={lists}", "-o", f"Dir::Cache={folder}"),
        *("-o", "Acquire::Languages=none", "-o", "APT::Sandbox::User=root"),
    ]
    _run(["apt-get", *own, "update"], project, folder)
    source = f"{project.name}={project.version}"
    asked = _run(["apt-get", *own, "source", "--print-uris", "--tar-only", "--only-source", source], project, folder)
    found = re.search(rf"^'(\S+)' {re.escape(project.archive)} \d+", asked.stdout, re.MULTILINE)
    if found is None:
        raise ArchiveError(f"The Debian suite {project.suite} has no {project.archive} (any more).")
    done = _run([APT_HELPER, "download-file", found[1], project.archive], project, folder)
    return _only_file(folder, project, done)


def _run(order: list[str], project: Project, folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "LC_ALL": "C.UTF-8"}
    done = subprocess.run(order, cwd=folder, env=environment, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        raise ArchiveError(f"{project.archive} cannot be had ({Path(order[0]).name}: {_last_line(done)}).")
    return done


def _only_file(folder: Path, project: Project, done: subprocess.CompletedProcess[str]) -> Path:
    fetched = folder / project.archive
    if not fetched.exists():
        raise ArchiveError(f"{project.archive} cannot be had ({_last_line(done)}).")
    return fetched


def _last_line(done: subprocess.CompletedProcess[str]) -> str:
    """Return the client's last word, without addresses."""
    said = (done.stderr.strip() or done.stdout.strip()).splitlines()
    lines = [line for line in said if "A complete log" not in line] or ["no reason given"]
    return re.sub(r"\S*://\S*", "", lines[-1]).strip()[:300]


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


FETCHERS = {"pypi": _fetch_pypi, "npm": _fetch_npm, "debian": _fetch_debian}
