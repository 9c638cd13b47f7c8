"""The fast checks of Python: which linters and type checkers a repository uses, and how they are called."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from orchestrator.planning import grammar
from orchestrator.planning.documents import line_of, read_ini, read_toml, table, toml_line
from orchestrator.planning.python import rules
from orchestrator.planning.python.calls import Call
from orchestrator.planning.python.checkers import BY_NAME, LINTERS, Linter, check_arguments, format_arguments
from orchestrator.planning.python.hooks import FILE as HOOKS_FILE
from orchestrator.planning.python.hooks import Hook, read_hooks
from orchestrator.planning.python.practice import Practice
from orchestrator.planning.python.project import PythonProject, has_path
from orchestrator.planning.python.releases import addition
from orchestrator.planning.python.setup import PythonSetup
from orchestrator.planning.rule import Rule
from orchestrator.planning.trail import Trail

REPORTING = frozenset({"--output-format", "--error-format", "--junit-xml", "--txt-report", "--html-report"})
SILENT = frozenset({"--exit-zero", "--statistics-only"})
MYPY_HOOK = ("--ignore-missing-imports", "--scripts-are-modules")
"""What mypy's own hook says where the configuration of the hooks says nothing."""

MAX_CALLS = 3
"""Different calls of one tool that are taken over."""


@dataclass(frozen=True, slots=True)
class FastChecks:
    """The fast commands, and what setup has to install for them besides."""

    commands: tuple[str, ...]
    additions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Reason:
    """Why a tool is used. `by` is the rule that says so, None for the tool's own."""

    file: str | None
    line: int | None
    sentence: str
    by: Rule | None = None


def choose_linters(
    project: PythonProject,
    setup: PythonSetup,
    practice: Practice,
    trail: Trail,
    *,
    beside: frozenset[str] | None = None,
) -> FastChecks:
    """Return the fast checks of the tools that the repository uses and that are, or can be, installed.

    `beside` are tools that a task runner calls: then only those hooks count that name a release and are none of them.
    """
    hooks = read_hooks(project) if trail.applies(rules.BY_HOOK) else {}
    commands: list[str] = []
    additions: list[str] = []
    for linter in LINTERS:
        hook = next((hooks[name] for name in (linter.name, *linter.hooks) if name in hooks), None)
        if beside is not None and (hook is None or hook.release is None or linter.name in beside):
            continue
        reason = _reason(linter, project, setup, practice, hook, trail) if trail.applies(linter.rule) else None
        if reason is None:
            continue
        start = setup.prefix + linter.name
        if _left_out(linter, practice, hook, trail):
            sentence = (
                f"{reason.sentence}, but the workflows or lint targets run other checks and not this one: not run"
            )
            trail.note("fast", linter.name, sentence, file=reason.file, line=reason.line, by=rules.WORKFLOW_CHECKS)
            continue
        if linter.name not in setup.names and not _comes_along(linter, setup, trail):
            runs = hook is not None or bool(practice.called(linter.name))
            added = addition(linter, project, setup, hook, runs) if trail.applies(rules.ADD_LINTER) else None
            if added is None:
                sentence = f"{reason.sentence}, but setup does not install {linter.name}: not run"
                trail.note("fast", linter.name, sentence, file=reason.file, line=reason.line, by=linter.rule)
                continue
            start = added.start
            additions += [added.command] if added.command else []
            trail.note("setup", added.command or start, added.why, by=rules.ADD_LINTER)
        for call, why, by in _calls(linter, project, practice, hook, hooks, trail):
            command = start + call.removeprefix(linter.name) + _skipping(linter, call, setup, trail)
            if command not in commands:
                commands.append(command)
                sentence = f"{reason.sentence}{why}"
                trail.note(
                    "fast", command, sentence, file=reason.file, line=reason.line, by=by or reason.by or linter.rule
                )
    return FastChecks(tuple(commands), tuple(dict.fromkeys(additions)))


def _comes_along(linter: Linter, setup: PythonSetup, trail: Trail) -> bool:
    return linter.name in setup.along and trail.applies(rules.IN_LOCK)


def _reason(
    linter: Linter, project: PythonProject, setup: PythonSetup, practice: Practice, hook: Hook | None, trail: Trail
) -> _Reason | None:
    """Return why the repository uses the tool, or None where it does not."""
    configured = _configured(linter, project) if linter.call else None
    if configured is not None:
        return configured
    if trail.applies(rules.IN_WORKFLOW):
        for call in practice.called(linter.name):
            if check_arguments(linter, call.words) is not None:
                sentence = "the repository's own workflow runs it"
                return _Reason(call.seen.file, call.seen.line, sentence, rules.IN_WORKFLOW)
    # Beside ruff, black and flake8 are often there for something else (the code in documentation, say).
    alone = linter.name == "ruff" or ("ruff" not in setup.names and "ruff" not in table(project.pyproject, "tool"))
    if linter.by_dependency and alone and linter.name in setup.names:
        return _Reason(None, None, "the project depends on it")
    if hook is not None and linter.call and _runs_as_hook(linter, hook, setup):
        return _Reason(HOOKS_FILE, hook.line, "a pre-commit hook runs it", rules.BY_HOOK)
    return None


def _runs_as_hook(linter: Linter, hook: Hook, setup: PythonSetup) -> bool:
    """Return whether a tool that nothing configures may run for its hook's sake alone."""
    if linter.name == "ruff" or check_arguments(linter, hook.call) is not None:
        return True
    return not hook.partial and (linter.alone or (linter.name == "mypy" and bool(setup.names)))


def _skipping(linter: Linter, call: str, setup: PythonSetup, trail: Trail) -> str:
    """Return the option by which flake8 stays out of an environment in the tree: alone of all, it would enter."""
    everywhere = linter.name == "flake8" and not any(
        not word.startswith("-") and word != "." for word in call.split()[1:]
    )
    in_tree = setup.manager != "pip" and trail.applies(rules.FLAKE8_ENVIRONMENT)
    return " --extend-exclude=.venv" if everywhere and in_tree else ""


def _left_out(linter: Linter, practice: Practice, hook: Hook | None, trail: Trail) -> bool:
    """Return whether the workflows run some linter, but neither they nor a hook run this one."""
    if hook is not None or practice.called(linter.name) or not trail.applies(rules.WORKFLOW_CHECKS):
        return False
    return any(check_arguments(BY_NAME[call.program], call.words) for call in practice.calls if call.program in BY_NAME)


def _configured(linter: Linter, project: PythonProject) -> _Reason | None:
    tree = project.tree
    if linter.name in table(project.pyproject, "tool"):
        line = toml_line(tree.text("pyproject.toml"), f"tool.{linter.name}")
        return _Reason("pyproject.toml", line, f"`[tool.{linter.name}]` configures it")
    for file in linter.files:
        if file in tree.paths:
            return _Reason(file, 1, f"`{file}` configures it")
    for file, section in linter.sections:
        if read_ini(tree, file).has_section(section):
            return _Reason(file, line_of(tree.text(file), rf"^\[{section}\]"), f"`[{section}]` configures it")
    return None


def _calls(
    linter: Linter,
    project: PythonProject,
    practice: Practice,
    hook: Hook | None,
    hooks: dict[str, Hook],
    trail: Trail,
) -> Iterator[tuple[str, str, Rule | None]]:
    """Yield the calls of a tool, each with what to add to the reason, and the rule that says so."""
    used = practice.called(linter.name) if trail.applies(rules.IN_WORKFLOW) else ()
    used = tuple(call for call in used if call.whole)
    found = [(call, _usable(project, check_arguments(linter, call.words))) for call in used]
    taken = [(call, arguments) for call, arguments in found if arguments is not None]
    for call, arguments in taken[:MAX_CALLS]:
        yield _joined(linter.name, arguments), f"; as in {call.place}", rules.IN_WORKFLOW
    if not taken and linter.call:
        yield _usual(linter, project, hook), "", None
    if linter.name == "ruff" and trail.applies(rules.RUFF_FORMAT):
        wanted = _ruff_format(project, used, hooks)
        if wanted is not None:
            yield wanted[0], f"; {wanted[1]}", rules.RUFF_FORMAT


def _joined(name: str, arguments: list[str]) -> str:
    return " ".join([name, *map(grammar.quoted, arguments)])


def _usable(project: PythonProject, arguments: list[str] | None) -> list[str] | None:
    """Return arguments without what only reports; None where a path among them is none of this commit."""
    if arguments is None or SILENT & set(arguments):
        return None
    kept: list[str] = []
    waiting = iter(arguments)
    before = ""
    for word in waiting:
        if word.partition("=")[0] in REPORTING:
            if "=" not in word:
                next(waiting, None)
            continue
        option = before.startswith("-") and "=" not in before
        if (
            not word.startswith("-")
            and not option
            and word not in (".", "check", "format")
            and not has_path(project, word)
        ):
            return None
        kept.append(word)
        before = word
    return kept


def _usual(linter: Linter, project: PythonProject, hook: Hook | None) -> str:
    """Return the call of a tool that no workflow calls, with the arguments of its hook where only that runs it."""
    own = _usable(project, check_arguments(linter, hook.call)) if hook and hook.call else None
    if own is not None:
        return _joined(linter.name, own)
    if linter.name == "mypy":
        configured = _configured(linter, project) is not None
        arguments = () if configured or hook is None else hook.arguments or MYPY_HOOK
        return " ".join([_mypy(project), *(word for word in arguments if grammar.fits(grammar.FLAG, word))])
    arguments = hook.arguments if hook and linter.name in ("flake8", "black", "isort") else ()
    plain = [word for word in arguments if word.startswith("--") and "=" in word and grammar.fits(grammar.FLAG, word)]
    return _joined(linter.call, plain)


def _mypy(project: PythonProject) -> str:
    """Return the call: with no arguments where the configuration says what to check, else `src`, or packages."""
    settings = set(table(project.pyproject, "tool", "mypy"))
    for file in ("mypy.ini", ".mypy.ini", "setup.cfg"):
        parser = read_ini(project.tree, file)
        settings |= set(parser["mypy"]) if parser.has_section("mypy") else set()
    if settings & {"files", "packages", "modules"}:
        return "mypy"
    if any(path.startswith("src/") for path in project.sources):
        return "mypy src"
    packages = sorted(
        path.removesuffix("/__init__.py")
        for path in project.sources
        if path.count("/") == 1 and path.endswith("/__init__.py") and grammar.is_tree_path(path)
    )
    packages = [name for name in packages if name not in ("test", "tests")]
    return f"mypy {' '.join(packages)}" if 0 < len(packages) < 10 else "mypy ."


def _ruff_format(project: PythonProject, used: tuple[Call, ...], hooks: dict[str, Hook]) -> tuple[str, str] | None:
    """Return the call that checks the format, and why; None where nothing asks for it."""
    usual = "ruff format --check ."
    for call in used:
        formats = format_arguments(call.words)
        if formats is not None:
            arguments = _usable(project, formats)
            return (_joined("ruff", arguments) if arguments else usual), f"{call.place} checks the format"
    if "format" in table(project.pyproject, "tool", "ruff"):
        return usual, "`[tool.ruff.format]` is set"
    for file in ("ruff.toml", ".ruff.toml"):
        if "format" in read_toml(project.tree, file):
            return usual, f"`[format]` is set in {file}"
    return (usual, "a pre-commit hook formats") if "ruff-format" in hooks else None
