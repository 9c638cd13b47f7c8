"""What the workflows run of Node: scripts and programs, told by kind, each as a command that can stand in a plan."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, replace

from orchestrator.planning import grammar
from orchestrator.planning.command_flags import with_variables
from orchestrator.planning.command_words import called_programs
from orchestrator.planning.node import rules
from orchestrator.planning.node.managers import BY_NAME
from orchestrator.planning.node.project import NodeProject
from orchestrator.planning.node.scripts import line_refusal, refusal
from orchestrator.planning.rule import Rule
from orchestrator.planning.trail import Trail
from orchestrator.planning.workflows import Seen

WORD = re.compile(r"[A-Za-z0-9@+=:,./_*!{}^~-]{1,120}")
SCRIPT_CALL = re.compile(r"(npm|pnpm|yarn|bun)(?: -s| --silent)?(?: run(?:-script)?)? ([A-Za-z0-9:._-]+)((?: .*)?)")
SHORT = {("npm", "t"): "test", ("npm", "tst"): "test", ("pnpm", "t"): "test"}
EXECUTE = re.compile(
    r"(?:npx(?: --no-install| --no| -y| --yes)?|pnpm(?: exec)?|yarn(?: run| exec)?|bunx(?: --bun)?|bun run"
    r"|npm exec(?: --)?) ([a-z0-9@/._-]+)((?: .*)?)"
)
CHECKED = r"(?:test|lint|typecheck|type-check|check-types|check)(?::[a-z-]+)?"
ALL = re.compile(
    rf"(?:npm (?:run )?{CHECKED} (?:--workspaces|-ws|-w [^ ]+|--workspace[= ][^ ]+)(?: --if-present)?"
    rf"|pnpm (?:run )?(?:-r|--recursive|-F [^ ]+|--filter[= ][^ ]+)(?: --[a-z-]+(?:=[^ ]+)?)*(?: run)? {CHECKED}"
    rf"|yarn workspaces (?:run|foreach(?: -[A-Za-z-]+)+ run) {CHECKED}|yarn workspace [^ ]+(?: run)? {CHECKED}"
    rf"|bun (?:run )?--filter [^ ]+ {CHECKED})"
)
"""A script of all workspaces, or of one."""

ONE = re.compile(r"yarn workspace | (?:-w|-F|--workspace|--filter)[ =]")
ONE_WORKSPACE = "one workspace"
"""The kind of checks that look at one workspace only."""

VARIABLES = frozenset({"NODE_OPTIONS", "NODE_ENV", "BABEL_ENV", "TZ", "LANG", "LC_ALL"})

LINTERS = {
    "eslint": "lint",
    "biome": "lint",
    "@biomejs/biome": "lint",
    "oxlint": "lint",
    "xo": "lint",
    "standard": "lint",
    "ts-standard": "lint",
    "stylelint": "lint",
    "tslint": "lint",
    "jshint": "lint",
    "knip": "lint",
    "prettier": "format",
    "dprint": "format",
    "tsc": "types",
    "vue-tsc": "types",
    "svelte-check": "types",
    "astro": "types",
    "tsd": "types",
}
"""Programs that check, by kind."""

RUNNERS = frozenset(
    {"jest", "vitest", "mocha", "ava", "tap", "tape", "jasmine", "uvu", "c8", "nyc", "lab", "node-tap", "borp", "japa"}
)
SPREADERS = frozenset({"turbo", "nx", "lerna", "wireit"})
"""Programs that run a task of all workspaces."""

CHECKING_NAME = re.compile(
    r"(?:^|[:._-])(lint|eslint|biome|prettier|stylelint|check|checks|types?|typecheck|tsc|format|fmt|formatting|style"
    r"|typings|spell|spellcheck|knip|dependencies|attw|publint)(?:[:._-]|$)"
)
TESTING_NAME = re.compile(r"^(?:tests?|unit|coverage|cover|cov|spec|jest|vitest|mocha|ava|tap|c8|nyc)(?:[:._-]|$)")
CHECKING_FIRST = re.compile(
    r"^tests?[:._-](?:lint|eslint|types?|typescript|dts|dtslint|typecheck|tsc|format|prettier|style)(?:[:._-]|$)"
)
TYPE_TESTS = re.compile(r"^tests?[:._-](?:types?|typescript|dts|dtslint)(?:[:._-]|$)|^types?[:._-]tests?$")
ASIDE = re.compile(r"\b(?:examples?|docs?|website|www|playgrounds?|demos?|bench(?:marks?)?|ecosystem)\b")
OTHER_MANAGERS = {
    "npm": ("pnpm", "yarn", "bun", "bunx"),
    "yarn": ("pnpm", "bun", "bunx"),
    "pnpm": ("yarn", "bun", "bunx"),
}
FORMATS = ("format", "fmt", "formatting", "style", "prettier")
TYPES = "type tests"
"""The kind of checks that test types: they come beside linters, not instead of them."""

WHOLE_NAME = re.compile(r"^(?:ci|verify|validate|check|checks|all|qa|check[:-](?:all|ci))$")
TASK = re.compile(r"[ =](test|lint|typecheck|check-types|type-check)\b")
SAYS_VERSION = re.compile(r" (?:--version|-v|-V|--help|-h|--init|--print-config)(?: |$)")
AFFECTED = re.compile(r"--affected|\baffected\b|--since|--changed|--shard|\.\.\.\[|origin/")


@dataclass(frozen=True, slots=True)
class Check:
    """A command of a workflow that checks something. `script` is the script that it runs, None for a program."""

    command: str
    tier: str
    kind: str
    seen: Seen
    script: str | None
    problem: tuple[Rule | None, str] | None = None


def checks_of(project: NodeProject, manager: str, commands: tuple[Seen, ...], trail: Trail) -> list[Check]:
    """Return what workflows check with Node, in their order; those that cannot run here have a problem."""
    found: dict[str, Check] = {}
    for seen in commands:
        for check in _read(project, seen, trail):
            other = check.command.split()[0] in OTHER_MANAGERS.get(manager, ()) and trail.applies(rules.OTHER_MANAGER)
            problem = check.problem or ((rules.OTHER_MANAGER, f"{manager} installs") if other else None)
            found.setdefault(check.command, replace(check, problem=problem))
    return list(found.values())[:30]


def _read(project: NodeProject, seen: Seen, trail: Trail) -> Iterator[Check]:
    command = plain(seen)
    if command is None:
        return
    if script := script_of(project, command):
        yield from _script_check(project, script, command, seen, trail)
    elif ALL.fullmatch(command):
        tier = "full" if re.search(r" test(?::| |$)", command) else "fast"
        kind = ONE_WORKSPACE if ONE.search(command) else "workspaces"
        yield Check(command, tier, kind, seen, None, _unsafe(command, trail) or _aside(command))
    elif command.startswith("bun test") or re.match(r"node (?:--[a-z=./-]+ )*--test\b", command):
        yield Check(command, "full", "test", seen, None, _unsafe(command, trail))
    elif match := EXECUTE.fullmatch(command):
        yield from _program_check(project, match.group(1), match.group(2), command, seen, trail)


def as_run(check: Check, trail: Trail) -> str:
    """Return the command with the variables that the workflow sets for it and that change what a test does."""
    if not trail.applies(rules.VARIABLES):
        return check.command
    options = dict(check.seen.env).get("NODE_OPTIONS", "")
    names = VARIABLES if options.startswith("-") else VARIABLES - {"NODE_OPTIONS"}  # Node refuses what is no option
    return with_variables(check.command, check.seen, names)


def script_of(project: NodeProject, command: str) -> str | None:
    """Return the script that a command runs, or None."""
    match = SCRIPT_CALL.fullmatch(command)
    if match is None:
        return None
    name = SHORT.get((match.group(1), match.group(2)), match.group(2))
    explicit = " run" in command[: match.start(2)] or name == "test"
    if match.group(1) == "bun" and match.group(2) == "test" and " run " not in command:
        return None  # Bun's own runner
    if match.group(1) == "npm" and not explicit and name not in ("test", "start"):
        return None
    return name if name in project.scripts.commands else None


def plain(seen: Seen) -> str | None:
    """Return a command whose words are all harmless, quoted again as a shell needs them."""
    words = split_words(seen.text) if len(seen.text) <= 300 else ()
    if not words or not all(grammar.fits(WORD, word) for word in words):
        return None
    if words[0] == "corepack" and words[1:2] and words[1] in BY_NAME:
        words = words[1:]
    return " ".join(grammar.quoted(word) for word in words)


def split_words(text: str) -> tuple[str, ...]:
    """Return the words of a command without their quotes, none where it is no plain command."""
    try:
        return tuple(shlex.split(text))
    except ValueError:
        return ()


def _script_check(project: NodeProject, name: str, command: str, seen: Seen, trail: Trail) -> Iterator[Check]:
    scripts = project.scripts
    problem = refusal(scripts, name, trail) or _unsafe(command, trail) or _aside(command)
    called = scripts.called(name)
    tests = TESTING_NAME.search(name) or (WHOLE_NAME.fullmatch(name) and any(map(TESTING_NAME.search, called)))
    linters = _linters_of(scripts.commands[name])
    if tests and linters and not TYPE_TESTS.search(name):
        yield Check(command, "fast", LINTERS[min(linters)], seen, name, problem)
    elif tests and not CHECKING_FIRST.search(name):
        yield Check(command, "full", "test", seen, name, problem)
    elif TYPE_TESTS.search(name):
        suffixed = name.count(":") > 1 or len(command.split()) > 3
        yield Check(command, "fast", TYPES, seen, name, problem or ((None, "a variant of it") if suffixed else None))
    elif match := CHECKING_NAME.search(name):
        formats = match.group(1) in FORMATS and trail.applies(rules.REWRITES)
        if problem is None and formats and not any(map(_only_checks, (*scripts.whole(name), command))):
            problem = rules.REWRITES, "it does not say that it only checks"
        yield Check(command, "fast", match.group(1), seen, name, problem)


def _linters_of(command: str) -> frozenset[str]:
    """Return the linters that a script consists of, none where it runs anything else."""
    called = EXECUTE.fullmatch(command[:500])
    programs = frozenset({called.group(1)}) if called else called_programs([command[:2000]])
    return programs if all(program in LINTERS for program in programs) else frozenset()


def _program_check(
    project: NodeProject, program: str, rest: str, command: str, seen: Seen, trail: Trail
) -> Iterator[Check]:
    task = TASK.search(rest)
    installed = _installs(project, program)
    problem = _unsafe(command, trail) or _aside(command)
    if problem is None and not installed:
        problem = None, f"setup does not install {program}"
    if program in SPREADERS and task:
        tier = "full" if task.group(1) == "test" else "fast"
        yield Check(command, tier, task.group(1), seen, None, problem)
    elif program in LINTERS and trail.applies(rules.FAST_EXEC):
        if problem is None and program in ("prettier", "dprint", "biome", "@biomejs/biome") and not _only_checks(rest):
            problem = rules.REWRITES, "it does not say that it only checks"
        yield Check(command, "fast", LINTERS[program], seen, None, problem)
    elif program in RUNNERS:
        yield Check(command, "full", "test", seen, None, problem)


def _installs(project: NodeProject, program: str) -> bool:
    packages = {"tsc": "typescript", "biome": "@biomejs/biome", "attw": "@arethetypeswrong/cli", "node-tap": "tap"}
    return packages.get(program, program) in project.dependencies


def _only_checks(rest: str) -> bool:
    return bool(re.search(r" (?:--check|-c|-l|--list-different|check|ci|lint)\b|\bbiome format\b", rest))


def _aside(command: str) -> tuple[None, str] | None:
    return (None, "it checks examples or documents") if ASIDE.search(command) else None


def _unsafe(command: str, trail: Trail) -> tuple[Rule | None, str] | None:
    if SAYS_VERSION.search(command):
        return None, "it checks nothing"
    if AFFECTED.search(command):
        return None, "it looks at a part only, or compares with another commit"
    return line_refusal([command], trail)
