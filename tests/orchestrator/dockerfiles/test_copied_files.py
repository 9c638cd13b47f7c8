"""Which files of a commit a Dockerfile can see."""

from __future__ import annotations

import pytest

from orchestrator.dockerfiles.copied_files import read_sources, select
from orchestrator.dockerfiles.dockerignore import Ignored, read_patterns

PATHS = ("Dockerfile", "a.txt", "b.txt", "src/x.py", "src/sub/y.py", "docs/a.txt", "package.json", "package-lock.json")
WHOLE = " ".join(PATHS)

CASES = (
    # what follows FROM, and which of PATHS the build can see
    ("RUN make", ""),
    ("COPY a.txt /x", "a.txt"),
    ("copy --chown=1:1 ./a.txt /b.txt /x/", "a.txt b.txt"),
    ("COPY ../a.txt docs/../b.txt /x/", "a.txt b.txt"),
    ("COPY package*.json ./", "package.json package-lock.json"),
    ("COPY src /src", "src/x.py src/sub/y.py"),
    ("COPY src/ /src/", "src/x.py src/sub/y.py"),
    ("COPY src/*.py /src/", "src/x.py"),
    ("COPY s?c/su* /src/", "src/sub/y.py"),
    ("COPY [a-d]*.txt /", "a.txt b.txt"),
    ("COPY do**/x /", WHOLE),
    ("COPY src/**/y.py /", "src/x.py src/sub/y.py"),
    ('COPY ["a.txt", "/x"]', "a.txt"),
    ("ADD b.txt /x", "b.txt"),
    ("COPY . /app", WHOLE),
    ("COPY ./ /app", WHOLE),
    ("COPY / /app", WHOLE),
    ("COPY * /app/", WHOLE),
    ("COPY */ /app/", WHOLE),
    ("COPY a.txt \\\n  b.txt \\\n  /x/", "a.txt b.txt"),
    ("COPY --from=node:22 /usr /usr", ""),
    ("COPY <<EOF /x\nCOPY . /\nEOF", ""),
    ("ENV F=a.txt\nCOPY $F /x", "a.txt"),
    ("ARG F=a.txt\nCOPY $F /x", WHOLE),  # the base image's ENV would win over it
    ("COPY $F /x", WHOLE),
    ("ONBUILD COPY a.txt /x", "a.txt"),
    ("ONBUILD COPY $F /x", WHOLE),
    ("RUN --mount=type=bind,source=a.txt,target=/x cat /x", "a.txt"),
    ("RUN --mount=src=docs,target=/x cat /x", "docs/a.txt"),
    ("RUN --mount=target=/x cat /x", WHOLE),
    ("RUN --mount=type=bind,source=$F,target=/x cat /x", WHOLE),
    ("RUN --mount=type=bind,from=node:22,source=/,target=/x cat /x", ""),
    ("RUN --mount=type=cache,target=/x make", ""),
    ("COPY nowhere /x", ""),
)


def _seen(dockerfile: str, *, links: tuple[str, ...] = (), ignore: str = "") -> list[str]:
    return select(read_sources(dockerfile), PATHS, links, Ignored(read_patterns(ignore)))


@pytest.mark.parametrize(("text", "expected"), CASES)
def test_what_a_build_can_see(text: str, expected: str) -> None:
    assert _seen(f"FROM a\n{text}\n") == [path for path in PATHS if path in expected.split()]


def test_variables_are_those_of_the_stage() -> None:
    text = "FROM a AS one\nENV F=a.txt\nFROM {}\nCOPY $F /x\n"
    assert _seen(text.format("one")) == ["a.txt"]
    assert _seen(text.format("b")) == list(PATHS)


def test_a_symlink_on_the_way_means_the_whole_tree() -> None:
    assert _seen("FROM a\nCOPY src/x.py /\n", links=("src",)) == list(PATHS)
    assert _seen("FROM a\nCOPY a.txt /\n", links=("a.txt",)) == list(PATHS)
    assert _seen("FROM a\nCOPY pack*.json /\n", links=("package.json",)) == list(PATHS)
    assert _seen("FROM a\nCOPY src /\n", links=("src/link", "other")) == ["src/x.py", "src/sub/y.py"]


def test_what_is_ignored_is_not_seen() -> None:
    assert _seen("FROM a\nCOPY . /\n", ignore="*\n!package*.json\n") == ["package.json", "package-lock.json"]
    assert _seen("FROM a\nCOPY src /\n", ignore="**/sub\n") == ["src/x.py"]


def test_the_line_that_takes_everything_is_told() -> None:
    assert read_sources("FROM a\nCOPY a.txt /\n\nCOPY \\\n . /\n").whole_at == 4
    assert not read_sources("FROM a\nCOPY ca.crt /\n", given=("ca.crt",))
