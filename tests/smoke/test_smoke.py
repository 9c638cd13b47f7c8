"""The whole smoke test, as `make smoke` runs it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.product import free_port


@pytest.mark.engine
@pytest.mark.linux_root
@pytest.mark.timeout(1500)
def test_the_composed_product_comes_back_from_everything() -> None:
    # Its output is shown as it comes where pytest shows it (-s), else with a failure.
    program = subprocess.Popen(
        [sys.executable, "-m", "tests.smoke", "--port", str(free_port())],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    said = []
    assert program.stdout is not None
    for line in program.stdout:
        print(line, end="", flush=True)
        said.append(line)
    assert program.wait() == 0, "".join(said[-200:])
    left_out = [line for line in said if line.startswith("Left out")]
    # A shallow clone has no older commit to upgrade from.
    assert all("history does not reach back" in line for line in left_out)
