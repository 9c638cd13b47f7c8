"""Which linters of a bundle run: those that are configured, as a workflow runs them."""

from __future__ import annotations

from dataclasses import dataclass

from draftsman.domain.plan import Tree
from orchestrator.planning import grammar
from orchestrator.planning.command_flags import Flags, joined, words_of
from orchestrator.planning.ruby import rules
from orchestrator.planning.ruby.bundle import Bundle
from orchestrator.planning.rule import Rule
from orchestrator.planning.trail import Trail
from orchestrator.planning.workflows import Seen, Workflows

RUBOCOP_FLAGS = Flags(
    kept=frozenset({"--parallel", "-P", "--force-exclusion", "--lint", "-l", "--no-server", "--no-fix", "--strict"}),
    kept_with_value=frozenset({"--config", "-c", "--only", "--except", "--fail-level"}),
    dropped=frozenset({"--color", "--no-color", "--display-cop-names", "-D", "--extra-details", "-E", "-S"}),
    dropped_with_value=frozenset({"--format", "-f", "--out", "-o"}),
)
PLAIN_FLAGS = Flags(
    kept=frozenset({"--lint-all", "--no-pager", "--quiet", "-q", "-z", "--exit-on-warn", "--no-exit-on-warn"}),
    kept_with_value=frozenset({"--config", "-c", "-j", "--jobs", "--severity-level"}),
    dropped=frozenset({"--color", "--no-color"}),
    dropped_with_value=frozenset({"--format", "-f"}),
)


@dataclass(frozen=True, slots=True)
class Linter:
    """A linter: its gem, its program, what must stand behind that, and its flags.

    `rule` is the one by which its configuration alone runs it; without one only a workflow's call does.
    """

    gem: str
    program: str
    words: tuple[str, ...] = ()
    flags: Flags = PLAIN_FLAGS
    config: str | None = None
    unless: str | None = None
    rule: Rule | None = None


LINTERS = (
    Linter("rubocop", "rubocop", flags=RUBOCOP_FLAGS, config=".rubocop.yml", rule=rules.RUBOCOP),
    Linter("standard", "standardrb", flags=RUBOCOP_FLAGS, unless=".rubocop.yml", rule=rules.STANDARD),
    Linter("steep", "steep", ("check",)),
    Linter("sorbet", "srb", ("tc",)),
    Linter("brakeman", "brakeman"),
    Linter("erb_lint", "erb_lint"),
    Linter("erb_lint", "erblint"),
    Linter("haml_lint", "haml-lint"),
    Linter("slim_lint", "slim-lint"),
)
LINT_TASKS = frozenset({"rubocop", "standard", "lint", "steep", "standard:check"})
"""Tasks of a Rakefile that are linters."""


def choose_fast(
    tree: Tree, bundle: Bundle, groups: frozenset[str], workflows: Workflows, trail: Trail
) -> tuple[str, ...]:
    """Return the linters' commands, without the prefix that the bundle needs."""
    chosen: dict[str, str] = {}
    for seen in workflows.commands if trail.applies(rules.WORKFLOW_LINT) else ():
        command = _lint_of(seen, bundle, groups) or _task_of(seen, bundle, groups)
        if command is None:
            continue
        name = command.removeprefix("bundle exec ").split()[0]
        if name not in chosen:
            chosen[name] = command
            rule = "the repository's own workflow runs it"
            trail.note("fast", seen.text, rule, file=seen.file, line=seen.line, by=rules.WORKFLOW_LINT)
    for linter in LINTERS:
        if linter.rule is None or not trail.applies(linter.rule):
            continue
        there = linter.config is None or linter.config in tree.paths
        replaced = linter.unless is not None and linter.unless in tree.paths
        if not there or replaced or linter.program in chosen or set(chosen) & {"rake"}:
            continue
        file = linter.config or bundle.lock or bundle.gemfile
        if bundle.has(linter.gem, groups):
            chosen[linter.program] = f"bundle exec {linter.program}"
            trail.note("fast", linter.program, "the bundle has it", file=file, by=linter.rule)
        elif linter.config is not None:
            rule = f"not run: the bundle does not install {linter.gem}"
            trail.note("fast", linter.config, rule, file=linter.config, by=linter.rule)
    return tuple(chosen.values())


def _lint_of(seen: Seen, bundle: Bundle, groups: frozenset[str]) -> str | None:
    words = _called(seen)
    for linter in LINTERS:
        count = 1 + len(linter.words)
        if words[:count] != [linter.program, *linter.words] or not bundle.may_have(linter.gem, groups):
            continue
        arguments = linter.flags.of(words[count:])
        if arguments is None or not all(map(_harmless, arguments)):
            return None
        return joined(["bundle", "exec", linter.program, *linter.words, *arguments])
    return None


def _task_of(seen: Seen, bundle: Bundle, groups: frozenset[str]) -> str | None:
    words = _called(seen)
    if words[:1] == ["rake"] and words[1:] and set(words[1:]) <= LINT_TASKS and bundle.may_have("rake", groups):
        return joined(["bundle", "exec", *words])
    return None


def _called(seen: Seen) -> list[str]:
    """Return the words of a command without `bundle exec` and `bin/`; none where it runs in a folder."""
    words = words_of(seen)
    words = words[2:] if words[:2] == ["bundle", "exec"] else words
    return [words[0].removeprefix("bin/"), *words[1:]] if words else []


def _harmless(word: str) -> bool:
    return word.startswith("-") or word == "." or grammar.is_tree_path(word) or "," in word or "/" in word
