"""The compose file says what the plan says, by compose's own reading of it; the image of the services is not root's."""

from __future__ import annotations

import json
import re
import subprocess
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from draftsman import __version__

ROOT = Path(__file__).parents[2]
LONG_LIVED = ("api", "worker", "redis", "postgres")
DOCKERFILE = ROOT / "dockerfiles/draftsman.Dockerfile"


@pytest.fixture(scope="module")
def composed() -> dict[str, Any]:
    command = ["docker", "compose", "--project-directory", str(ROOT), "config", "--format", "json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    config: dict[str, Any] = json.loads(done.stdout)
    return config


@pytest.mark.engine
def test_every_long_lived_service_restarts_and_is_watched(composed: dict[str, Any]) -> None:
    services = composed["services"]
    assert set(services) >= set(LONG_LIVED)
    for name in set(services) - {"migrate"}:
        assert services[name]["restart"] == "unless-stopped", name
        assert services[name]["healthcheck"]["test"], name


@pytest.mark.engine
def test_no_service_fills_the_disk_or_the_memory(composed: dict[str, Any]) -> None:
    for name, service in composed["services"].items():
        assert service["logging"]["options"]["max-size"] == "10m", name
        if name != "migrate":
            assert int(service["deploy"]["resources"]["limits"]["memory"]) > 0, name


@pytest.mark.engine
def test_the_worker_alone_reaches_the_engine(composed: dict[str, Any]) -> None:
    mounted = {
        name
        for name, service in composed["services"].items()
        for volume in service.get("volumes", [])
        if "docker.sock" in str(volume.get("source"))
    }
    assert mounted == {"worker"}


@pytest.mark.engine
def test_redis_and_postgres_are_on_a_network_that_leads_nowhere(composed: dict[str, Any]) -> None:
    networks = composed["networks"]
    for name in ("redis", "postgres"):
        service = composed["services"][name]
        assert "ports" not in service
        assert all(networks[network]["internal"] for network in service["networks"])


@pytest.mark.engine
def test_our_services_have_no_more_than_they_need(composed: dict[str, Any]) -> None:
    for name in ("api", "worker", "migrate"):
        service = composed["services"][name]
        assert service["cap_drop"] == ["ALL"], name
        assert set(service["cap_add"]) <= {"CHOWN", "DAC_OVERRIDE", "KILL", "SETGID", "SETUID"}, name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["read_only"], name


@pytest.mark.engine
def test_a_stop_comes_through_to_who_is_not_root_any_more(composed: dict[str, Any]) -> None:
    for name, service in composed["services"].items():
        if service.get("user") == "root":
            assert service["init"], name
            assert "KILL" in service["cap_add"], name


@pytest.mark.engine
def test_the_services_are_the_plans(composed: dict[str, Any]) -> None:
    services = composed["services"]
    assert services["redis"]["image"] == "redis:7-alpine"
    assert services["postgres"]["image"] == "postgres:16-alpine"
    assert [(port["target"], port["published"]) for port in services["api"]["ports"]] == [(3000, "3000")]
    for name in ("api", "worker"):
        waits = services[name]["depends_on"]
        assert waits["redis"]["condition"] == waits["postgres"]["condition"] == "service_healthy"
        assert waits["migrate"]["condition"] == "service_completed_successfully"


def test_the_image_has_a_pinned_base_and_says_which_version_it_is() -> None:
    text = DOCKERFILE.read_text()
    base = re.search(r"^ARG PYTHON_IMAGE=(\S+)$", text, re.MULTILINE)
    assert base is not None
    assert re.fullmatch(r"python:3\.\d+\.\d+-slim-[a-z]+", base[1])
    assert f"PYTHON_IMAGE:-{base[1]}}}" in (ROOT / "docker-compose.yml").read_text()
    assert f'image.version="{__version__}"' in text
    assert re.search(r"^USER draftsman$", text, re.MULTILINE)


def test_the_swarms_copy_of_the_backup_script_is_named_by_what_is_in_it() -> None:
    # A config of a swarm never changes: one of the same name with something else in it is refused.
    content = (ROOT / "dockerfiles/backup.sh").read_bytes()
    assert f"name: draftsman_backup_{sha256(content).hexdigest()[:12]}\n" in (ROOT / "docker-stack.yml").read_text()


def test_what_is_built_in_holds_no_secret() -> None:
    listed = (ROOT / "dockerfiles/draftsman.Dockerfile.dockerignore").read_text().splitlines()
    rules = [line for line in listed if line and not line.startswith("#")]
    assert rules[0] == "*"
    assert not {"!.env", "!.git", "!tests"} & set(rules)
