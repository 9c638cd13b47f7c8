"""Asking for a kind of tests that has none yet."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.services

ROOT = Path(__file__).resolve().parents[2]
SUITE = {
    "conftest.py": "from tests.kinds import pytest_sessionfinish\n\n__all__ = ['pytest_sessionfinish']\n",
    "pytest.ini": "[pytest]\ntestpaths = suite\nmarkers =\n    there: has a test\n    repair: has none\n",
    "suite/test_one.py": "import pytest\n\n@pytest.mark.there\ndef test_one():\n    pass\n",
}


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    (tmp_path / "suite").mkdir()
    for name, text in SUITE.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def run(suite: Path, *arguments: str) -> tuple[int, str]:
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=suite, env=environment, capture_output=True, text=True)
    return done.returncode, done.stdout


def test_a_kind_without_tests_is_said_and_no_failure(suite: Path) -> None:
    code, said = run(suite, "-m", "repair")
    assert code == 0
    assert "no tests of this kind yet: repair" in said


@pytest.mark.parametrize(
    "arguments",
    [("-m", "not there"), ("-m", "repair", "-k", "one"), ("-m", "repair", "suite/test_one.py"), ("-k", "absent")],
)
def test_whatever_else_finds_no_test_stays_a_failure(suite: Path, arguments: tuple[str, ...]) -> None:
    code, said = run(suite, *arguments)
    assert code == 5
    assert "no tests of this kind yet" not in said


def test_a_suite_that_vanished_stays_a_failure(suite: Path) -> None:
    (suite / "suite/test_one.py").unlink()
    assert run(suite)[0] == 5
    assert run(suite, "-m", "repair")[0] == 5
