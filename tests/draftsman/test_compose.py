"""The compose file says what the plan says, by compose's own reading of it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.engine


@pytest.fixture(scope="module")
def composed() -> dict[str, Any]:
    command = ["docker", "compose", "--project-directory", str(ROOT), "config", "--format", "json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    config: dict[str, Any] = json.loads(done.stdout)
    return config


def test_every_long_lived_service_restarts_and_is_watched(composed: dict[str, Any]) -> None:
    services = composed["services"]
    assert set(services) >= {"api", "worker", "redis", "postgres"}
    for name in ("api", "worker", "redis", "postgres"):
        assert services[name]["restart"] == "unless-stopped", name
        assert services[name]["healthcheck"]["test"], name


def test_the_worker_alone_reaches_the_engine(composed: dict[str, Any]) -> None:
    mounted = {
        name
        for name, service in composed["services"].items()
        for volume in service.get("volumes", [])
        if "docker.sock" in str(volume.get("source"))
    }
    assert mounted == {"worker"}


def test_the_services_are_the_plans(composed: dict[str, Any]) -> None:
    services = composed["services"]
    assert services["redis"]["image"] == "redis:7-alpine"
    assert services["postgres"]["image"] == "postgres:16-alpine"
    for name in ("api", "worker"):
        waits = services[name]["depends_on"]
        assert waits["redis"]["condition"] == waits["postgres"]["condition"] == "service_healthy"
