"""What a job cannot reach, each beside the same act from outside of the sandbox, which succeeds."""

from __future__ import annotations

import asyncio
import os
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from orchestrator.containers import remove_container
from orchestrator.engine import Engine
from orchestrator.fence.holder import Fences, holder_config, holder_name
from orchestrator.fence.rules import FencePolicy, fence_rules, read_policy
from orchestrator.helper import Helper
from orchestrator.images.build import BuildSettings
from orchestrator.runners.docker import DockerRunner
from orchestrator.runners.interface import JobSpec, Network
from tests.hostile.beside import attack
from tests.hostile.reach import METADATA, PRIVATE, Reach, listeners, outside
from tests.orchestrator.engine_fixtures import WITH_USER
from tests.orchestrator.sandbox_parts import Commit

pytestmark = [pytest.mark.hostile, pytest.mark.engine]

SpecOf = Callable[..., JobSpec]


@pytest.fixture(scope="module")
async def reach(engine: Engine, fences: Fences) -> AsyncIterator[Reach]:
    """Listeners for all tests of this file."""
    async with listeners(engine, fences.helper, await fences.host_addresses()) as up:
        yield up


def _visit(addresses: tuple[str, ...], port: int) -> str:
    """Return the command that says which of the addresses answer."""
    program = (
        "import socket, sys\n"
        "for address in sys.argv[2:]:\n"
        "    try:\n"
        "        with socket.create_connection((address, int(sys.argv[1])), 2) as way: said = way.recv(99).decode()\n"
        "        print('reached' if 'somebody' in said else 'heard', address)\n"
        "    except OSError as error: print('refused', address, type(error).__name__)\n"
    )
    return f'python -c "{program}" {port} {" ".join(addresses)}'


async def _say(
    runner: DockerRunner, commit: Commit, spec_of: SpecOf, command: str, network: Network = "fenced", **changes: object
) -> str:
    spec = spec_of(fast=(command,), network=network, **changes)
    ended = await attack(runner, commit, spec, with_neighbour=False)
    return ended.seen.text("fast-1")


async def test_no_private_address_of_the_host_and_no_sibling(
    engine: Engine, runner: DockerRunner, commit: Commit, spec_of: SpecOf, image: str, reach: Reach
) -> None:
    addresses = (*reach.host, reach.sibling)
    assert METADATA in addresses
    assert PRIVATE in addresses
    command = _visit((*addresses, "127.0.0.1"), reach.port)
    outer, inner = await asyncio.gather(
        outside(engine, image, _visit(addresses, reach.port)), _say(runner, commit, spec_of, command)
    )
    assert sorted(line.split()[1] for line in outer.splitlines() if line.startswith("reached")) == sorted(addresses)
    assert "reached" not in inner
    assert inner.count("refused") == len(addresses) + 1


async def test_what_an_administrator_allows_is_reached_at_that_port_and_at_no_other(
    engine: Engine, commit: Commit, spec_of: SpecOf, fences: Fences, reach: Reach
) -> None:
    policy = read_policy([f"{reach.host[0]}:{reach.port}", f"{PRIVATE}/32"], [])
    runner = DockerRunner(engine, Fences(fences.helper, policy))
    said = await _say(runner, commit, spec_of, _visit((*reach.host, reach.sibling), reach.port))
    reached = {line.split()[1] for line in said.splitlines() if line.startswith("reached")}
    # A network that is allowed does not open the host, whose address this is.
    assert reached == {reach.host[0]}


async def test_two_jobs_do_not_reach_each_other(
    engine: Engine, runner: DockerRunner, commit: Commit, spec_of: SpecOf, fences: Fences, image: str
) -> None:
    serve = (
        "import socket, threading\n"
        "with socket.create_server(('0.0.0.0', 8123)) as server:\n"
        "    print(socket.gethostbyname(socket.gethostname()), flush=True)\n"
        "    server.settimeout(30)\n"
        "    while True: server.accept()[0].sendall(b'somebody-was-here')\n"
    )
    for network, reached in (("open", "reached"), ("fenced", "refused")):
        job = await runner.start(spec_of(fast=(f'python -c "{serve}"',), network=network), commit.source)
        name = job.handle if network == "open" else holder_name(job.id, job.epoch)
        address = (await engine.call("GET", f"containers/{name}/json"))["NetworkSettings"]["Networks"]["bridge"]
        await asyncio.sleep(1.5)
        visit = _visit((address["IPAddress"],), 8123)
        assert (await outside(engine, image, visit)).startswith(reached), network
        assert (await _say(runner, commit, spec_of, visit)).startswith("refused")
        await runner.remove(job)


async def test_the_name_server_answers_and_nothing_else_of_its_address_does(
    engine: Engine, commit: Commit, spec_of: SpecOf, fences: Fences, image: str, reach: Reach
) -> None:
    server = (
        "import socket\n"
        "way = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); way.bind(('0.0.0.0', 53))\n"
        "while True:\n"
        "    asked, whom = way.recvfrom(512)\n"
        "    end = asked.index(0, 12) + 5\n"
        "    known = asked[end - 4:end - 2] == bytes([0, 1])\n"
        "    answer = bytes([192, 12, 0, 1, 0, 1, 0, 0, 0, 9, 0, 4, 203, 0, 113, 9]) if known else b''\n"
        "    head = asked[:2] + bytes([129, 128, 0, 1, 0, 1 if known else 0, 0, 0, 0, 0])\n"
        "    way.sendto(head + asked[12:end] + answer, whom)\n"
    )
    body = {"Image": image, "Entrypoint": ["python", "-c", server], "Labels": {"draftsman.helper": "1"}}
    made = await engine.call("POST", "containers/create", body=body)
    try:
        await engine.call("POST", f"containers/{made['Id']}/start")
        found = await engine.call("GET", f"containers/{made['Id']}/json")
        address = found["NetworkSettings"]["Networks"]["bridge"]["IPAddress"]
        runner = DockerRunner(engine, Fences(fences.helper, FencePolicy(), (address,)))
        ask = "python -c \"import socket; print(socket.gethostbyname('anything.example'))\""
        assert await _say(runner, commit, spec_of, ask) == "203.0.113.9\n"
        assert (await _say(runner, commit, spec_of, _visit((address,), 8080))).startswith("refused")
        assert "gaierror" in await _say(runner, commit, spec_of, f"{ask} 2>&1", network="none"), "no network, no names"
        interfaces = await _say(runner, commit, spec_of, "ls /sys/class/net", network="none")
        assert interfaces.split() == ["lo"]
    finally:
        await remove_container(engine, str(made["Id"]))


async def test_ipv6_passes_to_the_world_and_not_to_private_addresses(
    engine: Engine, fences: Fences, image: str
) -> None:
    """Holders sit on a network without IPv6: here one is put on a network that has it."""
    subnet = f"fd77:{uuid.uuid4().hex[:4]}::/64"
    ipam = {"Config": [{"Subnet": subnet}]}
    options = {
        "Name": f"hostile-{uuid.uuid4().hex[:8]}",
        "EnableIPv6": True,
        "IPAM": ipam,
        "Labels": {"draftsman.helper": "1"},
    }
    network = await engine.call("POST", "networks/create", body=options)
    made: list[str] = []
    serve = (
        "import socket\n"
        "server = socket.create_server(('::', 8124), family=socket.AF_INET6)\n"
        "while True: server.accept()[0].sendall(b'somebody-was-here')\n"
    )
    try:
        server = await _container(engine, made, image, ["python", "-c", serve], str(network["Id"]))
        networks = (await engine.call("GET", f"containers/{server}/json"))["NetworkSettings"]["Networks"]
        address = next(iter(networks.values()))["GlobalIPv6Address"]
        await asyncio.sleep(1)
        visit = _visit((address,), 8124)
        assert (await outside(engine, image, visit, NetworkMode=str(network["Id"]))).startswith("reached")
        config = holder_config(fences.helper.image, fence_rules(FencePolicy(), [], []), {}, with_ipv6=True)
        config["HostConfig"] |= {"NetworkMode": str(network["Id"]), "Sysctls": {"net.ipv6.conf.all.disable_ipv6": "0"}}
        # The resolver of such a network is on the loopback, which is open anyway.
        holder = str((await engine.call("POST", "containers/create", body=config))["Id"])
        made.append(holder)
        await engine.call("POST", f"containers/{holder}/start")
        async with asyncio.timeout(20):
            while "fence-ready" not in await _logs(engine, holder):
                await asyncio.sleep(0.05)
        assert (await outside(engine, image, visit, NetworkMode=f"container:{holder}")).startswith("refused")
    finally:
        for container in reversed(made):
            await remove_container(engine, container)
        await engine.call("DELETE", f"networks/{network['Id']}")


async def _container(engine: Engine, made: list[str], image: str, command: list[str], network: str) -> str:
    body = {"Image": image, "Entrypoint": command, "Tty": True, "HostConfig": {"NetworkMode": network}}
    container = str((await engine.call("POST", "containers/create", body=body))["Id"])
    made.append(container)
    await engine.call("POST", f"containers/{container}/start")
    return container


async def _logs(engine: Engine, container: str) -> str:
    async with engine.stream("GET", f"containers/{container}/logs", params={"stdout": "1"}) as answer:
        return (await answer.read()).decode("utf-8", "replace")


RAW = (
    "import socket\n"
    "try:\n"
    "    way = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)\n"
    "    way.bind(('eth0', 0)); way.send(bytes(64)); print('sent')\n"
    "except OSError as error: print(type(error).__name__)\n"
)
SUID = (
    "cp /bin/sh /tmp/sh && chmod 4755 /tmp/sh && "
    "exec python -c \"import os; os.setuid(1234); os.execv('/tmp/sh', ['sh', '-p', '-c', 'id -u'])\""
)
MOUNT = (
    "import ctypes\n"
    "made = ctypes.CDLL(None).mount(b'none', b'/mnt', b'tmpfs', 0, None)\n"
    "print('refused' if made else 'mounted')\n"
)
ACTS = [
    (
        "calls that seccomp refuses",
        "grep -q 'Seccomp:.*2' /proc/self/status && echo filtered || echo open",
        "open",
        {"SecurityOpt": ["seccomp=unconfined"]},
    ),
    ("raw frames", f'python -c "{RAW}"', "sent", {}),
    ("the engine's socket", "ls /var/run/docker.sock 2>/dev/null || echo none", "/var/run/docker.sock", "socket"),
    ("mount", f'python -c "{MOUNT}"', "mounted", {"Privileged": True}),
    (
        "a namespace of its own",
        "unshare -rm true 2>/dev/null && echo made || echo refused",
        "made",
        {"Privileged": True},
    ),
    ("setuid", SUID, "0", {}),
    (
        "the kernel's settings",
        "echo 1 > /proc/sys/vm/drop_caches && echo set || echo refused",
        "set",
        {"Privileged": True},
    ),
    (
        "devices",
        "ls /dev | grep -q -E '^(sd|vd|nvme|kmsg|mem)' && echo seen || echo none",
        "seen",
        {"Privileged": True},
    ),
]


@pytest.mark.parametrize(("name", "command", "word", "control"), ACTS, ids=[act[0].replace(" ", "-") for act in ACTS])
async def test_what_a_job_may_not_do(
    engine: Engine,
    runner: DockerRunner,
    commit: Commit,
    spec_of: SpecOf,
    image: str,
    name: str,
    command: str,
    word: str,
    control: object,
) -> None:
    if control == "socket":
        where = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock").removeprefix("unix://")
        control = {"Binds": [f"{where}:/var/run/docker.sock"]}
    assert isinstance(control, dict)
    outer, inner = await asyncio.gather(
        outside(engine, image, command, **control), _say(runner, commit, spec_of, command)
    )
    assert word in outer.split(), outer
    assert word not in inner.split(), inner


async def test_other_processes_and_their_secrets_are_not_to_be_seen(
    engine: Engine, runner: DockerRunner, commit: Commit, spec_of: SpecOf, image: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    canary = f"canary-{uuid.uuid4().hex}"
    body = {
        "Image": image,
        "Entrypoint": ["sleep", "60"],
        "Env": [f"SECRET={canary}"],
        "Labels": {"draftsman.helper": "1"},
    }
    made = str((await engine.call("POST", "containers/create", body=body))["Id"])
    search = "cat /proc/[0-9]*/environ 2>/dev/null | tr '\\0' '\\n'; find / -name 'private-key*' 2>/dev/null; env"
    try:
        await engine.call("POST", f"containers/{made}/start")
        inner = await _say(runner, commit, spec_of, search)
        assert canary in await outside(engine, image, search, PidMode="host", Privileged=True)
    finally:
        await remove_container(engine, made)
    assert "JOB_ID=" in inner
    assert canary not in inner
    assert not any(word in inner for word in ("TOKEN=", "PRIVATE_KEY", "private-key", "DATABASE_URL", "REDIS_URL"))


async def test_no_other_repositorys_files_are_to_be_found(
    engine: Engine, runner: DockerRunner, commit: Commit, spec_of: SpecOf, image: str
) -> None:
    canary = f"canary-{uuid.uuid4().hex}"
    volume = f"draftsman_{canary}_pip_cache"
    await engine.call("POST", "volumes/create", body={"Name": volume, "Labels": {"draftsman.helper": "1"}})
    mounted = {"Mounts": [{"Type": "volume", "Source": volume, "Target": "/other"}]}
    search = f"find / -xdev -name '{canary}' 2>/dev/null; ls -d /other/* 2>/dev/null; cat /proc/self/mountinfo"
    try:
        outer = await outside(engine, image, f"touch /other/{canary}; {search}", **mounted)
        assert f"/other/{canary}" in outer
        inner = await _say(runner, commit, spec_of, search)
        assert canary not in inner
        places = {line.split()[4] for line in inner.splitlines() if " - " in line}
        allowed = (
            "/proc",
            "/sys",
            "/dev",
            "/etc/resolv.conf",
            "/etc/hostname",
            "/etc/hosts",
            "/usr/sbin/docker-init",
            "/sbin/docker-init",
        )
        assert not [place for place in places if place != "/" and not place.startswith(allowed)], places
    finally:
        await engine.call("DELETE", f"volumes/{volume}", params={"force": "1"})


async def test_a_user_that_is_not_root_is_no_better_off(
    runner: DockerRunner, commit: Commit, spec_of: SpecOf, image_of: Callable[[str], Awaitable[str]]
) -> None:
    command = "id -u; touch /etc/x 2>/dev/null || echo refused; cat /etc/shadow >/dev/null 2>&1 || echo refused"
    said = await _say(runner, commit, spec_of, command, image=await image_of(WITH_USER))
    assert said == "1000\nrefused\nrefused\n"


async def test_without_its_fence_a_job_is_ended(
    engine: Engine, runner: DockerRunner, commit: Commit, spec_of: SpecOf
) -> None:
    spec = spec_of(fast=("sleep 100",), network="fenced")
    running = asyncio.create_task(attack(runner, commit, spec, with_neighbour=False))
    async with asyncio.timeout(20):
        while await runner.adopt(spec.id) is None:
            await asyncio.sleep(0.1)
    await asyncio.sleep(1)
    await remove_container(engine, holder_name(spec.id, spec.epoch))
    ended = await running
    assert ended.end.title == "the job lost its network fence in `sleep 100`"


async def test_a_fence_that_cannot_be_had_is_no_fence(engine: Engine, commit: Commit, spec_of: SpecOf) -> None:
    class Broken(Fences):
        async def rules(self) -> str:
            return "table inet fence { nonsense }"

    runner = DockerRunner(engine, Broken(Helper(engine, BuildSettings()), FencePolicy()))
    spec = spec_of(fast=("true",), network="fenced")
    with pytest.raises(Exception, match="the kernel does not take the rules"):
        await runner.start(spec, commit.source)
    assert await runner.adopt(spec.id) is None
