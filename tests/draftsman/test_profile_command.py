"""`draftsman profile` as a person uses it, against a real Postgres."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from draftsman.domain.plan import ProfileOverrides
from draftsman.store import profiles
from draftsman.store.database import Pool
from tests.bot.work import make_plan

pytestmark = pytest.mark.services

REPO = "acme/widgets"


async def draftsman(database_url: str, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("DRAFTSMAN_", "GITHUB_", "DATABASE_"))
    }
    return await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "draftsman.cli.main", "profile", *arguments],
        env=environment | {"DATABASE_URL": database_url, "VISUAL": "", **settings},
        capture_output=True,
        text=True,
        timeout=120,
    )


def editor(folder: Path, script: str) -> str:
    """An editor that runs a line of Python over `text`, the file's text."""
    file = folder / "editor.py"
    file.write_text(
        "import pathlib, sys\nfile = pathlib.Path(sys.argv[1])\ntext = file.read_text()\n"
        f"{script}\nfile.write_text(text)\n"
    )
    return f"{sys.executable} {file}"


async def test_set_changes_what_is_given_and_leaves_the_rest(database_url: str, pool: Pool[Any]) -> None:
    done = await draftsman(
        database_url, "set", "Acme/Widgets", "--setup", "make deps", "--fast", "a b", "--fast", "c", "--no-full",
        "--dockerfile", "ci/Dockerfile", "--target", "test", "--build-arg", "A=1=2", "--manager", "uv",
        "--submodules", "--no-lfs",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "\x1b[" not in done.stdout
    assert "make deps" in done.stdout
    expected = ProfileOverrides(
        dockerfile="ci/Dockerfile",
        dependency_manager="uv",
        setup="make deps",
        fast=("a b", "c"),
        full=(),
        dockerfile_mode="path",
        dockerfile_target="test",
        build_args=(("A", "1=2"),),
        submodules=True,
        lfs=False,
    )
    assert await profiles.overrides_for(pool, REPO) == expected
    done = await draftsman(database_url, "set", REPO, "--setup", "x", "--clear", "build_args", "--clear", "full")
    assert done.returncode == 0, done.stderr
    now = await profiles.overrides_for(pool, REPO)
    assert (now.setup, now.full, now.build_args, now.fast) == ("x", None, (), ("a b", "c"))
    actor = await pool.fetchval("SELECT actor FROM audit_events ORDER BY id DESC LIMIT 1")
    assert actor.startswith("command line: ")


async def test_get_and_list_for_people_and_programs(database_url: str, pool: Pool[Any]) -> None:
    await profiles.keep_inferred(pool, REPO, make_plan(), "hash")
    await draftsman(database_url, "set", REPO, "--fast", "make [lint]")
    shown = await draftsman(database_url, "get", REPO)
    assert "make [lint]  set by a person" in shown.stdout
    assert "uv sync  inferred" in shown.stdout
    assert "\x1b[" not in shown.stdout
    one = json.loads((await draftsman(database_url, "get", REPO, "--json")).stdout)
    assert (one["explicit_fields"], one["inferred"]["fast"]) == (["fast"], ["ruff check ."])
    listed = await draftsman(database_url, "list")
    assert REPO in listed.stdout
    assert json.loads((await draftsman(database_url, "list", "--json")).stdout) == [one]


async def test_a_deleted_profile_is_gone(database_url: str, pool: Pool[Any]) -> None:
    await profiles.keep_inferred(pool, REPO, make_plan(), "hash")
    assert (await draftsman(database_url, "delete", REPO)).returncode == 0
    assert await profiles.get(pool, REPO) is None
    again = await draftsman(database_url, "delete", REPO)
    assert (again.returncode, "no profile of acme/widgets" in again.stderr) == (3, True)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("set", REPO, "--dockerfile", "../x", "--manager", "maven"), ("dockerfile:", "dependency_manager:", "poetry")),
        (("set", REPO), ("Nothing to change",)),
        (("set", REPO, "--clear", "speed"), ("speed:", "no field")),
        (("set", REPO, "--setup", "a", "--clear", "setup"), ("both set and cleared",)),
        (("set", REPO, "--fast", "a", "--no-fast"), ("choose one",)),
        (("set", REPO, "--build-arg", "A"), ("NAME=VALUE",)),
        (("set", REPO, "--fast", ""), ("fast[0]:",)),
        (("get", "widgets"), ("OWNER/NAME",)),
    ],
)
async def test_what_is_wrong_is_named_and_nothing_is_kept(
    database_url: str, pool: Pool[Any], arguments: tuple[str, ...], says: tuple[str, ...]
) -> None:
    done = await draftsman(database_url, *arguments)
    assert done.returncode == 2
    assert [word for word in says if word not in done.stderr] == []
    assert "Traceback" not in done.stderr
    assert await profiles.get(pool, REPO) is None


async def test_without_a_database_it_says_what_to_do(tmp_path: Path) -> None:
    done = await draftsman("", "list", DRAFTSMAN_HOME=str(tmp_path))
    assert done.returncode == 3
    assert "draftsman up" in done.stderr
    assert "DATABASE_URL" in done.stderr


async def test_edit_takes_over_what_was_inferred(database_url: str, pool: Pool[Any], tmp_path: Path) -> None:
    await profiles.keep_inferred(pool, REPO, make_plan(setup='echo "a\\b" é'), "hash")
    await draftsman(database_url, "set", REPO, "--full", "pytest -q", "--full", "pytest slow")
    command = editor(tmp_path, "text = text.replace('# setup = ', 'setup = ').replace('# fast = ', 'fast = ')")
    done = await draftsman(database_url, "edit", REPO, EDITOR=command, TMPDIR=str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert await profiles.overrides_for(pool, REPO) == ProfileOverrides(
        setup='echo "a\\b" é', fast=("ruff check .",), full=("pytest -q", "pytest slow")
    )
    assert not list(tmp_path.glob("draftsman-*"))


async def test_edit_that_changes_nothing_keeps_the_profile(database_url: str, pool: Pool[Any], tmp_path: Path) -> None:
    await draftsman(database_url, "set", REPO, "--dockerfile", "Dockerfile", "--build-arg", "A=1")
    before = await profiles.get(pool, REPO)
    done = await draftsman(database_url, "edit", REPO, EDITOR=editor(tmp_path, ""))
    assert (done.returncode, "nothing was changed" in done.stdout) == (0, True)
    done = await draftsman(database_url, "edit", REPO, EDITOR=editor(tmp_path, "text += '# more\\n'"))
    assert done.returncode == 0, done.stderr
    assert await profiles.get(pool, REPO) == before


@pytest.mark.parametrize(
    ("script", "says"),
    [
        ('text = \'fast = ["a", ""]\\nspeed = 1\\n# mine\\n\'', ("fast[1]:", "speed:")),
        ("text = 'setup = \\n# mine\\n'", ("line 1:", "no TOML")),
        ("text = 'generated_dockerfile = \"FROM a\"\\n# mine\\n'", ("generated_dockerfile:",)),
    ],
)
async def test_a_text_that_is_refused_is_kept_and_can_be_edited_again(
    database_url: str, pool: Pool[Any], tmp_path: Path, script: str, says: tuple[str, ...]
) -> None:
    done = await draftsman(database_url, "edit", REPO, EDITOR=editor(tmp_path, script), TMPDIR=str(tmp_path))
    assert done.returncode == 2
    assert [word for word in says if word not in done.stderr] == []
    [kept] = tmp_path.glob("draftsman-*.toml")
    assert "# mine" in kept.read_text()
    assert str(kept) in done.stderr
    again = editor(tmp_path, "assert '# mine' in text\ntext = 'fast = [\"a\"]'")
    done = await draftsman(database_url, "edit", REPO, "--file", str(kept), EDITOR=again)
    assert done.returncode == 0, done.stderr
    assert await profiles.overrides_for(pool, REPO) == ProfileOverrides(fast=("a",))


async def test_edit_does_not_overwrite_what_somebody_else_changed_meanwhile(
    database_url: str, pool: Pool[Any], tmp_path: Path
) -> None:
    await draftsman(database_url, "set", REPO, "--setup", "first")
    other = f"[{sys.executable!r}, '-m', 'draftsman.cli.main', 'profile', 'set', {REPO!r}, '--setup', 'theirs']"
    script = f"import subprocess; subprocess.run({other}, check=True)\ntext = 'setup = \"mine\"'"
    done = await draftsman(database_url, "edit", REPO, EDITOR=editor(tmp_path, script), TMPDIR=str(tmp_path))
    assert done.returncode == 3
    assert "was changed while you edited it" in done.stderr
    assert (await profiles.overrides_for(pool, REPO)).setup == "theirs"
    [kept] = tmp_path.glob("draftsman-*.toml")
    assert "mine" in kept.read_text()


@pytest.mark.parametrize(
    ("command", "says"), [("/absent/editor", "set EDITOR"), ("false", "exit code 1"), ("'", "no command")]
)
async def test_an_editor_that_does_not_work_changes_nothing(
    database_url: str, pool: Pool[Any], tmp_path: Path, command: str, says: str
) -> None:
    done = await draftsman(database_url, "edit", REPO, EDITOR=command, TMPDIR=str(tmp_path))
    assert (done.returncode, says in done.stderr) == (2, True)
    assert await profiles.get(pool, REPO) is None


async def test_an_edited_dockerfile_is_kept_until_it_is_reset(
    database_url: str, pool: Pool[Any], tmp_path: Path
) -> None:
    none = await draftsman(database_url, "dockerfile", REPO)
    assert (none.returncode, "No Dockerfile was generated" in none.stderr) == (3, True)
    plan = make_plan()
    await profiles.keep_inferred(pool, REPO, plan, "hash")
    assert (await draftsman(database_url, "dockerfile", REPO)).stdout == plan.dockerfile
    command = editor(tmp_path, "text += 'RUN make tools\\n'")
    done = await draftsman(database_url, "dockerfile", REPO, "--edit", EDITOR=command)
    assert done.returncode == 0, done.stderr
    mine = plan.dockerfile + "RUN make tools\n"
    overrides = await profiles.overrides_for(pool, REPO)
    assert (overrides.generated_dockerfile, overrides.dockerfile_mode) == (mine, "generate")
    assert (await draftsman(database_url, "dockerfile", REPO)).stdout == mine
    done = await draftsman(database_url, "edit", REPO, EDITOR=editor(tmp_path, "text += 'setup = \"x\"\\n'"))
    assert done.returncode == 0, done.stderr
    assert (await profiles.overrides_for(pool, REPO)).generated_dockerfile == mine
    assert (await draftsman(database_url, "dockerfile", REPO, "--reset")).returncode == 0
    assert await profiles.overrides_for(pool, REPO) == ProfileOverrides(setup="x")
    assert (await draftsman(database_url, "dockerfile", REPO)).stdout == plan.dockerfile
