"""The lock is what people install on every platform that Draftsman runs on."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.release.installed import ROOT, trust
from tools import lock
from tools.lock import PLATFORMS, PYTHONS, Platform

PINS = lock.read((ROOT / "requirements.lock").read_text("utf-8"))


def test_what_running_needs_is_a_part_of_what_work_on_it_needs() -> None:
    everything = {(pin.name, pin.version) for pin in lock.read((ROOT / "requirements-dev.lock").read_text("utf-8"))}
    assert {(pin.name, pin.version) for pin in PINS} < everything
    assert "pytest" not in {pin.name for pin in PINS}


def test_a_line_that_pins_nothing_is_refused() -> None:
    for line in ("aiohttp>=3", "aiohttp==3.14.5", "aiohttp --hash=sha256:" + "0" * 64):
        with pytest.raises(ValueError, match="pins no version"):
            lock.read(line)


@pytest.mark.services
@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("platform", PLATFORMS, ids=lambda platform: f"{platform.sys_platform}-{platform.machine}")
def test_every_platform_finds_a_wheel_of_everything(platform: Platform, python: str, tmp_path: Path) -> None:
    where = ["--python-platform", platform.called, "--python-version", python, "--target", str(tmp_path / "t")]
    order = [str(Path(sys.executable).with_name("uv")), "pip", "install", "--dry-run", "--only-binary", ":all:", *where]
    locked = ["--require-hashes", "-r", str(ROOT / "requirements.lock")]
    done = subprocess.run([*order, *locked], env=os.environ | trust(), capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr
    wanted = {
        pin.name
        for pin in PINS
        if pin.marker is None
        or pin.marker.evaluate(
            {
                "sys_platform": platform.sys_platform,
                "platform_machine": platform.machine,
                "python_version": python,
                # As uv has it: the newest of the minor version, or the first.
                "python_full_version": f"{python}.9",
            }
        )
    }
    installed = {line.split()[1].partition("==")[0] for line in done.stderr.splitlines() if line.startswith(" + ")}
    assert installed - wanted <= {"async-timeout"}
    assert wanted <= installed
