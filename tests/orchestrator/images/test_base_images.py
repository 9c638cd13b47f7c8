"""Which images a Dockerfile starts from."""

from __future__ import annotations

import pytest

from draftsman.domain.errors import BuildError, HostError
from orchestrator.images.base_images import base_images, coarser_names, pull_failure


@pytest.mark.parametrize(
    ("dockerfile", "expected"),
    [
        ("FROM python:3.13-slim\n", ("python:3.13-slim",)),
        ("# a comment\nfrom --platform=linux/amd64 node:22 AS build\nFROM build\n", ("node:22",)),
        ("ARG V=3.13\nARG B=python\nFROM ${B}:${V}-slim\n", ("python:3.13-slim",)),
        ("ARG V\nFROM python:${V:-3.12}\n", ("python:3.12",)),
        ("ARG V\nFROM python:$V\n", ()),
        ("ARG SET=1\nFROM python:$SET\n", ("python:2",)),
        ("FROM scratch\nCOPY --from=node:22-slim /usr /usr\n", ("node:22-slim",)),
        ("FROM a AS one\nFROM b\nCOPY --chown=1 --from=one /x /x\nCOPY --from=0 /y /y\n", ("a", "b")),
        ("FROM a\nRUN <<EOF\nFROM b\nEOF\n", ("a",)),
        ("FROM a\nRUN x \\\n  # no\n\n  FROM b\n", ("a",)),
        ("# escape=`\nFROM a\nRUN x `\n FROM b\n", ("a",)),
        ("\ufeffFROM a:1@sha256:" + "0" * 64, ("a:1@sha256:" + "0" * 64,)),
        ("FROM registry.example.com:5000/a/b:c\r\n", ("registry.example.com:5000/a/b:c",)),
        ("FROM ../../etc?x=1\n", ()),
        ("FROM a\nRUN --mount=type=bind,from=b:1,target=/x cat /x\n", ("a", "b:1")),
        ("FROM a\nRUN cat<<EOF\nFROM b\n", ("a", "b")),
        ("FROM a\nRUN x\x85\u2028FROM c\n", ("a",)),
        ("FROM\n", ()),
        ("", ()),
    ],
)
def test_base_images(dockerfile: str, expected: tuple[str, ...]) -> None:
    assert base_images(dockerfile, {"SET": "2"}) == expected


def test_an_image_that_does_not_exist_is_the_authors_error() -> None:
    error = pull_failure("python:9", "manifest for python:9 not found: manifest unknown")
    assert isinstance(error, BuildError)
    assert "python:9" in str(error)


def test_a_registry_that_is_away_is_not() -> None:
    error = pull_failure("python:3", "Get https://registry/v2/: dial tcp: lookup registry: no such host")
    assert isinstance(error, HostError)
    assert str(error).startswith("The base image python:3 could not be pulled: Get https")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("python:3.12.99-slim", ("python:3.12-slim",)),
        ("mirror.example:5000/hub/python:3.12.99-slim", ("mirror.example:5000/hub/python:3.12-slim",)),
        ("node:20.11.99-slim", ("node:20.11-slim", "node:20-slim")),
        ("ruby:3.3.99", ("ruby:3.3", "ruby:3")),
        ("python:3.12-slim", ()),
        ("debian:bookworm-slim", ()),
        ("localhost:5000/x", ()),
    ],
)
def test_what_is_tried_where_a_release_has_no_image(name: str, expected: tuple[str, ...]) -> None:
    assert coarser_names(name) == expected
