"""Finds the repositories of the list among bare mirrors on this machine, and checks the lines that the list quotes."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from orchestrator.git import GitError, git
from tests.popular.expectations import Expectation, ListError


def find(mirrors: Path, expectation: Expectation) -> Path:
    """Return the bare repository `<mirrors>/<owner>+<name>`, or `repo` inside it. Raises ListError."""
    folder = mirrors / expectation.name.replace("/", "+")
    for candidate in (folder / "repo", folder):
        if (candidate / "HEAD").is_file():
            return candidate.resolve()
    raise ListError(f"{expectation.name}: there is no bare repository at {folder}")


async def require_commit(folder: Path, expectation: Expectation) -> None:
    """Raise ListError where the repository does not hold the commit."""
    try:
        await git("cat-file", "-e", f"{expectation.sha}^{{commit}}", cwd=folder)
    except GitError as error:
        raise ListError(f"{expectation.name}: {folder} does not hold {expectation.sha}") from error


async def wrong_quotes(mirrors: Path, expectations: Iterable[Expectation]) -> list[str]:
    """Return a sentence for each quote that the commit does not bear out.

    Raises ListError where a mirror or its commit is missing.
    """
    wrong = []
    for expectation in expectations:
        folder = find(mirrors, expectation)
        await require_commit(folder, expectation)
        for quote in expectation.quotes:
            try:
                text = (await git("show", f"{expectation.sha}:{quote.file}", cwd=folder)).decode("utf-8", "replace")
            except GitError:
                wrong.append(f"{expectation.name}: there is no {quote.file}")
                continue
            lines = text.splitlines()
            line = lines[quote.line - 1].strip() if 1 <= quote.line <= len(lines) else ""
            if not line.startswith(quote.text):
                wrong.append(f"{expectation.name}: {quote.file}:{quote.line} is {line!r}, not {quote.text!r}")
    return wrong
