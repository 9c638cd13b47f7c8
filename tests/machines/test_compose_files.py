"""The files by which compose runs several machines: database and queue for all of them, and a worker alone."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import subprocess
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from redis.asyncio import Redis
from redis.exceptions import AuthenticationError, RedisError

from tests.product import free_port

ROOT = Path(__file__).parents[2]
FIRST, FURTHER = "docker-compose.shared.yml", "docker-compose.worker.yml"

pytestmark = pytest.mark.engine


def compose(more: str, *arguments: str, project: str = "draftsman", **values: str) -> subprocess.CompletedProcess[str]:
    """Run compose with the product's own file and another one, and with these values of `.env` alone."""
    known = {name: os.environ[name] for name in ("PATH", "HOME", "DOCKER_HOST") if name in os.environ}
    files = ("--file", str(ROOT / "docker-compose.yml"), "--file", str(ROOT / more))
    return subprocess.run(
        ["docker", "compose", "--project-name", project, "--project-directory", str(ROOT), *files, *arguments],
        env=known | values,
        capture_output=True,
        text=True,
        timeout=180,
    )


def configured(more: str, *arguments: str, **values: str) -> dict[str, Any]:
    done = compose(more, *arguments, "config", "--format", "json", **values)
    assert done.returncode == 0, done.stderr
    config: dict[str, Any] = json.loads(done.stdout)["services"]
    return config


SHARED = {"PRIVATE_ADDRESS": "127.0.0.1", "POSTGRES_PASSWORD": "of-postgres", "REDIS_PASSWORD": "of-redis"}
ALONE = {
    "DATABASE_URL": "postgresql://draftsman@10.8.0.1:5432/draftsman",
    "POSTGRES_PASSWORD": "of-postgres",
    "REDIS_URL": "redis://:of-redis@10.8.0.1:6379/0",
}


def test_a_further_machine_has_a_worker_and_nothing_else_of_the_first_ones() -> None:
    listed = compose(FURTHER, "config", "--services", **ALONE)
    assert listed.stdout.split() == ["worker"], listed.stderr


def test_postgres_and_redis_listen_at_the_private_address_alone_and_everybody_knows_the_password() -> None:
    services = configured(FIRST, **SHARED)
    for name in ("postgres", "redis"):
        assert [port["host_ip"] for port in services[name]["ports"]] == ["127.0.0.1"]
    plain = configured(FURTHER, "--profile", "first-machine", **ALONE)
    # Said again there, since a list takes another's place.
    assert services["redis"]["command"][:-2] == plain["redis"]["command"]
    for name in ("api", "worker", "migrate"):
        assert services[name]["environment"]["REDIS_URL"] == "redis://:of-redis@redis:6379/0"


@pytest.mark.parametrize(("more", "values"), [(FIRST, SHARED), (FURTHER, ALONE)])
def test_what_must_be_said_is_asked_for(more: str, values: Mapping[str, str]) -> None:
    for left_out in values:
        done = compose(more, "config", **{name: value for name, value in values.items() if name != left_out})
        assert done.returncode != 0
        assert left_out in done.stderr


def test_a_worker_alone_waits_for_no_service_of_this_machine() -> None:
    worker = configured(FURTHER, **ALONE)["worker"]
    assert "depends_on" not in worker
    assert list(worker["networks"]) == ["outside"]
    assert worker["environment"]["DATABASE_URL"] == ALONE["DATABASE_URL"]
    assert worker["environment"]["REDIS_URL"] == ALONE["REDIS_URL"]


@pytest.fixture
async def first() -> AsyncIterator[dict[str, str]]:
    """The database and the queue of a first machine; their ports."""
    values = SHARED | {"POSTGRES_PORT": str(free_port()), "REDIS_PORT": str(free_port())}
    project = f"machines-{secrets.token_hex(4)}"
    up = ("up", "--detach", "--wait", "postgres", "redis")
    done = await asyncio.to_thread(compose, FIRST, *up, project=project, **values)
    try:
        assert done.returncode == 0, done.stderr
        yield values
    finally:
        await asyncio.to_thread(compose, FIRST, "down", "--volumes", project=project, **values)


@pytest.mark.timeout(300)
async def test_another_machine_gets_in_with_the_passwords_and_not_without(first: Mapping[str, str]) -> None:
    address = f"127.0.0.1:{first['POSTGRES_PORT']}/draftsman"
    connection = await asyncpg.connect(f"postgresql://draftsman:of-postgres@{address}")
    assert await connection.fetchval("SELECT 1") == 1
    await connection.close()
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(f"postgresql://draftsman:draftsman@{address}")
    known, stranger = (
        Redis.from_url(f"redis://{login}127.0.0.1:{first['REDIS_PORT']}/0") for login in (":of-redis@", "")
    )
    try:
        assert await known.ping()
        with pytest.raises((AuthenticationError, RedisError)):
            await stranger.ping()
    finally:
        await known.aclose()
        await stranger.aclose()
