"""What docs/github-app.md tells a newcomer to type is typed here, word by word, until the first check is green."""

from __future__ import annotations

import asyncio
import os
import re
import signal
from pathlib import Path

import pytest

from tests.product import free_port, scratch_folder

pytestmark = [pytest.mark.scenario, pytest.mark.engine]

ROOT = Path(__file__).parents[2]
SECTION = "## On the stand-in, with no account"
SECONDS = 280


def commands() -> str:
    """The fenced commands of the section, as they stand there."""
    text = (ROOT / "docs" / "github-app.md").read_text("utf-8")
    section = re.split(r"^## ", text.partition(f"{SECTION}\n")[2], flags=re.MULTILINE)[0]
    return "\n".join(re.findall(r"^```bash\n(.*?)^```$", section, flags=re.MULTILINE | re.DOTALL))


@pytest.mark.timeout(SECONDS + 60)
async def test_a_newcomer_gets_from_an_empty_folder_to_a_green_check() -> None:
    typed = commands()
    assert "draftsman setup " in typed
    # The two ports may be taken where the tests run; nothing else is changed.
    for port in ("9999", "3000"):
        assert port in typed
        typed = typed.replace(port, str(free_port()))
    names = ("DRAFTSMAN_", "GITHUB_", "DATABASE_", "REDIS_", "BROWSER", "DISPLAY", "PYTHONPATH")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(names)}
    with scratch_folder() as folder:
        # -e: a reader stops at the first command that fails.
        shell = await asyncio.create_subprocess_exec(
            "bash",
            "-e",
            "-c",
            typed,
            cwd=ROOT,
            env=environment | {"TMPDIR": str(folder)},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
        )
        assert shell.stdout is not None
        shown = bytearray()
        try:
            async with asyncio.timeout(SECONDS):
                while chunk := await shell.stdout.read(4096):
                    shown += chunk
                await shell.wait()
        except TimeoutError:
            os.killpg(shell.pid, signal.SIGTERM)
            await shell.wait()
            shown += b"\n(it took too long, and was ended)\n"
        said = shown.decode("utf-8", "replace")
        logs = "\n".join(path.read_text("utf-8", "replace") for path in folder.glob("*/*.log"))
    assert "App created: Draftsman (acme)" in said, said + logs
    assert "It is installed on acme (all repositories)." in said, said + logs
    assert "Now it arrived: it was answered 202." in said, said + logs
    assert re.search(r"^✔ Draftsman / full — success", said, flags=re.MULTILINE), said + logs
    assert shell.returncode == 0, said + logs
