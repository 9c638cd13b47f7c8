"""A real repository on this machine, and our mirror of it."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from draftsman.domain.plan import Plan
from orchestrator.order import Order
from orchestrator.planning.plan import make_plan
from orchestrator.source import Mirror, Remote
from orchestrator.tested import fetch_tested
from tests.planning.cases import TEMPLATES


class LocalRepository:
    """A real repository and our mirror of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "repository"
        self.folder.mkdir()
        self.git("init", "-q", "-b", "main")
        self.mirror = Mirror(folder / "mirror.git")

    def git(self, *arguments: str) -> str:
        """Return what git printed."""
        command = ["git", "-C", str(self.folder), "-c", "user.name=t", "-c", "user.email=t@example.com", *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    def commit(self, files: Mapping[str, str | None], message: str = "change") -> str:
        """Return the SHA of a new commit with these files, without those that are None."""
        for name, text in files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if text is None:
                path.unlink()
            else:
                path.write_text(text)
        self.git("add", "-A")
        self.git("commit", "-qm", message, "--allow-empty")
        return self.git("rev-parse", "HEAD")

    def order(self, sha: str, **options: Any) -> Order:
        """Return an order of the commit."""

        async def remote() -> Remote:
            return Remote("acme/widgets", str(self.folder / ".git"))

        return Order("run-1", "acme/widgets", sha, "github:7", "acme", remote, **options)

    async def plan(self, sha: str, **options: Any) -> Plan:
        """Return the plan of what an order tests."""
        order = self.order(sha, **options)
        tree = (await fetch_tested(order, self.mirror)).tree
        return make_plan(tree, repo=order.repo, overrides=order.overrides, templates=TEMPLATES)
