"""`draftsman runs artifacts`: the files that a run left."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from draftsman.cli import services, terminal
from draftsman.cli.runs import find_run
from draftsman.cli.terminal import quoted
from draftsman.domain.errors import HostError
from draftsman.settings import Settings
from draftsman.store import artifacts as kept
from draftsman.store import attempts


async def artifacts(settings: Settings, run_id: str, *, download: Path | None, as_json: bool) -> int:
    """Print the artifacts of the newest attempt, or write them below a folder. Raises HostError where that fails."""
    async with services.opened(services.found(settings).database_url, size=2) as pool:
        attempt = (await attempts.of_run(pool, await find_run(pool, run_id)))[0]
        found = await kept.of_attempt(pool, attempt.id)
        if as_json:
            print(json.dumps([asdict(one) for one in found], indent=2))
        for one in found:
            content = None if download is None else await kept.content(pool, attempt.id, one.position)
            written = "" if content is None or download is None else f" -> {write_below(download, *content)}"
            if not as_json:
                size = "too large to be kept" if one.size is None else f"{one.size:,} bytes"
                terminal.console().print(f"{quoted(one.path)}  [dim]{size}[/]{quoted(written)}")
    if not found:
        terminal.console(to_stderr=True).print("This attempt left no artifacts, or their time is over.")
    return 0


def write_below(folder: Path, path: str, content: bytes) -> Path:
    """Write a file below the folder, whatever its name. Raises HostError where it would be elsewhere.

    The name was in the hands of code under test: no part of it leads up, and no link in the folder is followed.
    """
    parts = Path(path).parts
    if not parts or Path(path).is_absolute() or ".." in parts:
        raise HostError(f"The artifact {path!r} names no file below a folder; it was not written.")
    target = folder.joinpath(*parts)
    try:
        for parent in [folder.joinpath(*parts[:depth]) for depth in range(len(parts))]:
            if parent != folder and parent.is_symlink():
                raise HostError(f"{parent} is a link: {path!r} was not written.")
            parent.mkdir(parents=True, exist_ok=True)
        if target.is_symlink():
            raise HostError(f"{target} is a link: {path!r} was not written.")
        with target.open("xb") as file:
            file.write(content)
    except FileExistsError as error:
        raise HostError(f"{target} is there already: choose another folder.") from error
    except OSError as error:
        raise HostError(f"{target} cannot be written ({error.strerror}).") from error
    return target
