"""Whether a change is worth a run: path filters of the configuration, and markers in a commit's message. Pure.

Both end an event's attempt before anything is built. Whatever is not known, or would take too long to find out, counts
for the run: a check that is left out passes as a required one.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Sequence

from orchestrator.artifacts import Glob
from orchestrator.planning.repo_file import NAME
from orchestrator.planning.trail import show

_SECONDS = 5
"""How long patterns are looked for among all files of a change."""

_SHOWN = 100


def filtered_out(
    changes: Sequence[Collection[str] | None], paths: Collection[str], paths_ignore: Collection[str]
) -> str | None:
    """Return why the filters leave a commit out, as the title of its run, or None where it is to be checked.

    `changes` are the files that each ref which names the commit changes, None where that is not known; one that counts
    is enough. A file counts where `paths` names it (or is empty) and `paths_ignore` does not; so does the repository's
    own `.draftsman.toml`. A change of no file at all is checked: somebody made it in order to see it checked.
    """
    if not (paths or paths_ignore) or not changes:
        return None
    left_out: dict[str, None] = {}
    wanted, ignored = [Glob(pattern) for pattern in paths], [Glob(pattern) for pattern in paths_ignore]
    end = time.thread_time() + _SECONDS
    for files in changes:
        if not files:
            return None
        for path in files:
            if path in left_out:
                continue
            if time.thread_time() > end or _counts(path, wanted, ignored):
                return None
            left_out[path] = None
    example = show(min(left_out), _SHOWN)
    return f"no changed file matches the path filters: {len(left_out)} changed, e.g. {example}"


def marker_in(message: str, markers: Iterable[str]) -> str | None:
    """Return the first of the markers that a commit's message has, in any case, or None."""
    lowered = message.lower()
    return next((marker for marker in markers if marker.lower() in lowered), None)


def _counts(path: str, wanted: Sequence[Glob], ignored: Sequence[Glob]) -> bool:
    if path == NAME:
        return True
    named = not wanted or any(glob.fits(path) for glob in wanted)
    return named and not any(glob.fits(path) for glob in ignored)
