"""Makes a git repository of one commit out of an archive, with every file as it was published."""

from __future__ import annotations

import os
import subprocess
import tarfile
from pathlib import Path

from tests.real.archives import ArchiveError

_ATTRIBUTES = "* -text -filter -ident -working-tree-encoding\n"
"""No file's bytes are changed on the way into git, whatever the project's own attributes say."""


def lay_out(archive: Path, into: Path) -> None:
    """Unpack an archive's one top folder as `into` and commit all of it. Raises ArchiveError."""
    with tarfile.open(archive) as tar:
        tar.extractall(into, filter="data")
    tops = list(into.iterdir())
    if len(tops) != 1 or not tops[0].is_dir():
        raise ArchiveError(f"{archive.name} has not one folder at its top, but {len(tops)} files and folders.")
    top = tops[0].rename(into / ".unpacked")
    for path in list(top.iterdir()):
        path.rename(into / path.name)
    top.rmdir()
    _git(into, "init", "--quiet", "--initial-branch=main")
    (into / ".git/info/attributes").write_text(_ATTRIBUTES)
    # What the project's .gitignore names is published too: built files, a written version.
    _git(into, "add", "--all", "--force")
    _git(into, "commit", "--quiet", "--message", f"As published: {archive.name}")


def _git(folder: Path, *arguments: str) -> None:
    settings = ("user.name=Real", "user.email=real@example.com", "core.autocrlf=false", "core.safecrlf=false")
    options = [word for setting in settings for word in ("-c", setting)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    environment |= {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    subprocess.run(["git", *options, *arguments], cwd=folder, env=environment, check=True, capture_output=True)
