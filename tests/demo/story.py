"""The demo's story: a sample repository, and a pull request of three pushes with what each must lead to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

SAMPLE = Path(__file__).parent / "sample"
REPOSITORY = "acme/greeting"
BRANCH = "farewell"

_TESTS = """from greeting import greet
from greeting.farewell import farewell


def test_greets_by_name():
    assert greet("Ada") == "Hello, Ada!"


def test_says_goodbye_by_name():
    assert farewell("Ada") == "Goodbye, Ada!"
"""


@dataclass(frozen=True, slots=True)
class Expected:
    """What a check run must say in the end. `annotation` is (path, line), None where there must be none."""

    conclusion: str
    annotation: tuple[str, int] | None = None
    title: str = ""


@dataclass(frozen=True, slots=True)
class Push:
    """One push of the pull request, and the check runs that it must lead to."""

    says: str
    message: str
    files: Mapping[str, str]
    fast: Expected
    full: Expected


def base_files() -> dict[str, str]:
    """Return the files of the sample's main branch."""
    return {
        str(path.relative_to(SAMPLE)): path.read_text("utf-8")
        for path in sorted(SAMPLE.rglob("*"))
        if path.suffix in (".py", ".toml") or path.name == ".python-version"
    }


PUSHES = (
    Push(
        says="a lint error: fast must fail on its line, full must not run",
        message="Say goodbye, too",
        files={
            "greeting/farewell.py": (
                '"""Says goodbye."""\n\nimport os\n\n\ndef farewell(name: str) -> str:\n    return f"Bye, {name}!"\n'
            ),
            "tests/test_greeting.py": _TESTS,
        },
        fast=Expected("failure", ("greeting/farewell.py", 3)),
        full=Expected("failure", title="not run: fast failed"),
    ),
    Push(
        says="a failing test: fast must pass, full must fail on its line",
        message="Remove the unused import",
        files={
            "greeting/farewell.py": (
                '"""Says goodbye."""\n\n\ndef farewell(name: str) -> str:\n    return f"Bye, {name}!"\n'
            ),
        },
        fast=Expected("success"),
        full=Expected("failure", ("tests/test_greeting.py", 10)),
    ),
    Push(
        says="the fix: both must pass, in the cached image",
        message="Say goodbye in full",
        files={
            "greeting/farewell.py": (
                '"""Says goodbye."""\n\n\ndef farewell(name: str) -> str:\n    return f"Goodbye, {name}!"\n'
            ),
        },
        fast=Expected("success", title="image cached"),
        full=Expected("success", title="image cached"),
    ),
)
