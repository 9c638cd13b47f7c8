"""The checks of a repository whose ecosystems bring no tests: make targets, just recipes and scripts.

What a workflow runs comes before what merely lies there. A task is run only if what it calls can be there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from draftsman.domain.plan import Tree
from orchestrator.planning import any_rules, grammar
from orchestrator.planning.command_words import called_programs
from orchestrator.planning.justfile import called_recipes, read_justfile
from orchestrator.planning.makefile import MAKEFILES, called_targets, read_makefile
from orchestrator.planning.native_build import NativeBuild, conventional_builds, native_builds, own_variables
from orchestrator.planning.rule import Rule
from orchestrator.planning.shell_script import read_script
from orchestrator.planning.system_packages import COMMAND_NEEDS, COMPILER
from orchestrator.planning.trail import Trail, show
from orchestrator.planning.workflows import Seen, Workflows

MAX_TASKS = 3
"""Commands of one tier."""

TESTING = re.compile(r"(?:.*[-_./:])?(?:tests?|check|unit|spec|bats)(?:[-_.:](?:all|ci|unit|local))?(?:\.sh|\.bash)?")
LINTING = re.compile(
    r"(?:.*[-_./:])?(?:lint|linters?|fmt[-_:]check|format[-_:]check|check[-_:](?:fmt|format|style)|shellcheck)"
    r"(?:[-_.:](?:all|ci))?(?:\.sh|\.bash)?"
)
MAY_TEST = re.compile(r"test|spec|check|tox|nox|jest|mocha|verify")
"""In a command that may run tests."""

PREPARING = re.compile(
    r"(?:^|[-_./:])(?:build|clean|create|deploy|download|fetch|generate|install|prepare|publish|rename|setup|start|stop"
    r"|update|upload)(?:$|[-_.:/])"
)
"""Words in the name of a task that does something for tests, and does not run them."""

SCRIPTS = (
    *(
        f"{folder}/{name}"
        for folder in ("script", "scripts")
        for name in ("test", "test.sh", "run-tests.sh", "tests.sh")
    ),
    *("bin/test", "test.sh", "run_tests.sh", "run-tests.sh", "runtests.sh", "test/run.sh", "tests/run.sh"),
)
"""In the order in which they are taken. `script/test` is GitHub's own convention."""

REWRITING = frozenset({"--fix", "--write", "--in-place", "--apply"})
REWRITING_SHORT = {"sed": "-i", "shfmt": "-w", "clang-format": "-i", "gofmt": "-w"}
OTHER_TOOLS = frozenset(
    {"docker", "docker-compose", "podman", "kubectl", "helm", "terraform", "vagrant", "nix", "nix-build", "nix-shell"}
    | {"go", "golangci-lint", "cargo", "rustc", "node", "npm", "npx", "yarn", "pnpm", "bun", "deno"}
    | {"python", "python3", "pip", "pip3", "pytest", "tox", "nox", "uv", "poetry", "ruby", "bundle", "rake"}
    | {"java", "javac", "mvn", "gradle", "./mvnw", "./gradlew", "sbt", "lein", "dotnet", "swift", "xcodebuild"}
    | {"mix", "elixir", "php", "composer", "ghc", "cabal", "stack", "zig", "nim", "crystal", "dart", "flutter", "julia"}
    | {"R", "Rscript"}
)
"""Programs that a plain Debian does not have, and that no package of a table here brings."""

PACKAGES: dict[str, tuple[str, ...]] = {
    **COMMAND_NEEDS,
    "autoconf": ("autoconf",),
    "autoreconf": ("autoconf", "automake", "libtool"),
    "bats": ("bats",),
    "clang": ("clang",),
    "meson": ("meson", "ninja-build"),
    "ninja": ("ninja-build",),
    "pkg-config": ("pkg-config",),
    "shfmt": ("shfmt",),
    "yamllint": ("yamllint",),
}
DIRECT = {"bats": TESTING, "shellcheck": LINTING, "yamllint": LINTING}
"""Programs of these packages whose calls in a workflow are checks themselves."""

C_SOURCES = {(".c",): COMPILER, (".cc", ".cpp", ".cxx"): ("g++",)}


@dataclass(frozen=True, slots=True)
class TaskChecks:
    """The fast and full commands, what builds before them, and the Debian packages that they need."""

    fast: tuple[str, ...] = ()
    full: tuple[str, ...] = ()
    apt: tuple[str, ...] = ()
    setup: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Task:
    """A command that may be a check: `inner` is what it is known to run, `why` how it was found.

    `setup` is what has to run before it, `apt` what that needs, `env` the variables that the workflow sets for it.
    """

    command: str
    file: str
    line: int | None
    inner: tuple[str, ...]
    why: str
    by: Rule
    env: tuple[tuple[str, str], ...] = ()
    setup: tuple[str, ...] = ()
    apt: tuple[str, ...] = ()

    @property
    def whole(self) -> str:
        """Return the command behind its variables."""
        return " ".join([*(f"{name}={grammar.quoted(value)}" for name, value in self.env), self.command])


def task_runner_checks(
    tree: Tree, workflows: Workflows, trail: Trail, programs: frozenset[str] = frozenset()
) -> TaskChecks:
    """Return the checks that task runners hold. `programs` are those of the toolchains that will be there."""
    full = _first_fit(_tests(tree, workflows, trail), "full", programs, trail)
    fast = _first_fit(_linters(tree, workflows, trail), "fast", programs, trail)
    setup = tuple(dict.fromkeys(command for task in full for command in task.setup))
    for command in setup:
        task = next(task for task in full if command in task.setup)
        trail.note("setup", command, f"before `{task.command}`", file=task.file, line=task.line, by=task.by)
    return TaskChecks(
        fast=tuple(task.whole for task in fast if task not in full),
        full=tuple(task.whole for task in full),
        apt=_packages([*full, *fast], tree, trail),
        setup=setup,
    )


def _tests(tree: Tree, workflows: Workflows, trail: Trail) -> Iterator[list[_Task]]:
    """Yield groups of tasks, the strongest first; the first group with one that can run decides."""
    for group in native_builds(workflows, trail):
        yield [_native(one) for one in group]
    if trail.applies(any_rules.WORKFLOW_TASK):
        yield list(_run_by_workflows(workflows, TESTING, any_rules.WORKFLOW_TASK, trail))
    if trail.applies(any_rules.MAKE_TEST):
        yield from ([task] for task in _make_targets(tree, ("test", "tests", "check"), any_rules.MAKE_TEST))
    if trail.applies(any_rules.JUST_TEST):
        yield list(_just_recipe(tree, "test", any_rules.JUST_TEST))
    if trail.applies(any_rules.SCRIPT_TEST):
        for path in SCRIPTS:
            text = tree.text(path)
            if text is not None and path in tree.paths:
                inner = read_script(text).begun
                yield [_Task(_script_call(path, text), path, None, inner, "named after tests", any_rules.SCRIPT_TEST)]
    yield from ([_native(one)] for one in conventional_builds(tree, trail))


def _native(build: NativeBuild) -> _Task:
    inner = tuple(build.setup)
    return _Task(build.test, build.file, build.line, inner, build.why, build.by, setup=build.setup, apt=build.apt)


def _linters(tree: Tree, workflows: Workflows, trail: Trail) -> Iterator[list[_Task]]:
    if trail.applies(any_rules.TASK_LINT):
        yield list(_run_by_workflows(workflows, LINTING, any_rules.TASK_LINT, trail))
        yield from ([task] for task in _make_targets(tree, ("lint",), any_rules.TASK_LINT))


def _first_fit(groups: Iterator[list[_Task]], tier: str, programs: frozenset[str], trail: Trail) -> list[_Task]:
    for group in groups:
        kept: list[_Task] = []
        for task in group:
            problem = _problem(task, programs, trail)
            rule = f"{task.why}, not run: {problem[1]}" if problem else task.why
            by = problem[0] if problem else task.by
            if problem is None and len(kept) < MAX_TASKS:
                kept.append(task)
            trail.note(tier, task.command, rule, file=task.file, line=task.line, by=by)
        if kept:
            return kept
    return []


def _problem(task: _Task, programs: frozenset[str], trail: Trail) -> tuple[Rule, str] | None:
    """Return why a task cannot be a check, and the rule that says so."""
    lines = (task.command, *task.inner)
    missing = sorted((called_programs(lines) & OTHER_TOOLS) - programs)
    if missing and trail.applies(any_rules.TASK_TOOLS):
        return any_rules.TASK_TOOLS, f"it calls {missing[0]}, which is not there"
    if trail.applies(any_rules.TASK_REWRITES) and any(map(_rewrites, (task.command, *task.inner))):
        return any_rules.TASK_REWRITES, "it rewrites files, and a check must leave them as they are"
    return None


def _rewrites(command: str) -> bool:
    words = command.split()
    return bool(REWRITING & set(words)) or REWRITING_SHORT.get(words[0], "") in words[1:]


def _run_by_workflows(workflows: Workflows, pattern: re.Pattern[str], by: Rule, trail: Trail) -> Iterator[_Task]:
    """Yield the tasks of such names that workflows run at the top folder, each once."""
    groups: dict[str, list[Seen]] = {}
    for seen in workflows.commands:
        command = seen.via if seen.via and _names_task(seen.via, pattern) else seen.text
        if _names_task(command, pattern):
            groups.setdefault(command, []).append(seen)
    for command, parts in groups.items():
        inner = tuple(text for one in parts for text in (one.inner or ((one.text,) if one.via == command else ())))
        why = "the repository's own workflow runs it"
        if not called_recipes(command):
            env = own_variables(parts[0]) if trail.applies(any_rules.TASK_VARIABLES) else ()
            yield _Task(command, parts[0].file, parts[0].line, inner, why, by, env)
            continue
        for one in parts:  # just is not installed: its recipe's commands are
            if one.via:
                yield _Task(one.text, one.file, one.line, (), f"{why}, by `{show(command)}`", by)


def _names_task(command: str, pattern: re.Pattern[str]) -> bool:
    words = command.split()
    names = called_targets(command) or called_recipes(command)
    if names:
        return all(pattern.fullmatch(name) and not PREPARING.search(name) for name in names)
    if words[0] in DIRECT:
        return DIRECT[words[0]] is pattern
    script = words[1] if words[0] in ("bash", "sh") and len(words) > 1 else words[0]
    named = pattern.fullmatch(script.lower()) is not None and PREPARING.search(script.lower()) is None
    return named and grammar.is_tree_path(script) and "/" in script


def _make_targets(tree: Tree, names: tuple[str, ...], by: Rule) -> Iterator[_Task]:
    makefile = read_makefile(tree) if any(path in tree.paths for path in MAKEFILES) else None
    for name in names if makefile else ():
        recipe = makefile.recipe(name) if makefile else None
        if makefile and recipe and makefile.runs_something(name):
            yield _Task(
                f"make {name}", makefile.path, recipe.line, recipe.begun, f"`{makefile.path}` has this target", by
            )


def _just_recipe(tree: Tree, name: str, by: Rule) -> Iterator[_Task]:
    justfile = read_justfile(tree)
    recipe = justfile.recipe(name) if justfile else None
    if justfile and recipe and recipe.whole:
        for command in recipe.commands:
            if not command.folder and not command.env:
                yield _Task(command.text, justfile.path, command.line, (), f"the recipe `{name}`", by)


def _script_call(path: str, text: str) -> str:
    """Return how a script is started: its mode is not known here, so a shell that its first line names starts it."""
    first = text.partition("\n")[0]
    match = re.match(r"#![ \t]*+/(?:usr/)?bin/(?:env[ \t]+)?(ba|da|)sh\b", first)
    if match:
        return f"{'bash' if match.group(1) == 'ba' else 'sh'} {path}"
    return f"./{path}" if first.startswith("#!") else f"bash {path}"


def _packages(tasks: list[_Task], tree: Tree, trail: Trail) -> tuple[str, ...]:
    """Return the Debian packages of what tasks call; the compiler as well where make has C sources."""
    if not tasks or not trail.applies(any_rules.TASK_PACKAGES):
        return ()
    called = called_programs(text for task in tasks for text in (task.command, *task.inner))
    packages = {package: program for program in sorted(called & PACKAGES.keys()) for package in PACKAGES[program]}
    packages |= {package: task.command for task in tasks for package in task.apt}
    if called & {"make", "cmake", "meson", "ninja"}:
        for endings, compiler in C_SOURCES.items():
            if any(path.endswith(endings) for path in tree.paths):
                packages |= dict.fromkeys(compiler, f"make, with {endings[0]} files")
    for program in dict.fromkeys(packages.values()):
        mine = " ".join(package for package, one in packages.items() if one == program)
        trail.note("image", mine, f"Debian packages for `{program}`, which the tasks call", by=any_rules.TASK_PACKAGES)
    return tuple(packages)


def _may_test(seen: Seen) -> bool:
    return any(MAY_TEST.search(text) for text in (seen.text, *seen.inner))


def warn_of_services(workflows: Workflows, trail: Trail) -> None:
    """Warn of the services that workflows start and that are not there."""
    if not trail.applies(any_rules.SERVICES):
        return
    warned: set[str] = set()
    for job in workflows.jobs:
        for image, line in zip(job.services, job.service_lines, strict=False):
            name = image.partition(":")[0]
            if name not in warned and any(map(_may_test, job.commands)):
                warned.add(name)
                trail.warn(f"Its CI starts {image} ({job.file}:{line}): tests that need it fail here.")
