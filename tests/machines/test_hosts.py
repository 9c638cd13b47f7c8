"""The hosts that tests of several machines stand on."""

from __future__ import annotations

import subprocess
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.chaos.engine import READY
from tests.machines.hosts import Host, Hosts, hosts
from tests.product import free_port, scratch_folder

pytestmark = [pytest.mark.engine, pytest.mark.linux_root]


@pytest.fixture(scope="module")
async def two() -> AsyncIterator[Hosts]:
    with scratch_folder() as folder:
        async with hosts(folder) as up:
            yield up


async def ok(host: Host, *arguments: str) -> str:
    code, said = await host.docker(*arguments)
    assert code == 0, said
    return said


async def test_they_are_two_engines_with_the_images_of_the_load(two: Hosts) -> None:
    ids = {await ok(host, "info", "--format", "{{.ID}}") for host in two.members}
    assert len(ids) == 2
    for host in two.members:
        assert await ok(host, "run", "--rm", READY, "python3", "-c", "print('up')") == "up"


async def test_what_one_pushes_the_other_pulls(two: Hosts) -> None:
    one, other = two.members
    name = f"{two.registry.address}/team/ready:1"
    await ok(one, "tag", READY, name)
    await ok(one, "push", name)
    assert await two.registry.tags("team/ready") == ["1"]
    await ok(other, "pull", name)
    assert await ok(other, "run", "--rm", name, "python3", "-c", "print('pulled')") == "pulled"


async def test_containers_reach_the_other_host_and_our_end(two: Hosts) -> None:
    one, other = two.members
    port = free_port()
    serve = ("python3", "-m", "http.server", str(port), "--bind", "0.0.0.0")
    await ok(other, "run", "--detach", "--init", "--name", "listens", "--publish", f"{port}:{port}", READY, *serve)
    assert await _fetched(one, f"http://{other.address}:{port}/") == "200"
    assert await _fetched(one, f"http://{two.registry.address}/v2/") == "200"
    other.cut()
    assert "timed out" in await _fetched(one, f"http://{other.address}:{port}/", tries=1)
    other.mend()
    assert await _fetched(one, f"http://{other.address}:{port}/") == "200"


async def test_nothing_of_them_is_left() -> None:
    seen: list[tuple[Path, Hosts]] = []

    async def fail_midway() -> None:
        with scratch_folder() as folder:
            async with hosts(folder) as up:
                await ok(up.members[0], "run", "--detach", "--init", READY, "sleep", "600")
                processes, _, namespaces, links = _left(folder, up)
                assert all((processes, namespaces, links))
                seen.append((folder, up))
                raise RuntimeError("midway")

    with pytest.raises(RuntimeError, match="midway"):
        await fail_midway()
    [(folder, up)] = seen
    assert not any(_left(folder, up)), _left(folder, up)
    assert not folder.exists()


async def _fetched(host: Host, url: str, tries: int = 50) -> str:
    """Return the status that a container of the host gets, or why it gets none."""
    program = (
        "import sys, time, urllib.request\n"
        "for _ in range(int(sys.argv[2])):\n"
        "    try:\n"
        "        print(urllib.request.urlopen(sys.argv[1], timeout=1).status)\n"
        "        break\n"
        "    except OSError as error:\n"
        "        last = error\n"
        "        time.sleep(0.1)\n"
        "else:\n"
        "    print(last)\n"
    )
    _, said = await host.docker("run", "--rm", READY, "python3", "-c", program, url, str(tries))
    return said


def _left(folder: Path, of: Hosts) -> tuple[list[str], ...]:
    """Return what there is of these hosts: processes, mounts, namespaces, links.

    An engine's own mounts are in a namespace of its own, and are seen here only where it did not keep to it.
    """
    processes = []
    for one in Path("/proc").iterdir():
        if one.name.isdigit():
            with suppress(OSError):
                processes.append((one / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace"))
    mounts = Path("/proc/mounts").read_text().splitlines()
    namespaces = [entry.name for entry in Path("/run/netns").iterdir()]
    links = subprocess.run(("ip", "-o", "-4", "addr"), capture_output=True, text=True).stdout.splitlines()
    return (
        [line for line in processes if str(folder) in line],
        [line for line in mounts if str(folder) in line],
        [name for name in namespaces if name.startswith(of.members[0].wires.switch)],
        [line for line in links if f"{of.outside}/" in line],
    )
