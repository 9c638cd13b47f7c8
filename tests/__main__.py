"""`python -m tests`: the whole suite, in parts.

Tests of what is left on the Docker engine, and of what a job's neighbour feels, must be alone: they come first. The
whole product against the GitHub stand-in, and everything else, run beside each other then; the second is shown at its
end.
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
    alone, shown, beside = PARTS
    codes = [subprocess.run(_command(alone), check=False).returncode]
    with tempfile.TemporaryDirectory(prefix="draftsman-suite-") as folder:
        log = Path(folder) / "beside.log"
        process = _started(beside, log)
        try:
            codes.append(subprocess.run(_command(shown), check=False).returncode)
            codes.append(process.wait())
        finally:
            process.kill()
        print(f"== tests {beside}, which ran beside these", flush=True)
        print(log.read_text("utf-8", "replace"), end="", flush=True)
    print(f"== all parts: {time.monotonic() - begin:.0f} s")
    return max(codes)


def _started(part: str, log: Path) -> subprocess.Popen[bytes]:
    with log.open("wb") as output:
        return subprocess.Popen(["nice", "-n", "5", *_command(part)], stdout=output, stderr=subprocess.STDOUT)


def _command(part: str) -> list[str]:
    return [sys.executable, "-m", "pytest", "-m", PARTS[part]]


if __name__ == "__main__":
    sys.exit(main())
