"""`python -m tests`: the whole suite, in two halves beside each other.

What needs the Docker engine is one half, one test after another, since tests of what is left on it must be alone there;
everything else is the other. The first half is shown as it goes, the second at its end.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

ON_ENGINE = "engine or hostile or scenario or chaos or real"


def half(marks: str, *options: str) -> list[str]:
    """The command that runs the tests with these marks."""
    return [sys.executable, "-m", "pytest", "-m", marks, *options]


def main() -> int:
    """Run both halves; 0 where both passed."""
    begin = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="draftsman-suite-") as folder:
        log = Path(folder) / "beside.log"
        with log.open("wb") as output:
            beside = subprocess.Popen(half(f"not ({ON_ENGINE})"), stdout=output, stderr=subprocess.STDOUT)
        try:
            code = subprocess.run(half(ON_ENGINE), check=False).returncode
            beside_code = beside.wait()
        finally:
            beside.kill()
        print("== tests that need no engine, which ran beside these", flush=True)
        sys.stdout.flush()
        print(log.read_text("utf-8", "replace"), end="")
    print(f"== both halves: {time.monotonic() - begin:.0f} s")
    return code or beside_code


if __name__ == "__main__":
    sys.exit(main())
