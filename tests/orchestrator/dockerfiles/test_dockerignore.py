"""What a `.dockerignore` hides, compared with the Docker SDK's matcher, and with what the Docker client sends."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from docker.utils.build import PatternMatcher
from hypothesis import given
from hypothesis import strategies as st

from draftsman.domain.errors import BuildError
from orchestrator.dockerfiles.dockerignore import Ignored, dockerignore_of, read_patterns

PATHS = (
    "b.py",
    "a/b.py",
    "a/b/c.py",
    "a/b/c/d",
    "docs/readme.md",
    "docs/x/readme.md",
    ".git/config",
    "node_modules/x/y.js",
    "x/node_modules/z",
    "README.md",
)

HIDDEN = (
    # lines, and which of PATHS stay out
    ("a", "a/b.py a/b/c.py a/b/c/d"),
    ("*.py", "b.py"),
    ("**/*.py", "b.py a/b.py a/b/c.py"),
    ("*/b", "a/b/c.py a/b/c/d"),
    ("/a/b/", "a/b/c.py a/b/c/d"),
    ("./docs/../a", "a/b.py a/b/c.py a/b/c/d"),
    ("**", " ".join(PATHS)),
    ("*\n!README.md", " ".join(path for path in PATHS if path != "README.md")),
    ("docs\n!docs/x", "docs/readme.md"),
    ("!docs/x\ndocs", "docs/readme.md docs/x/readme.md"),
    ("*\n!docs\ndocs/x", " ".join(path for path in PATHS if path != "docs/readme.md")),
    ("**/node_modules", "node_modules/x/y.js x/node_modules/z"),
    ("**/readme.md", "docs/readme.md docs/x/readme.md"),
    ("**odules/z", "x/node_modules/z"),
    ("docs/**", "docs/readme.md docs/x/readme.md"),
    ("docs/**/readme.md", "docs/readme.md docs/x/readme.md"),
    ("?.py", "b.py"),
    ("[a-c].py\n.gi[^x]", "b.py .git/config"),
    ("\\a", "a/b.py a/b/c.py a/b/c/d"),
    ("# a\n  \n #b.py\n", ""),
    (" b.py \r\n", "b.py"),
    ("\ufeffb.py", "b.py"),
    (".", ""),
    ("/", ""),
    # A folder's own `!` does not bring back what a pattern hid in it by name (moby/patternmatcher; the SDK differs).
    ("a/b\n!a", "a/b/c.py a/b/c/d"),
    ("**\n!a/b.py\na", " ".join(path for path in PATHS if path != "a/b.py")),
)


def _hidden(text: str, paths: tuple[str, ...] = PATHS) -> list[str]:
    ignored = Ignored(read_patterns(text))
    return [path for path in paths if ignored.hides(path)]


@pytest.mark.parametrize(("text", "expected"), HIDDEN)
def test_what_stays_out(text: str, expected: str) -> None:
    assert _hidden(text) == [path for path in PATHS if path in expected.split()]


_names = st.lists(st.sampled_from(["a", "b", "ab", "a.py"]), min_size=1, max_size=4).map("/".join)
_parts = st.sampled_from(["a", "b", "ab", "a.py", "*", "**", "*.py", "?", "a*b", "[ab]"])
_patterns = st.lists(_parts, min_size=1, max_size=3).map("/".join)


@given(st.lists(_patterns, min_size=1, max_size=4), st.lists(_names, min_size=1, max_size=6))
def test_the_sdk_agrees_on_patterns_without_exceptions(patterns: list[str], paths: list[str]) -> None:
    oracle = PatternMatcher(patterns)  # it leaves out a folder, and with it what is in there
    expected = [path for path in paths if any(map(oracle.matches, _with_folders(path)))]
    assert _hidden("\n".join(patterns), tuple(paths)) == expected


def _with_folders(path: str) -> list[str]:
    parts = path.split("/")
    return ["/".join(parts[: end + 1]) for end in range(len(parts))]


@given(_patterns.filter(lambda pattern: "**" not in pattern), st.lists(_names, min_size=1, max_size=6))
def test_the_sdk_agrees_on_one_exception_after_all_is_hidden(pattern: str, paths: list[str]) -> None:
    oracle = PatternMatcher(["**", f"!{pattern}"])
    assert _hidden(f"**\n!{pattern}", tuple(paths)) == [path for path in paths if oracle.matches(path)]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a\n!\n", r"\.dockerignore, line 2: `!` stands alone"),
        ("a\n\n[a\n", r"line 3: '\[a' is no pattern"),
        ("a\\\n", "line 1"),
        ("[b-a]", "line 1"),
        ("x" * 1001, "line 1"),
        ("a*" * 40, "line 1: .* more than 30 stars"),
    ],
)
def test_what_docker_refuses_is_refused_with_its_line(text: str, says: str) -> None:
    with pytest.raises(BuildError, match=says):
        read_patterns(text)


def test_the_dockerfiles_own_ignore_file_goes_first() -> None:
    both = ["docker/Dockerfile.dockerignore", ".dockerignore", "docker/Dockerfile"]
    assert dockerignore_of("docker/Dockerfile", both) == "docker/Dockerfile.dockerignore"
    assert dockerignore_of("Dockerfile", both) == ".dockerignore"
    assert dockerignore_of("Dockerfile", ["docker/.dockerignore"]) is None


@pytest.mark.hostile
@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "text",
    ["**/a**/a**/a**/a**/b", "*a*a*a*a*a*b", "*/**/" * 9 + "x", "\n".join(["**/*/**/*/x"] * 300), "a\n" * 200_000],
)
def test_the_time_is_bounded(text: str) -> None:
    paths = tuple(f"{'a/' * 60}{'a' * 200}/{number}" for number in range(200))
    try:
        _hidden(text, paths)
    except BuildError as error:
        assert "too many patterns" in str(error)  # noqa: PT017  (an answer in time would do as well)


@pytest.mark.engine
@pytest.mark.parametrize("text", [text for text, _ in HIDDEN if "!" in text or "[" in text or "odules" in text])
def test_the_docker_client_sends_the_same(text: str, tmp_path: Path) -> None:
    context, sent = tmp_path / "context", tmp_path / "sent"
    for path in PATHS:
        (context / path).parent.mkdir(parents=True, exist_ok=True)
        if not (context / path).is_dir():
            (context / path).write_text("x")
    (context / ".dockerignore").write_text(text)
    (tmp_path / "Dockerfile").write_text("FROM scratch\nCOPY . /\n")
    command = ["docker", "buildx", "build", "--quiet", "--file", "Dockerfile", f"--output={sent}", "context"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    files = {path for path in PATHS if (context / path).is_file()}
    arrived = {str(path.relative_to(sent)) for path in sent.rglob("*") if path.is_file()} - {".dockerignore"}
    assert sorted(files - arrived) == sorted(set(_hidden(text)) & files)
