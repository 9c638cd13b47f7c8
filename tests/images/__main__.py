"""Base images for tests and the demo: the engine's own, else pulled, else stand-ins made here."""

from __future__ import annotations

import argparse
import shutil
import sys
import time

from tests.images.engine_client import EngineClient, StandInError, find_client
from tests.images.ensure import ensure, full_reference
from tests.images.layers import cache_folder
from tests.images.recipes import BUSYBOX, LABEL, UnknownImage, fixed_recipes, is_stand_in

BEGAN = time.monotonic()


def say(text: str) -> None:
    """Prints one line for people, with the seconds since the start."""
    print(f"images: {text} [{time.monotonic() - BEGAN:.1f} s]", file=sys.stderr, flush=True)


def stand_ins(client: EngineClient) -> list[str]:
    """The stand-ins that the engine has; images built on them inherit the label, but not the name."""
    written = ("--format", "{{.Repository}}:{{.Tag}}")
    listed = client.run("images", "--filter", f"label={LABEL}", *written, purpose="list images").stdout.split()
    return [name for name in listed if is_stand_in(name)]


def show(client: EngineClient) -> None:
    """Prints which stand-ins the engine has, and which could be made."""
    print("\n".join(stand_ins(client)) or "no stand-ins in the engine")
    print(f"can be made: {' '.join([*fixed_recipes(), 'node:<version>-slim', BUSYBOX])}")


def remove(client: EngineClient, references: list[str], cached: bool) -> None:
    """Removes the named stand-ins, or all of them; never a real image."""
    chosen = [name for name in stand_ins(client) if not references or name in references]
    if chosen:
        client.run("image", "rm", "--force", *chosen, purpose="remove stand-ins")
    say(f"removed: {', '.join(chosen) or 'nothing'}")
    if cached:
        shutil.rmtree(cache_folder(), ignore_errors=True)


def main() -> int:
    """The exit code: 0, or 1 when an image cannot be had."""
    parser = argparse.ArgumentParser(prog="python -m tests.images", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    order = commands.add_parser("ensure", help="make these images present in the engine")
    order.add_argument("references", nargs="+", metavar="IMAGE", help="such as python:3.13-slim or busybox")
    commands.add_parser("list", help="show the stand-ins that the engine has, and the recipes")
    order = commands.add_parser("remove", help="remove stand-ins (all of them when none is named)")
    order.add_argument("references", nargs="*", metavar="IMAGE")
    order.add_argument("--cache", action="store_true", help="also what is cached on disk")
    given = parser.parse_args()
    try:
        client = find_client()
        if given.command == "list":
            show(client)
        elif given.command == "remove":
            remove(client, [full_reference(name) for name in given.references], given.cache)
        else:
            ensure(client, [full_reference(name) for name in given.references], say)
    except (StandInError, UnknownImage) as error:
        print(f"images: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
