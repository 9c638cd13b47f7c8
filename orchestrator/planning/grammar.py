"""The strict grammars that text of a repository passes before it reaches a Dockerfile or a command.

All are ASCII and matched whole, so that no newline, quote or dollar sign can pass.
"""

from __future__ import annotations

import re
import shlex

IMAGE = re.compile(r"[a-z0-9]+([._/:-]+[a-z0-9]+)*(:[A-Za-z0-9_][A-Za-z0-9._-]{0,127})?")
IMAGE_PREFIX = re.compile(r"([a-z0-9]+([.-][a-z0-9]+)*(:[0-9]{1,5})?/([a-z0-9]+([._-][a-z0-9]+)*/)*)?")
DEBIAN_PACKAGE = re.compile(r"[a-z0-9][a-z0-9+.-]+")
DISTRIBUTION = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,98}[A-Za-z0-9])?")
SCRIPT = re.compile(r"[A-Za-z0-9][A-Za-z0-9:._-]{0,98}")
IMAGE_STEP = re.compile(r"[a-z]+( [A-Za-z0-9._/:=*@\[\]-]{1,100}){1,40}")
"""A command that a generated image runs as it is built."""

IMAGE_VARIABLE = re.compile(r"[A-Z][A-Z0-9_]{0,60}=[A-Za-z0-9._/-]{1,60}")
"""A variable that a generated image sets, with its value."""

PROGRAM_PATH = re.compile(r"(/[a-z0-9][a-z0-9._-]{0,60}){1,6}")
"""Where an image has a program."""

PATH = re.compile(r"[A-Za-z0-9_.][A-Za-z0-9_./+-]{0,250}")
FLAG = re.compile(r"--[a-z][a-z0-9-]{0,60}(=[A-Za-z0-9_./,:+-]{1,200})?")
PIN = re.compile(r"[0-9]{1,4}(\.[0-9]{1,6}){1,3}((a|b|rc)[0-9]{1,3})?")
"""An exact release of a tool, as after `==` or `@`."""

PACKAGE = re.compile(r"(@[a-z0-9][a-z0-9._-]{0,60}/)?[a-z0-9][a-z0-9._-]{0,98}")
"""The name of an npm package."""

NODE_RANGE = re.compile(r"[0-9A-Za-z .*^~<>=|+-]{0,100}")
PYTHON_RANGE = re.compile(r"[0-9A-Za-z .*^~<>=!,|+-]{0,100}")


def fits(pattern: re.Pattern[str], text: str) -> bool:
    """Return whether the whole text is of this grammar."""
    return pattern.fullmatch(text) is not None


def is_tree_path(path: str) -> bool:
    """Return whether the path stays in the repository and can stand in a command unquoted."""
    return fits(PATH, path) and ".." not in path.split("/") and "//" not in path


def quoted(word: str) -> str:
    """Return the word as a shell takes it, in quotes only where it needs them."""
    return shlex.quote(word)
