#!/usr/bin/env python3
"""Removes what the set-up and the product left on this machine: containers, images, volumes, engine, caches."""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# The folder of a script comes first in sys.path, and `venv.py` there would hide the standard library's.
sys.path[0] = str(ROOT)

from tests.images.recipes import LABEL, is_stand_in  # noqa: E402
from tools import engine_daemon  # noqa: E402
from tools.engine_address import candidates, engine_answers, first_answering  # noqa: E402

LISTINGS = {
    "containers": (("ps", "--all", "--format", "{{.ID}}\t{{.Labels}}"), ("rm", "--force", "--volumes")),
    "volumes": (("volume", "ls", "--format", "{{.Name}}\t{{.Labels}}"), ("volume", "rm", "--force")),
    "networks": (("network", "ls", "--format", "{{.ID}}\t{{.Labels}}"), ("network", "rm")),
}
FOLDERS = (".mypy_cache", ".ruff_cache", ".pytest_cache", ".import_linter_cache", ".hypothesis", "build", "dist")


def ours(listing: str) -> list[str]:
    """The names in a listing of `NAME<tab>LABEL=VALUE,...` lines that carry a label of Draftsman's."""
    found = []
    for line in listing.splitlines():
        name, _, labels = line.partition("\t")
        keys = [label.partition("=")[0] for label in labels.split(",")]
        if any(key == "draftsman" or key.startswith("draftsman.") for key in keys):
            found.append(name)
    return found


def clean_engine(address: str) -> None:
    """Removes our containers, volumes, networks and images from an engine that stays."""
    path = ":".join([os.environ.get("PATH", os.defpath), *engine_daemon.places(os.environ).path_entries])
    docker = shutil.which("docker", path=path)
    if docker is None:
        say("there is no docker command: the engine is left as it is")
        return
    environment = {**os.environ, "DOCKER_HOST": address}

    def run(*arguments: str) -> str:
        done = subprocess.run([docker, *arguments], env=environment, capture_output=True, text=True)
        if done.returncode != 0:
            say(done.stderr.strip())
        return done.stdout

    for name, (listing, removal) in LISTINGS.items():
        chosen = ours(run(*listing))
        if chosen:
            say(f"removing {len(chosen)} {name}")
            run(*removal, *chosen)
    images = [name for name in run("images", "--format", "{{.Repository}}:{{.Tag}}").split() if is_our_image(name)]
    # What is built on a stand-in inherits its label, so the name has to be one of a stand-in, too.
    labelled = run("images", "--filter", f"label={LABEL}", "--format", "{{.Repository}}:{{.Tag}}").split()
    images += [name for name in labelled if is_stand_in(name) and name not in images]
    if images:
        say(f"removing {len(images)} images")
        run("image", "rm", "--force", *images)


def is_our_image(reference: str) -> bool:
    """Whether an image is named as the product names what it builds."""
    return reference.startswith(("draftsman-", "draftsman/"))


def clean() -> None:
    """Removes everything but the virtual environment."""
    where = engine_daemon.places(os.environ)
    if engine_daemon.running_pid(where.pid_file, "dockerd") is not None or where.home.exists():
        subprocess.run([sys.executable, str(ROOT / "tools/engine.py"), "remove"], check=True)
    address = first_answering(candidates(os.environ, Path.home()), engine_answers)
    if address is not None:
        clean_engine(address)
    cache = Path(os.environ.get("DRAFTSMAN_CACHE_HOME") or Path.home() / ".cache/draftsman")
    for folder in [cache, *(ROOT / name for name in FOLDERS)]:
        if folder.exists():
            say(f"removing {folder}")
            shutil.rmtree(folder, ignore_errors=True)
    for folder in [found for found in ROOT.rglob("__pycache__") if ".venv" not in found.parts]:
        shutil.rmtree(folder, ignore_errors=True)


def say(text: str) -> None:
    """Prints one line for people."""
    print(f"clean: {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__).parse_args()
    clean()
