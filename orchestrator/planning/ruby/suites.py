"""How a Ruby project's tests are run: as its workflow does, else by the files that are there."""

from __future__ import annotations

import re
from dataclasses import dataclass

from draftsman.domain.plan import Tree
from orchestrator.planning import grammar
from orchestrator.planning.command_flags import Flags, joined, with_variables, words_of
from orchestrator.planning.documents import line_of
from orchestrator.planning.ruby import rules
from orchestrator.planning.ruby.bundle import Bundle
from orchestrator.planning.trail import Trail
from orchestrator.planning.workflows import Seen, Workflows

RSPEC_FLAGS = Flags(
    kept=frozenset({"--fail-fast", "--backtrace", "-b", "--warnings", "-w", "--no-fail-fast"}),
    kept_with_value=frozenset(
        {"--tag", "-t", "--exclude-pattern", "--pattern", "-P", "--order", "--require", "-r", "--seed", "-I"}
    ),
    dropped=frozenset({"--color", "--force-color", "--no-color", "--profile", "-p"}),
    dropped_with_value=frozenset({"--format", "-f", "--out", "-o"}),
)
RUBY_FLAGS = re.compile(r"-(?:I[A-Za-z0-9_./:-]{0,100}|w|W[0-9:a-z-]{0,20})")
TASK = re.compile(r"[a-z][a-z0-9_]*(?::[a-z0-9_]+)*")
TEST_TASK = re.compile(r"(?:^|[:_])(?:tests?|specs?|units?|minitest|rspec)(?:[:_]|$)|^default$")
DATABASE_TASK = re.compile(r"db:(?:create|migrate|setup|prepare|schema:load|test:prepare|test:load)")
PREPARING_TASK = re.compile(r"(?:[a-z0-9_]{1,40}:){0,3}(?:setup|prepare|test_app|dummy_app|generate_dummy|dummy:app)")
BROWSER_TASK = re.compile(r"(?:^|[:_])(?:system|feature|features|browser|e2e|acceptance)(?:[:_]|$)")
WHOLE_TASKS = frozenset({"", "default", "test", "spec"})
VARIABLES = frozenset({"RAILS_ENV", "RACK_ENV", "RUBYOPT"})
RUNNER = re.compile(r"(?:bin|script)/(?:tests?|specs?|unit|minitest)")
"""A program of the repository that runs its tests."""

RAKEFILES = ("Rakefile", "rakefile", "Rakefile.rb", "rakefile.rb")
TEST_TASK_LINE = (
    r"^[ \t]*(?:Rake::TestTask\.new|Minitest::TestTask\.create|Hoe\.spec|Rails\.application\.load_tasks"
    r"|task[ \t(]+(?::test\b|[\"']test[\"']|test:))"
)
LOADER = "-e 'Dir.glob(\"./{folder}/**/{pattern}\").sort.each {{ |file| require file }}'"
MAX_COMMANDS = 3


@dataclass(frozen=True, slots=True)
class Call:
    """A workflow's command as it is run here. `kind` is what it runs, `whole` that it runs all of them."""

    seen: Seen
    command: str
    kind: str
    whole: bool


def choose_full(
    tree: Tree, bundle: Bundle, groups: frozenset[str], workflows: Workflows, trail: Trail
) -> tuple[str, ...]:
    """Return the commands that run the tests, without the variables that the bundle needs."""
    specs = sorted(path for path in tree.paths if path.startswith("spec/") and path.endswith("_spec.rb"))
    tests = sorted(path for path in tree.paths if path.startswith("test/") and _is_test(path))
    if trail.applies(rules.WORKFLOW_TESTS):
        calls = [call for seen in workflows.commands if (call := _call(tree, bundle, groups, seen))]
        chosen = _widest(calls)
        for call in calls:
            rule = "the repository's own workflow runs it" if call in chosen else "run by a workflow as well, not here"
            place = call.seen
            trail.note("full", call.command, rule, file=place.file, line=place.line, by=rules.WORKFLOW_TESTS)
        if chosen:
            return tuple(dict.fromkeys(call.command for call in chosen))
    return (*_by_rspec(bundle, groups, specs, trail), *_by_task_or_files(tree, bundle, groups, specs, tests, trail))


def _is_test(path: str) -> bool:
    name = path.rpartition("/")[2]
    return path.endswith("_test.rb") or (name.startswith("test_") and name.endswith(".rb") and name != "test_helper.rb")


def _by_rspec(bundle: Bundle, groups: frozenset[str], specs: list[str], trail: Trail) -> tuple[str, ...]:
    if not specs or not trail.applies(rules.RSPEC) or not _has_rspec(bundle, groups):
        return ()
    trail.note("full", specs[0], "`_spec.rb` files: RSpec", file=specs[0], by=rules.RSPEC)
    return (f"{_exec(bundle)}rspec",)


def _has_rspec(bundle: Bundle, groups: frozenset[str]) -> bool:
    if bundle.gemfile is None:
        return True  # the setup installs it
    return any(bundle.has(gem, groups) for gem in ("rspec", "rspec-core", "rspec-rails"))


def _by_task_or_files(
    tree: Tree, bundle: Bundle, groups: frozenset[str], specs: list[str], tests: list[str], trail: Trail
) -> tuple[str, ...]:
    """Return what runs files that are not RSpec's: Rails, the Rakefile's task, or Ruby itself."""
    minispecs = [] if _has_rspec(bundle, groups) else specs
    files = tests or minispecs
    if not files:
        return ()
    if "bin/rails" in tree.paths and "config/application.rb" in tree.paths and trail.applies(rules.RAILS):
        trail.note("full", "bin/rails test", "a Rails application", file="bin/rails", by=rules.RAILS)
        return ("bin/rails test",)
    rakefile = next((path for path in RAKEFILES if path in tree.paths), None)
    line = line_of(tree.text(rakefile), TEST_TASK_LINE) if rakefile else None
    if line is not None and (bundle.gemfile is None or bundle.has("rake", groups)) and trail.applies(rules.RAKE):
        trail.note("full", "rake test", "the Rakefile has a test task", file=rakefile, line=line, by=rules.RAKE)
        return (f"{_exec(bundle)}rake test",)
    if not trail.applies(rules.TEST_FILES):
        return ()
    trail.note("full", files[0], "test files and no task: loaded by Ruby", file=files[0], by=rules.TEST_FILES)
    folder = "test" if tests else "spec"
    loader = LOADER.format(folder=folder, pattern="{test_*,*_test}.rb" if tests else "*_spec.rb")
    return (f"{_exec(bundle)}ruby -Ilib:{folder} {loader}",)


def _exec(bundle: Bundle) -> str:
    return "bundle exec " if bundle.gemfile else ""


def _widest(calls: list[Call]) -> list[Call]:
    """Return one whole run of each kind; where there is none, the first few narrow ones."""
    default = [call for call in calls if call.whole and call.kind == "default"]
    if default:
        return default[:1]
    first: dict[str, Call] = {}
    for call in calls:
        if call.whole:
            first.setdefault(call.kind, call)
    return list(first.values())[:MAX_COMMANDS] or calls[:MAX_COMMANDS]


def _call(tree: Tree, bundle: Bundle, groups: frozenset[str], seen: Seen) -> Call | None:
    """Return the check that a workflow's command is here, or None where it is none."""
    words = words_of(seen)
    bundled = words[:2] == ["bundle", "exec"]
    words = words[2:] if bundled else words
    if not words:
        return None
    words = [words[0].removeprefix("./"), *words[1:]]
    program = words[0].removeprefix("bin/")
    if words[0].startswith("bin/") and words[0] not in tree.paths:
        return None
    prefix = "" if words[0].startswith("bin/") else _exec(bundle)
    if program == "rspec" and (_has_rspec(bundle, groups) or bundle.may_have("rspec", groups)):
        arguments = RSPEC_FLAGS.of(words[1:])
        if arguments is None or not all(one.startswith("-") or _in_tree(one) for one in arguments if "/" in one):
            return None
        whole = not any("/" in one for one in arguments)
        return _made(seen, prefix, [words[0], *arguments], "spec", whole)
    if program in ("rake", "rails") and (bundle.may_have(program, groups) or not bundled):
        return _tasks(seen, prefix, words, program)
    if RUNNER.fullmatch(words[0]) and words[0] in tree.paths and not words[1:]:
        return _made(seen, "", words, "test", True)
    if program == "ruby" and len(words) > 1:
        files = [word for word in words[1:] if not RUBY_FLAGS.fullmatch(word)]
        if files and all(_in_tree(file) and file in tree.paths and _tests(file) for file in files):
            return _made(seen, prefix, words, "test", True)
    return None


def is_test_call(tree: Tree, bundle: Bundle, groups: frozenset[str], seen: Seen) -> bool:
    """Return whether a workflow's command runs tests here."""
    return _call(tree, bundle, groups, seen) is not None


def _tasks(seen: Seen, prefix: str, words: list[str], name: str) -> Call | None:
    """Return the call of Rake's or Rails' tasks: tests, and what prepares their database; no browsers."""
    flags = {"--trace", "-t"} if name == "rake" else set()
    program, *words = words
    called = [word for word in words if word not in flags]
    words = [word for word in called if not BROWSER_TASK.search(word)]
    tasks = [word for word in words if not DATABASE_TASK.fullmatch(word)]
    if (name == "rails" and not tasks) or (tasks and all(map(PREPARING_TASK.fullmatch, tasks))):
        return None
    if not all(TASK.fullmatch(task) and TEST_TASK.search(task) for task in tasks) or (called and not tasks):
        return None
    last = tasks[-1] if tasks else ""
    kind = "default" if last in ("", "default") else "spec" if "spec" in last else "test"
    return _made(seen, prefix, [program, *words], kind, last in WHOLE_TASKS)


def _made(seen: Seen, prefix: str, words: list[str], kind: str, whole: bool) -> Call:
    return Call(seen, database_variables(prefix + joined(words), seen), kind, whole)


def database_variables(command: str, seen: Seen) -> str:
    """Return the command behind the workflow's variables for environment and database, without a server's address."""
    file = dict(seen.env).get("DATABASE_URL", "").startswith("sqlite3:")
    return with_variables(command, seen, VARIABLES | {"DATABASE_URL"} if file else VARIABLES)


def _in_tree(word: str) -> bool:
    return grammar.is_tree_path(word.rstrip("/"))


def _tests(path: str) -> bool:
    return bool(re.search(r"(^|[/_])(test|tests|spec)s?([/_.]|$)", path))
