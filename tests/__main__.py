"""`python -m tests`: the whole suite, in parts beside each other.

Tests of what is left on the Docker engine must be alone there, so those are one part, one after another; the whole
product against the GitHub stand-in is another, and everything else a third. The first is shown as it goes, the others
at their ends.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

_ENGINE = "engine or hostile or chaos or real"

PARTS = {
    "on the engine": f"({_ENGINE}) and not scenario",
    "scenarios": "scenario",
    "without an engine": f"not ({_ENGINE} or scenario)",
}
"""Which tests are in which part; every test is in one."""


def main() -> int:
    """Run all parts; 0 where all passed."""
    begin = time.monotonic()
    first, *others = PARTS
    with tempfile.TemporaryDirectory(prefix="draftsman-suite-") as name:
        folder = Path(name)
        beside = {part: _started(part, folder / f"{part}.log") for part in others}
        try:
            codes = [subprocess.run(_command(first), check=False).returncode]
            for part, process in beside.items():
                codes.append(process.wait())
                print(f"== tests {part}, which ran beside these", flush=True)
                print((folder / f"{part}.log").read_text("utf-8", "replace"), end="", flush=True)
        finally:
            for process in beside.values():
                process.kill()
    print(f"== all parts: {time.monotonic() - begin:.0f} s")
    return max(codes)


def _started(part: str, log: Path) -> subprocess.Popen[bytes]:
    with log.open("wb") as output:
        # The first part has tests of what a neighbour feels: the others give way.
        return subprocess.Popen(["nice", "-n", "5", *_command(part)], stdout=output, stderr=subprocess.STDOUT)


def _command(part: str) -> list[str]:
    return [sys.executable, "-m", "pytest", "-m", PARTS[part]]


if __name__ == "__main__":
    sys.exit(main())
