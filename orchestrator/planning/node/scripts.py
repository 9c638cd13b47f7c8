"""The scripts of a package.json: what they run, and which are no checks, since they rewrite, watch or upload."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from itertools import pairwise

from orchestrator.planning import grammar
from orchestrator.planning.command_words import called_programs
from orchestrator.planning.documents import json_line
from orchestrator.planning.node import rules
from orchestrator.planning.rule import Rule
from orchestrator.planning.trail import Trail

REWRITING = frozenset(
    {"--fix", "--write", "--apply", "--apply-unsafe", "--fix-type", "--update-snapshot", "--updateSnapshot"}
)
WATCHING = frozenset({"--watch", "--watchAll", "--watch-all", "--open"})
WRITERS = ("prettier", "gofmt")
WATCHERS = ("jest", "vitest", "tsc", "ava")
"""Programs whose `-w` writes, and whose `-w` watches."""

WATCHING_PAIRS = {("vitest", "watch"), ("vitest", "dev"), ("vitest", "ui"), ("vitest", "--ui"), ("jest", "watch")}
ALWAYS_WATCHING = frozenset({"nodemon", "chokidar", "tsc-watch", "onchange"})
BROWSERS = frozenset(
    {"karma", "cypress", "wdio", "nightwatch", "testcafe", "testem", "wtr", "web-test-runner", "playwright", "xvfb-run"}
    | {
        "electron-mocha",
        "electron",
        "start-server-and-test",
        "chromatic",
        "percy",
        "storybook",
        "test-storybook",
        "detox",
    }
    | {"airtap", "zuul", "browserstack-runner", "playwright-test", "pw-test"}
)
BROWSER_WORDS = ("--browser", "--browser.enabled", "ng test", "ember test", "polymer test", "vitest-browser")
OUTSIDE = frozenset(
    {
        "docker",
        "docker-compose",
        "podman",
        "codecov",
        "coveralls",
        "semantic-release",
        "changeset",
        "np",
        "lerna-publish",
    }
    | {"vercel", "netlify", "firebase", "aws", "heroku", "wrangler", "terraform", "kubectl", "gh", "ssh", "rsync"}
)
"""Programs that upload, publish, or need more than one container."""

OUTSIDE_WORDS = ("npm publish", "pnpm publish", "yarn publish", "yarn npm publish", "lerna publish", "git push")
OTHER_LANGUAGES = frozenset(
    {"python", "python3", "pytest", "tox", "nox", "poetry", "pipenv", "uv", "cargo", "go", "bundle", "rake", "rspec"}
    | {"mvn", "gradle", "./gradlew", "php", "composer", "phpunit", "dotnet", "mix", "flutter", "dart", "swift", "deno"}
)
COMMITS = ("commitlint", "commitlint-circle", "git-cz", "danger")

MAX_COMMAND = 2000
"""Characters of a script that are read."""

MAX_CALLED = 50

PLACEHOLDER = "no test specified"
ONLY_ECHO = re.compile(r"\s*(?:echo\s[^;&|]*+|true|exit 0|:)\s*(?:&&\s*(?:exit [0-9]+|true)\s*)?")
OTHER_SCRIPT = re.compile(
    r"\b(?:(?:npm run(?:-script)?|pnpm(?: run)?|yarn(?: run)?|bun run)(?:\s+-[A-Za-z-]{1,20})*"
    r"\s+([\"']?[A-Za-z0-9:._*-]+[\"']?)"
    r"|npm (test)\b"
    r"|(?:run-[sp]|npm-run-all2?)((?:\s+[\"']?[A-Za-z0-9:._*-]+[\"']?)+))"
)
"""A call of other scripts: of one with arguments, of the tests, or of several."""


@dataclass(frozen=True, slots=True)
class Scripts:
    """The scripts of a package.json and its text, for line numbers."""

    commands: dict[str, str]
    text: str
    _called: dict[str, frozenset[str]] = field(default_factory=dict, compare=False, repr=False)

    def line(self, name: str) -> int | None:
        """Return the line of a script."""
        return json_line(self.text, "scripts", name)

    def called(self, name: str) -> frozenset[str]:
        """Return the names of the scripts that this one calls, and that those call, at most `MAX_CALLED`."""
        if name not in self._called:
            self._called[name] = frozenset(self._find_called(name))
        return self._called[name]

    def _find_called(self, name: str) -> set[str]:
        found: set[str] = set()
        waiting = [name]
        while waiting and len(found) < MAX_CALLED:
            for match in OTHER_SCRIPT.finditer(self.commands[waiting.pop()][:MAX_COMMAND]):
                new = self._named(_words(match)) - found - {name}
                added = sorted(new)[: MAX_CALLED - len(found)]
                found.update(added)
                waiting += added
        return found

    def _named(self, words: list[str]) -> set[str]:
        """Return the scripts that words name, as `lint` or `lint:*`."""
        names = set()
        for word in (word.strip("\"'") for word in words):
            if word in self.commands:
                names.add(word)
            elif word.endswith(":*"):
                names.update(name for name in self.commands if name.startswith(word[:-1]))
        return names

    def parts(self, name: str) -> list[str]:
        """Return the scripts that this one only joins, in order; none where it does anything itself."""
        command = self.commands[name][:MAX_COMMAND]
        rest = OTHER_SCRIPT.sub("", command).replace("&&", "").strip()
        if rest:
            return []
        words = [word for match in OTHER_SCRIPT.finditer(command) for word in _words(match)]
        return [part for word in words for part in sorted(self._named([word])) if part != name]

    def whole(self, name: str) -> list[str]:
        """Return the command lines that run when the script runs, its own first."""
        hooks = [f"pre{name}", f"post{name}"]
        names = [name, *hooks, *sorted(self.called(name))]
        return [self.commands[one][:MAX_COMMAND] for one in names if one in self.commands]


def _words(match: re.Match[str]) -> list[str]:
    return next(group for group in match.groups() if group is not None).split()


def refusal(scripts: Scripts, name: str, trail: Trail) -> tuple[Rule | None, str] | None:
    """Return why a script is no check, with the rule, or None."""
    if not grammar.fits(grammar.SCRIPT, name):
        return None, "its name cannot stand in a command"
    command = scripts.commands[name][:MAX_COMMAND]
    if not command.strip():
        return rules.ONLY_ECHOES, "it is empty"
    if PLACEHOLDER in command and trail.applies(rules.PLACEHOLDER):
        return rules.PLACEHOLDER, "it is npm's placeholder"
    if only_echoes(command) and PLACEHOLDER not in command and trail.applies(rules.ONLY_ECHOES):
        return rules.ONLY_ECHOES, "it only echoes"
    lines = scripts.whole(name)
    own = called_programs([command])
    if own and own <= OTHER_LANGUAGES and trail.applies(rules.OTHER_LANGUAGE):
        return rules.OTHER_LANGUAGE, "it only calls another language's tools"
    return line_refusal(lines, trail)


def only_echoes(command: str) -> bool:
    """Return whether a script does nothing but print."""
    return ONLY_ECHO.fullmatch(command[:MAX_COMMAND]) is not None


def line_refusal(lines: list[str], trail: Trail) -> tuple[Rule, str] | None:
    """Return why command lines that run together are no check, or None."""
    programs = called_programs(lines) | _carried(lines)
    split = [line.split() for line in lines]
    if any(map(_rewrites, split)) and trail.applies(rules.REWRITES):
        return rules.REWRITES, "it rewrites files, and a check must leave them as they are"
    if (programs & ALWAYS_WATCHING or any(map(_watches, split))) and trail.applies(rules.WATCHES):
        return rules.WATCHES, "it watches, and would never end"
    found = programs & BROWSERS or {word for word in BROWSER_WORDS for line in lines if _holds(line, word)}
    if found and trail.applies(rules.BROWSER):
        return rules.BROWSER, f"{min(found)} needs a browser or a screen"
    found = programs & OUTSIDE or {word for word in OUTSIDE_WORDS for line in lines if _holds(line, word)}
    if found and trail.applies(rules.UPLOADS):
        return rules.UPLOADS, f"{min(found)} needs more than the repository and its dependencies"
    if programs & {*COMMITS} and trail.applies(rules.NEEDS_RANGE):
        return rules.NEEDS_RANGE, "it looks at commits, not at files"
    return None


def _carried(lines: list[str]) -> frozenset[str]:
    """Return the programs that stand behind `npx`, `cross-env` and their like."""
    carriers = {"npx", "bunx", "pnpx", "cross-env", "exec", "dotenv", "c8", "nyc", "--"}
    found = set()
    for line in lines:
        words = [word.strip("\"'") for word in line.split()]
        behind = False
        for word in words:
            if behind and not word.startswith("-") and "=" not in word and word not in carriers:
                found.add(word.partition("@")[0] if not word.startswith("@") else word)
                behind = False
            behind = behind or word in carriers
    return frozenset(found)


def _holds(line: str, words: str) -> bool:
    return f" {words} " in f" {' '.join(line.split())} " or f" {words}=" in f" {line} "


def _rewrites(words: list[str]) -> bool:
    return any(word.partition("=")[0] in REWRITING for word in words) or _has_w(words, WRITERS)


def _watches(words: list[str]) -> bool:
    watching = any(word in WATCHING for word in words) or not WATCHING_PAIRS.isdisjoint(pairwise(words))
    return watching or _has_w(words, WATCHERS)


def _has_w(words: list[str], programs: tuple[str, ...]) -> bool:
    """Return whether `-w` stands behind one of these programs."""
    start = next((position for position, word in enumerate(words) if word in programs), len(words))
    return "-w" in words[start:]
