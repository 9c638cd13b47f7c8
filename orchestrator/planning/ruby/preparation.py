"""What a workflow does before a Ruby project's tests: files put in place, a database made, a test application made."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from draftsman.domain.plan import Tree
from orchestrator.planning import grammar
from orchestrator.planning.command_flags import joined, words_of
from orchestrator.planning.ruby import rules
from orchestrator.planning.ruby.bundle import Bundle
from orchestrator.planning.ruby.suites import DATABASE_TASK, PREPARING_TASK, database_variables, is_test_call
from orchestrator.planning.trail import Trail
from orchestrator.planning.workflows import Seen, Workflows

SQLITE = re.compile(r"^[^#\n]{0,200}\badapter:[ \t]{0,20}[\"']?sqlite3", re.MULTILINE)
SERVERS = frozenset({"pg", "mysql2", "trilogy"})
"""Gems of databases that are servers, which are not there."""

FOLDER_OF_FILES = re.compile(r"([A-Za-z0-9_.][A-Za-z0-9_./-]{0,200})/\*")
MAX_COMMANDS = 5
MAX_BEFORE = 30
"""Commands in front of the tests that are looked at."""


@dataclass(frozen=True, slots=True)
class Preparation:
    """Commands of the setup, and those in front of the tests: what these make comes from the code under test."""

    setup: tuple[str, ...] = ()
    before_tests: tuple[str, ...] = ()


def choose_preparation(
    tree: Tree, bundle: Bundle, groups: frozenset[str], workflows: Workflows, trail: Trail
) -> Preparation:
    """Return what the first job that runs the tests does before them."""
    setup: dict[str, None] = {}
    before: dict[str, None] = {}
    for seen in _before_tests(tree, bundle, groups, workflows):
        words = words_of(seen)
        task = _task_call(tree, words, bundle)
        if copied := _copy(tree, words):
            if trail.applies(rules.COPIED_FILES):
                rule = "the workflow puts files of the repository in place before the tests"
                trail.note("setup", seen.text, rule, file=seen.file, line=seen.line, by=rules.COPIED_FILES)
                setup[copied] = None
        elif task and all(map(DATABASE_TASK.fullmatch, task[1])) and trail.applies(rules.DATABASE):
            here = _has_database(tree, bundle, seen)
            rule = "the workflow makes the database before the tests"
            rule += "" if here else "; not run: it needs a database server, and none is there"
            trail.note("setup", seen.text, rule, file=seen.file, line=seen.line, by=rules.DATABASE)
            if here:
                setup[database_variables(task[0], seen)] = None
        elif task and all(map(PREPARING_TASK.fullmatch, task[1])) and trail.applies(rules.PREPARED):
            rule = "the workflow runs it before the tests: what it makes comes from the code under test"
            trail.note("full", seen.text, rule, file=seen.file, line=seen.line, by=rules.PREPARED)
            before[database_variables(task[0], seen)] = None
    return Preparation(tuple(setup)[:MAX_COMMANDS], tuple(before)[:MAX_COMMANDS])


def _before_tests(tree: Tree, bundle: Bundle, groups: frozenset[str], workflows: Workflows) -> Iterator[Seen]:
    for job in workflows.jobs:
        commands = [seen for seen in job.commands if not seen.folder]
        first = next((at for at, seen in enumerate(commands) if is_test_call(tree, bundle, groups, seen)), None)
        if first is not None:
            yield from commands[max(0, first - MAX_BEFORE) : first]
            return


def _task_call(tree: Tree, words: list[str], bundle: Bundle) -> tuple[str, list[str]] | None:
    """Return the command and the tasks of a call of Rake or Rails; None for another command."""
    words = words[2:] if words[:2] == ["bundle", "exec"] else words
    if len(words) < 2:
        return None
    program = words[0].removeprefix("./")
    if program.removeprefix("bin/") not in ("rake", "rails") or (
        program.startswith("bin/") and program not in tree.paths
    ):
        return None
    prefix = "" if program.startswith("bin/") or not bundle.gemfile else "bundle exec "
    return prefix + joined([program, *words[1:]]), words[1:]


def _has_database(tree: Tree, bundle: Bundle, seen: Seen) -> bool:
    """Return whether the database is a file: by its address, its configuration, or the gems."""
    address = dict(seen.env).get("DATABASE_URL", "")
    if address:
        return address.startswith("sqlite3:")
    configuration = tree.text("config/database.yml")
    if configuration is not None:
        return SQLITE.search(configuration) is not None
    names = bundle.locked or bundle.named
    return "sqlite3" in names and not SERVERS & names


def _copy(tree: Tree, words: list[str]) -> str | None:
    """Return a `cp` of files of the repository to places where the commit has none; None for another command."""
    if len(words) != 3 or words[0] != "cp" or not grammar.is_tree_path(words[2].rstrip("/")):
        return None
    source, target = words[1].removeprefix("./"), words[2].removeprefix("./")
    several = FOLDER_OF_FILES.fullmatch(source)
    folder = f"{several.group(1)}/" if several else ""
    names = [path for path in tree.paths if several and path.startswith(folder) and "/" not in path[len(folder) :]]
    names = names or ([source] if grammar.is_tree_path(source) and source in tree.paths else [])
    is_folder = target.endswith("/") or any(path.startswith(f"{target}/") for path in tree.paths)
    made = [f"{target.rstrip('/')}/{name.rpartition('/')[2]}" if is_folder else target for name in names]
    if not names or ".." in source.split("/") or not tree.paths.isdisjoint(made):
        return None
    return f"cp {source} {target}"
