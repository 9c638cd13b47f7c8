"""The rules that belong to no single ecosystem."""

from __future__ import annotations

from orchestrator.planning.rule import Rule

PROJECT_IN_FOLDER = Rule(
    "any.project.folder",
    "Where the top of the repository has nothing to test, the projects in its folders are checked, each in its own.",
)
SUB_PROJECT = Rule(
    "any.project.named",
    "Where the top has tests, it decides; manifests in folders are named in the evidence.",
)
NO_ECOSYSTEM = Rule("any.image.none", "Without any ecosystem the image is a plain Debian.")
COMMAND_PACKAGES = Rule("any.image.command-packages", "What the commands call (make, cmake, ...) is installed.")
USELESS_PART = Rule(
    "any.image.nothing-to-check", "An ecosystem with nothing to check is left out where another has some."
)
