"""The embedded servers, as real ones: use, restart, crash of either side, odd folders, clear errors."""

from __future__ import annotations

import asyncio
import contextlib
import os
import platform
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import asyncpg
import pytest
from arq import create_pool
from arq.connections import RedisSettings
from arq.worker import Worker, func
from redis.asyncio import Redis

from draftsman.embedded import EmbeddedError, postgres, redis, running_url

pytestmark = pytest.mark.services

PARENT = """
import asyncio, sys
from pathlib import Path
from draftsman.embedded import postgres, redis

async def main(folder):
    async with postgres(folder / "postgres") as database_url, redis(folder / "redis") as redis_url:
        print(database_url, redis_url, flush=True)
        await asyncio.sleep(600)

asyncio.run(main(Path(sys.argv[1])))
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that other users may enter: pytest's own is closed to them, and Postgres is not root."""
    path = Path(tempfile.mkdtemp(prefix="embedded-", dir="/tmp"))
    path.chmod(0o711)
    yield path
    shutil.rmtree(path)


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
    connection = await asyncpg.connect(url)
    try:
        yield connection
    finally:
        await connection.close()


@asynccontextmanager
async def parent(folder: Path) -> AsyncIterator[tuple[int, str, str]]:
    """Another process that runs both servers: its pid and its URLs. It and they are gone at the end."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PARENT, str(folder), stdout=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        line = await asyncio.wait_for(process.stdout.readline(), 60)
        database_url, redis_url = line.decode().split()
        yield process.pid, database_url, redis_url
    finally:
        if process.returncode is None:
            process.terminate()
        await process.communicate()
        for pid_file in (folder / "postgres/data/postmaster.pid", folder / "redis/data/pid"):
            with contextlib.suppress(FileNotFoundError):
                await gone(int(pid_file.read_text().splitlines()[0]))


def postmaster(folder: Path) -> int:
    return int((folder / "data/postmaster.pid").read_text().splitlines()[0])


async def gone(pid: int, within: float = 15.0) -> bool:
    for _ in range(int(within / 0.05)):
        try:
            os.kill(pid, 0)
            if platform.system() == "Linux" and "\nState:\tZ" in Path(f"/proc/{pid}/status").read_text():
                return True
        except (ProcessLookupError, FileNotFoundError):
            return True
        await asyncio.sleep(0.05)
    return False


async def test_postgres_keeps_its_data_over_a_restart(folder: Path) -> None:
    async with postgres(folder / "postgres") as url, connected(url) as connection:
        assert await connection.fetchval("SHOW server_version_num") >= "160000"
        assert await connection.fetchval("SHOW fsync") == "on"
        assert await connection.fetchval("SHOW listen_addresses") == ""
        assert await connection.fetchval("SHOW server_encoding") == "UTF8"
        await connection.execute("CREATE TABLE kept (id uuid DEFAULT gen_random_uuid(), word text)")
        await connection.execute("INSERT INTO kept (word) VALUES ('here')")
        pid = postmaster(folder / "postgres")
    assert await gone(pid, 1)
    async with postgres(folder / "postgres") as url, connected(url) as connection:
        assert await connection.fetchval("SELECT word FROM kept") == "here"


async def test_the_socket_is_closed_to_other_users(folder: Path) -> None:
    async with postgres(folder / "postgres") as database_url, redis(folder / "redis") as redis_url:
        sockets = (parse_qs(urlsplit(database_url).query)["host"][0], str(Path(urlsplit(redis_url).path).parent))
        for place in sockets:
            assert stat.S_IMODE(Path(place).stat().st_mode) == 0o700
        assert stat.S_IMODE((folder / "postgres/data").stat().st_mode) == 0o700


async def test_redis_keeps_its_data_over_a_restart(folder: Path) -> None:
    async with redis(folder / "redis") as url, Redis.from_url(url) as client:
        assert await client.config_get("appendonly") == {"appendonly": "yes"}
        await client.set("word", "here")
    async with redis(folder / "redis") as url, Redis.from_url(url) as client:
        assert await client.get("word") == b"here"


async def test_an_arq_job_runs_through_redis(folder: Path) -> None:
    ran: list[str] = []

    async def note(ctx: dict[Any, Any], word: str) -> None:
        ran.append(word)

    async with redis(folder / "redis") as url:
        pool = await create_pool(RedisSettings.from_dsn(url))
        await pool.enqueue_job("note", "woken")
        worker = Worker([func(note, name="note")], redis_pool=pool, burst=True, handle_signals=False)
        await worker.main()
        await pool.aclose()
    assert ran == ["woken"]


async def test_a_second_process_is_told_who_holds_the_folder(folder: Path) -> None:
    async with parent(folder) as (pid, database_url, redis_url):
        with pytest.raises(EmbeddedError, match=f"is in use by process {pid}"):
            async with postgres(folder / "postgres"):
                pass
        with pytest.raises(EmbeddedError, match=f"is in use by process {pid}"):
            async with redis(folder / "redis"):
                pass
        assert running_url(folder / "postgres") == database_url
        assert running_url(folder / "redis") == redis_url
        async with connected(database_url) as connection:
            assert await connection.fetchval("SELECT 1") == 1
    assert running_url(folder / "postgres") is None
    assert running_url(folder / "absent") is None


async def test_after_kill_9_of_the_parent_the_servers_end_and_the_next_start_has_the_data(folder: Path) -> None:
    async with parent(folder) as (pid, database_url, redis_url):
        async with connected(database_url) as connection, Redis.from_url(redis_url) as client:
            await connection.execute("CREATE TABLE kept AS SELECT 'here' AS word")
            await client.set("word", "here")
            await asyncio.sleep(1.2)  # the append-only file is synced every second
        server = postmaster(folder / "postgres")
        os.kill(pid, signal.SIGKILL)
        async with (
            postgres(folder / "postgres") as url,
            connected(url) as connection,
            redis(folder / "redis") as next_redis_url,
            Redis.from_url(next_redis_url) as client,
        ):
            assert await connection.fetchval("SELECT word FROM kept") == "here"
            assert await client.get("word") == b"here"
        assert await gone(server)


@pytest.mark.linux_root
async def test_kill_9_of_the_parent_alone_ends_the_servers_on_linux(folder: Path) -> None:
    async with parent(folder) as (pid, _, _):
        servers = [postmaster(folder / "postgres"), int((folder / "redis/data/pid").read_text())]
        assert all(os.getsid(server) != os.getsid(pid) for server in servers), "Ctrl-C would reach them"
        os.kill(pid, signal.SIGKILL)
        if platform.system() == "Linux":
            assert all([await gone(server) for server in servers])


async def test_a_server_that_dies_is_started_again(folder: Path) -> None:
    async with postgres(folder / "postgres") as database_url, redis(folder / "redis") as redis_url:
        async with connected(database_url) as connection:
            await connection.execute("CREATE TABLE kept AS SELECT 'here' AS word")
        for pid in (postmaster(folder / "postgres"), int((folder / "redis/data/pid").read_text())):
            os.kill(pid, signal.SIGKILL)
        async with asyncio.timeout(30):
            while True:
                try:
                    async with connected(database_url) as connection, Redis.from_url(redis_url) as client:
                        assert await connection.fetchval("SELECT word FROM kept") == "here"
                        assert await client.ping()
                    break
                except (OSError, asyncpg.PostgresError):
                    await asyncio.sleep(0.1)


async def test_a_server_that_an_earlier_start_left_is_ended_first(folder: Path) -> None:
    from draftsman.embedded.redis import _server

    async with redis(folder / "redis"):
        pass
    left = subprocess.Popen(
        _server(folder / "redis", folder / "redis/data/s").command, stdout=subprocess.DEVNULL, start_new_session=True
    )
    while not (folder / "redis/data/pid").exists():
        await asyncio.sleep(0.02)
    async with redis(folder / "redis") as url, Redis.from_url(url) as client:
        assert left.wait(1) == 0
        assert await client.ping()


async def test_a_pid_file_with_the_number_of_another_program_is_stale(folder: Path) -> None:
    async with postgres(folder / "postgres"):
        pass
    data = folder / "postgres/data"
    (data / "postmaster.pid").write_text(f"{os.getpid()}\n{data}\n")
    async with postgres(folder / "postgres") as url, connected(url) as connection:
        assert await connection.fetchval("SELECT 1") == 1


async def test_a_torn_append_only_file_is_loaded_up_to_the_tear(folder: Path) -> None:
    async with redis(folder / "redis") as url, Redis.from_url(url) as client:
        await client.set("first", "1")
        await client.set("second", "x" * 100)
    (log,) = (folder / "redis/data/appendonlydir").glob("*.incr.aof")
    os.truncate(log, log.stat().st_size - 40)
    async with redis(folder / "redis") as url, Redis.from_url(url) as client:
        assert await client.get("first") == b"1"
        assert await client.get("second") is None


@pytest.mark.parametrize("name", ["x" * 120, "with a space", "100% & ünusual?#"])
async def test_folders_with_long_or_odd_names_work(folder: Path, name: str) -> None:
    async with (
        postgres(folder / name / "postgres") as url,
        connected(url) as connection,
        redis(folder / name / "redis") as redis_url,
        Redis.from_url(redis_url) as client,
    ):
        assert await connection.fetchval("SELECT 1") == 1
        assert await client.ping()
        await (await create_pool(RedisSettings.from_dsn(redis_url))).aclose()
    assert not Path(urlsplit(redis_url).path).parent.exists()


async def test_data_of_a_version_that_is_not_carried_is_refused_in_words(folder: Path) -> None:
    async with postgres(folder / "postgres"):
        pass
    (folder / "postgres/data/PG_VERSION").write_text("15\n")
    with pytest.raises(EmbeddedError, match=r"holds data of PostgreSQL 15, and .* carries 16"):
        async with postgres(folder / "postgres"):
            pass


async def test_a_server_that_does_not_start_shows_the_end_of_its_log(folder: Path) -> None:
    async with postgres(folder / "postgres"):
        pass
    (folder / "postgres/data/global/pg_control").write_bytes(b"damaged")
    with pytest.raises(EmbeddedError, match=r"Postgres did not start \(exit code -?\d+\)") as caught:
        async with postgres(folder / "postgres"):
            pass
    assert "pg_control" in caught.value.detail


async def test_a_half_made_data_folder_is_made_anew(folder: Path) -> None:
    (folder / "postgres/data.new/base").mkdir(parents=True)
    async with postgres(folder / "postgres") as url, connected(url) as connection:
        assert await connection.fetchval("SELECT 1") == 1


@pytest.mark.linux_root
async def test_root_is_told_which_folder_its_postgres_cannot_enter(folder: Path) -> None:
    closed = folder / "closed"
    closed.mkdir(mode=0o700)
    if os.geteuid() == 0:
        with pytest.raises(EmbeddedError, match=f"other users may not enter {closed}: choose a data folder"):
            async with postgres(closed / "postgres"):
                pass
        assert stat.S_IMODE(closed.stat().st_mode) == 0o700
    else:
        async with postgres(closed / "postgres") as url, connected(url) as connection:
            assert await connection.fetchval("SELECT 1") == 1


@pytest.mark.linux_root
async def test_an_installation_that_its_account_cannot_read_is_copied(folder: Path) -> None:
    from draftsman.embedded.postgres import _copy, _install

    folder.joinpath("data").mkdir()
    installation = await _install(folder, None)
    copied = await asyncio.to_thread(_copy, installation, folder / "install-1")
    said = subprocess.run([copied / "bin/initdb", "--version"], capture_output=True, text=True, check=True).stdout
    assert said.startswith("initdb (PostgreSQL) 16")


async def test_a_file_in_the_place_of_the_folder_is_told(folder: Path) -> None:
    (folder / "file").write_text("")
    with pytest.raises(EmbeddedError, match="cannot be used for data"):
        async with redis(folder / "file"):
            pass
