"""Which scripts of a package.json are checks, and which would rewrite files, watch, or only echo."""

from __future__ import annotations

import re
from dataclasses import dataclass

from orchestrator.planning import grammar
from orchestrator.planning.documents import json_line
from orchestrator.planning.trail import Trail
from orchestrator.planning.workflows import Workflows

FAST_NAMES = (
    "lint",
    "typecheck",
    "type-check",
    "check-types",
    "check:types",
    "check",
    "format:check",
    "prettier:check",
)
FULL_NAMES = ("test", "test:ci", "test:unit")
CHECKING_NAME = re.compile(r"(^|[:._-])(lint|check|types?|typecheck|format)([:._-]|$)")
TESTING_NAME = re.compile(r"^test([:._-]|$)")

REWRITING = frozenset({"--fix", "--write", "--apply", "--apply-unsafe", "--fix-type"})
WATCHING = frozenset({"--watch", "--watchAll", "--watch-all"})
WRITERS = ("prettier", "gofmt")
WATCHERS = ("jest", "vitest", "tsc", "ava")
"""Programs whose `-w` writes, and whose `-w` watches."""

MAX_COMMAND = 2000
"""Characters of a script that are read."""

MAX_CALLED = 50
MAX_SEEN = 20
"""Scripts that are considered because workflows run them."""

PLACEHOLDER = "no test specified"
ONLY_ECHO = re.compile(r"\s*(?:echo\s[^;&|]*+|true|exit 0|:)\s*(?:&&\s*(?:exit [0-9]+|true)\s*)?")
OTHER_SCRIPT = re.compile(
    r"(?:npm run(?:-script)?|pnpm(?: run)?|yarn(?: run)?|bun run|run-[sp])((?:\s+[A-Za-z0-9:._*-]+)+)"
)


@dataclass(frozen=True, slots=True)
class Scripts:
    """The scripts of a package.json and its text, for line numbers."""

    commands: dict[str, str]
    text: str

    def line(self, name: str) -> int | None:
        """Return the line of a script."""
        return json_line(self.text, "scripts", name)

    def called(self, name: str) -> set[str]:
        """Return the names of the scripts that this one calls, and that those call, at most `MAX_CALLED`."""
        found: set[str] = set()
        waiting = [name]
        while waiting and len(found) < MAX_CALLED:
            for match in OTHER_SCRIPT.finditer(self.commands[waiting.pop()][:MAX_COMMAND]):
                new = {word for word in match.group(1).split() if word in self.commands} - found - {name}
                added = sorted(new)[: MAX_CALLED - len(found)]
                found.update(added)
                waiting += added
        return found

    def whole(self, name: str) -> list[str]:
        """Return the command lines that run when the script runs, its own first."""
        hooks = [f"pre{name}", f"post{name}"]
        names = [name, *hooks, *sorted(self.called(name))]
        return [self.commands[one][:MAX_COMMAND] for one in names if one in self.commands]


def choose_fast(scripts: Scripts, workflows: Workflows, trail: Trail) -> list[str]:
    """Return the scripts that lint and check types and formats, without those that rewrite files."""
    chosen: list[str] = []
    seen = _run_by_workflows(scripts, workflows, CHECKING_NAME)
    for name in [*(name for name in FAST_NAMES if name in scripts.commands), *seen]:
        problem = None if name in chosen else _refusal(scripts, name)
        called = scripts.called(name)
        if name in chosen:
            continue
        if problem is None and called & {"test", *chosen}:
            shared = min(called & {"test", *chosen})
            problem = f"it runs `{shared}`, which has its own place"
        if problem is not None:
            trail.note(
                "fast",
                scripts.commands[name],
                f"script `{name}` is not run: {problem}",
                file="package.json",
                line=scripts.line(name),
            )
            continue
        chosen.append(name)
        rule = f"script `{name}`" + (f", which {seen[name]} runs" if name in seen else "")
        trail.note("fast", scripts.commands[name], rule, file="package.json", line=scripts.line(name))
    return chosen


def choose_full(scripts: Scripts, workflows: Workflows, trail: Trail) -> str | None:
    """Return the script that runs the tests, or None."""
    seen = _run_by_workflows(scripts, workflows, TESTING_NAME)
    for name in dict.fromkeys([*FULL_NAMES, *seen]):
        if name not in scripts.commands:
            continue
        problem = _refusal(scripts, name)
        rule = f"script `{name}` is not run: {problem}" if problem else f"script `{name}`"
        trail.note("full", scripts.commands[name], rule, file="package.json", line=scripts.line(name))
        if problem is None:
            return name
    return None


def _refusal(scripts: Scripts, name: str) -> str | None:
    """Return why a script is no check, or None."""
    command = scripts.commands[name]
    if not grammar.fits(grammar.SCRIPT, name):
        return "its name cannot stand in a command"
    if PLACEHOLDER in command:
        return "it is npm's placeholder"
    if ONLY_ECHO.fullmatch(command[:MAX_COMMAND]) or not command.strip():
        return "it only echoes"
    lines = scripts.whole(name)
    if any(_rewrites(line.split()) for line in lines):
        return "it rewrites files, and a check must leave them as they are"
    if any(_watches(line.split()) for line in lines):
        return "it watches, and would never end"
    return None


def _rewrites(words: list[str]) -> bool:
    return any(word.partition("=")[0] in REWRITING for word in words) or _has_w(words, WRITERS)


def _watches(words: list[str]) -> bool:
    return any(word in WATCHING for word in words) or _has_w(words, WATCHERS)


def _has_w(words: list[str], programs: tuple[str, ...]) -> bool:
    """Return whether `-w` stands behind one of these programs."""
    start = next((position for position, word in enumerate(words) if word in programs), len(words))
    return "-w" in words[start:]


def _run_by_workflows(scripts: Scripts, workflows: Workflows, pattern: re.Pattern[str]) -> dict[str, str]:
    """Return the scripts of such names that workflows run, each with its place in the workflow."""
    found: dict[str, str] = {}
    for seen in workflows.commands:
        match = re.fullmatch(r"(?:npm|pnpm|yarn|bun) (?:run )?([A-Za-z0-9:._-]+)", seen.text)
        if match and match.group(1) in scripts.commands and pattern.search(match.group(1)) and len(found) < MAX_SEEN:
            found.setdefault(match.group(1), f"{seen.file}:{seen.line}")
    return found
