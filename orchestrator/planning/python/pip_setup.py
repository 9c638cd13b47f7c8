"""How pip installs a project: as the tests' own job does, else its requirement files and the project in place."""

from __future__ import annotations

from orchestrator.planning import grammar
from orchestrator.planning.documents import strings, table, toml_line
from orchestrator.planning.python import rules
from orchestrator.planning.python.installs import pip_installs
from orchestrator.planning.python.practice import Practice, installs_by_program
from orchestrator.planning.python.project import PythonProject, broken_include, requirement_names, requirements_of
from orchestrator.planning.python.sets import checking
from orchestrator.planning.trail import Trail, show

NEWER_PIP = "pip install 'pip>=25.1'"
"""The first release of pip that knows `--group`; the images of older Pythons have an older one."""


def pip_commands(
    project: PythonProject, practice: Practice, trail: Trail
) -> tuple[tuple[str, ...], frozenset[str], bool]:
    """Return the commands, the names of what they install, and whether the project itself is among them."""
    commands: list[str] = []
    names: frozenset[str] = frozenset()
    itself, enough = False, False
    if trail.applies(rules.WORKFLOW_PIP):
        for install in pip_installs(project, practice.job):
            command = f"pip install {' '.join(install.words)}"
            if command in commands:
                continue
            sentence = "as the workflow installs before its tests"
            commands += [NEWER_PIP] if install.groups and NEWER_PIP not in commands else []
            commands.append(command)
            seen = install.call.seen
            trail.note("setup", command, sentence, file=seen.file, line=seen.line, by=rules.WORKFLOW_PIP)
            names |= install.names
            itself = itself or install.itself
            enough = enough or install.itself or install.lists
    commands += [] if enough else _programs(practice, trail)
    if enough or any(command.startswith("python ") for command in commands):
        return tuple(commands), names, itself
    inferred, more, itself = _inferred(project, trail)
    return (*inferred, *commands), names | more, itself


def _programs(practice: Practice, trail: Trail) -> list[str]:
    """Return the repository's own programs that install, where another one of its own runs the tests."""
    own = any(call.program == "python" and not call.words[1].endswith("manage.py") for call in practice.tests)
    found: dict[str, None] = {}
    for call in practice.job if own and trail.applies(rules.INSTALL_PROGRAM) else ():
        if call in practice.tests:
            break
        if installs_by_program(call):
            command = " ".join(call.words)
            found[command] = None
            sentence = "as the workflow installs before its tests"
            trail.note("setup", command, sentence, file=call.seen.file, line=call.seen.line, by=rules.INSTALL_PROGRAM)
    return list(found)


def _inferred(project: PythonProject, trail: Trail) -> tuple[tuple[str, ...], frozenset[str], bool]:
    words: list[str] = []
    names: frozenset[str] = frozenset()
    if trail.applies(rules.REQUIREMENT_FILES):
        for path in project.requirement_files:
            if trail.applies(rules.BROKEN_REQUIREMENTS) and (broken := broken_include(project, path)):
                file, number, target = broken
                sentence = f"it includes {show(target)}, which this commit lacks: not installed"
                trail.note("setup", path, sentence, file=file, line=number, by=rules.BROKEN_REQUIREMENTS)
                trail.warn(
                    f"{show(file)}:{number} includes {show(target)}, which this commit lacks: {path} is not installed."
                )
                continue
            words.append(f"-r {path}")
            names |= requirements_of(project, path)
            trail.note("setup", path, "a requirement file", file=path, by=rules.REQUIREMENT_FILES)
    extras = checking(project.extras) if trail.applies(rules.CHECK_SETS) else ()
    if project.installs_itself and trail.applies(rules.SELF_INSTALLING):
        sentence = "it installs the project itself"
        trail.note("setup", project.installs_itself, sentence, file=project.installs_itself, by=rules.SELF_INSTALLING)
        return (f"pip install {' '.join(words)}",), names | project.dependencies, True
    before: list[str] = []
    itself = False
    if project.installable_by is not None and trail.applies(rules.ITSELF):
        more, before = _itself(project, extras, trail)
        words += more
        names = names.union(project.dependencies, *(project.extras[name] for name in extras))
        itself = True
    elif project.candidates and trail.applies(rules.LOOSE):
        words += _loose_requirements(project, extras, trail)
        names = names.union(project.dependencies, *(project.extras[name] for name in extras))
    elif not words and trail.applies(rules.SUB_INSTALLS):
        words += _sub_projects(project, trail)
    groups = checking(project.groups) if trail.applies(rules.PIP_GROUPS) else ()
    for group in groups:
        line = toml_line(project.tree.text("pyproject.toml"), "dependency-groups", group)
        sentence = "the group that checks need"
        trail.note("setup", group, sentence, file="pyproject.toml", line=line, by=rules.PIP_GROUPS)
        words += ["--group", group]
        names |= project.groups[group]
    before += [NEWER_PIP] if groups else []
    return (*before, f"pip install {' '.join(words)}") if words else (), names, itself


def _itself(project: PythonProject, extras: tuple[str, ...], trail: Trail) -> tuple[list[str], list[str]]:
    """Return the words that install the project in place, and the commands that go before."""
    trail.note("setup", "-e .", "the project itself, in place", file=project.installable_by, by=rules.ITSELF)
    for extra in extras:
        line = toml_line(project.tree.text("pyproject.toml"), "project.optional-dependencies", extra)
        file = "pyproject.toml" if line else None
        trail.note("setup", extra, "the extra that checks need", file=file, line=line, by=rules.CHECK_SETS)
    words = ["-e " + grammar.quoted(f".[{','.join(extras)}]" if extras else ".")]
    if project.build_backend != "mesonpy" or not trail.applies(rules.BUILD_ISOLATION):
        return words, []
    line = toml_line(project.tree.text("pyproject.toml"), "build-system")
    sentence = "meson-python builds in place beside its own build requirements"
    trail.note("setup", "mesonpy", sentence, file="pyproject.toml", line=line, by=rules.BUILD_ISOLATION)
    requires = [grammar.quoted(one.strip()) for one in project.build_requires if _is_usable(one)]
    return ["--no-build-isolation", *words], [f"pip install {' '.join([*requires, 'ninja'])}"]


def _loose_requirements(project: PythonProject, extras: tuple[str, ...], trail: Trail) -> list[str]:
    """Return the project's requirements as words of a command, where the project itself cannot be installed."""
    declared = table(project.pyproject, "project")
    optional = table(declared, "optional-dependencies")
    lines = [*strings(declared.get("dependencies")), *(one for extra in extras for one in strings(optional.get(extra)))]
    folders = ", ".join(project.candidates[:5])
    rule = f"setuptools cannot tell which of the folders {folders} is the package: only dependencies are installed"
    line = toml_line(project.tree.text("pyproject.toml"), "project")
    trail.note("setup", " ".join(lines), rule, file="pyproject.toml", line=line, by=rules.LOOSE)
    return [grammar.quoted(line.strip()) for line in lines if _is_usable(line)]


def _is_usable(requirement: str) -> bool:
    """Return whether a requirement as written can be a word of a command."""
    return requirement.isprintable() and bool(requirement_names((requirement,)))


def _sub_projects(project: PythonProject, trail: Trail) -> list[str]:
    words = []
    for folder in project.sub_projects:
        if grammar.is_tree_path(folder):
            words.append(f"-e ./{folder}")
            sentence = "a sub-project: the root has nothing to install"
            trail.note("setup", folder, sentence, by=rules.SUB_INSTALLS)
    return words
