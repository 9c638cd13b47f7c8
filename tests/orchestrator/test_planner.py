"""Plans are made in a child process that can be killed without harm."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import pytest

from draftsman.domain.errors import PlanError, SettingsError
from draftsman.domain.plan import Plan, ProfileOverrides, Tree
from orchestrator.planner import Planner
from orchestrator.planning.plan import make_plan
from tests.planning.cases import TEMPLATES, read_cases, read_tree, tree_of

pytestmark = pytest.mark.services

SMALL = tree_of({"pyproject.toml": "[project]\nname = 'a'\n", "a.py": "", "test_a.py": "def test_a(): ..."})
SLOW = tree_of(
    {"a.py": "", "pyproject.toml": "\n".join(f"[k{n}.{'a.' * 28}b]\n{'c.' * 28}d = 1" for n in range(40_000))}
)
"""Takes half a minute: keys just short enough to be read, many thousand times."""

HUGE = tree_of({"package.json": '{"a": [' + "{}," * 13_000_000 + "{}]}"})
"""Takes more than 1 GiB of memory."""


async def ask(planner: Planner, tree: Tree, overrides: ProfileOverrides | None = None, image_prefix: str = "") -> Plan:
    return await planner.plan(
        tree,
        repo="octo/case",
        overrides=overrides or ProfileOverrides(),
        templates=TEMPLATES,
        image_prefix=image_prefix,
        ca_bundle=True,
    )


def directly(tree: Tree, overrides: ProfileOverrides | None = None) -> Plan:
    overrides = overrides or ProfileOverrides()
    return make_plan(tree, repo="octo/case", overrides=overrides, templates=TEMPLATES, ca_bundle=True)


def children() -> list[int]:
    """The planning processes of this one."""
    listed = subprocess.run(
        ["ps", "-A", "-ww", "-o", "pid=,ppid=,command="], capture_output=True, text=True, check=True
    )
    rows = [line.split(None, 2) for line in listed.stdout.splitlines()]
    return [int(pid) for pid, parent, command in rows if int(parent) == os.getpid() and "planner_child" in command]


async def a_child() -> int:
    """The planning process, once it is there and at work."""
    async with asyncio.timeout(30):
        while not (found := children()):
            await asyncio.sleep(0.02)
    await asyncio.sleep(1)
    return found[0]


@pytest.fixture
async def planner() -> AsyncIterator[Planner]:
    made = Planner()
    yield made
    await made.close()
    assert children() == []


@pytest.fixture
async def hasty() -> AsyncIterator[Planner]:
    made = Planner(deadline_seconds=1.5)
    yield made
    await made.close()


async def test_plans_are_those_of_make_plan(planner: Planner) -> None:
    for case in [one for one in read_cases() if "error" not in one.expected]:
        tree = read_tree(case.repo, case.overrides)
        assert await ask(planner, tree, case.overrides) == directly(tree, case.overrides), case.name
    assert len(children()) == 1


async def test_paths_and_files_that_are_no_text_are_planned(planner: Planner) -> None:
    paths = {"a.py", "Dockerfile", "test_\udcff.py", "x\n\x1b[31m.py", "\ud83d"}
    tree = Tree(frozenset(paths), {"test_\udcff.py": b"\xff\x00", "a.py": bytes(range(256))})
    assert await ask(planner, tree) == directly(tree)


async def test_errors_of_the_commit_and_of_settings_come_back(planner: Planner) -> None:
    with pytest.raises(PlanError, match=r"^pyproject\.toml:1: "):
        await ask(planner, tree_of({"a.py": "", "pyproject.toml": "[project"}))
    with pytest.raises(SettingsError, match="registry mirror prefix"):
        await ask(planner, SMALL, image_prefix="no-slash")
    with pytest.raises(PlanError, match="no Unicode"):
        await ask(planner, SMALL, ProfileOverrides(setup="\udcff"))
    assert len(children()) == 1


async def test_slow_commit_is_stopped_and_the_next_is_planned(hasty: Planner) -> None:
    started = time.monotonic()
    with pytest.raises(PlanError, match=r"longer than 1\.5 s .* too complicated"):
        await ask(hasty, SLOW)
    assert time.monotonic() - started < 15
    assert children() == []
    assert await ask(hasty, SMALL) == directly(SMALL)


async def test_commit_that_takes_too_much_memory_is_refused_where_memory_can_be_limited(planner: Planner) -> None:
    expected: AbstractContextManager[object] = nullcontext()
    if sys.platform == "linux":
        expected = pytest.raises(PlanError, match=r"1024 MiB of memory")
    with expected:
        await ask(planner, HUGE)
    assert await ask(planner, SMALL) == directly(SMALL)


async def test_child_that_is_killed_at_work_is_an_error_of_the_commit(planner: Planner) -> None:
    task = asyncio.create_task(ask(planner, SLOW))
    os.kill(await a_child(), signal.SIGKILL)
    with pytest.raises(PlanError, match=r"SIGKILL.* memory"):
        await task
    assert await ask(planner, SMALL) == directly(SMALL)


async def test_child_that_died_between_plans_is_replaced(planner: Planner) -> None:
    assert await ask(planner, SMALL) == directly(SMALL)
    [before] = children()
    os.kill(before, signal.SIGKILL)
    assert await ask(planner, SMALL) == directly(SMALL)
    [after] = children()
    assert after != before


async def test_cancelled_plan_leaves_no_child(planner: Planner) -> None:
    task = asyncio.create_task(ask(planner, SLOW))
    await a_child()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert children() == []
    assert await ask(planner, SMALL) == directly(SMALL)


async def test_plans_asked_for_at_once_all_come(planner: Planner) -> None:
    trees = [tree_of({"a.py": "", ".python-version": f"3.{minor}"}) for minor in (11, 12, 13)]
    plans = await asyncio.gather(*(ask(planner, tree) for tree in trees))
    assert [plan.toolchains[0].version for plan in plans] == ["3.11", "3.12", "3.13"]
    assert len(children()) == 1


async def test_child_imports_nothing_from_the_current_folder(
    planner: Planner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("yaml.py", "orchestrator.py", "sitecustomize.py"):
        (tmp_path / name).write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\nraise SystemExit(3)\n")
    monkeypatch.chdir(tmp_path)
    assert await ask(planner, SMALL) == directly(SMALL)
    assert not (tmp_path / "ran").exists()


def test_child_ends_with_its_parent() -> None:
    program = (
        "import asyncio, os, signal\n"
        "from tests.orchestrator.test_planner import SMALL, Planner, ask, children\n"
        "async def main():\n"
        "    await ask(Planner(), SMALL)\n"
        "    print(children()[0], flush=True)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "asyncio.run(main())\n"
    )
    root = Path(__file__).parents[2]
    parent = subprocess.run([sys.executable, "-c", program], cwd=root, capture_output=True, text=True)
    child = int(parent.stdout)
    for _ in range(100):
        alive = subprocess.run(["ps", "-p", str(child), "-o", "stat="], capture_output=True, text=True).stdout.strip()
        if not alive or alive.startswith("Z"):
            return
        time.sleep(0.1)
    raise AssertionError(f"the child {child} outlived its parent")


async def test_a_child_that_was_started_ahead_makes_the_first_plan() -> None:
    planner = Planner()
    try:
        await planner.warm()
        await planner.warm()
        ahead = children()
        await ask(planner, SMALL)
        assert children() == ahead
        assert len(ahead) == 1
    finally:
        await planner.close()
