"""golangci-lint: whether a workflow runs it, how, and which release of it the image gets."""

from __future__ import annotations

import re
from itertools import pairwise

from draftsman.domain.plan import Tree
from orchestrator.planning import grammar
from orchestrator.planning.command_flags import Flags, joined, words_of
from orchestrator.planning.documents import line_of
from orchestrator.planning.go import rules
from orchestrator.planning.part import CopiedProgram
from orchestrator.planning.trail import Trail
from orchestrator.planning.versions import GOLANGCI_BUILT_WITH, GOLANGCI_PINS
from orchestrator.planning.workflows import Seen, Workflows

IMAGE = "golangci/golangci-lint"
PATH = "/usr/bin/golangci-lint"
"""Where its official image has it, as one file that needs no library."""

CONFIGS = (".golangci.yml", ".golangci.yaml", ".golangci.toml", ".golangci.json")
SECOND_FORMAT = r"""^(?:[ \t]*")?version["']?[ \t]*[:=][ \t]*["']?2\b"""
"""The line by which a configuration says that it is for golangci-lint 2, which refuses one without it."""

RELEASE = re.compile(r"v?([12])\.([0-9]{1,3})(?:\.([0-9]{1,3}))?")
ONLY_NEW = r"^[ \t]*only-new-issues:[ \t]*[\"']?true"
FLAGS = Flags(
    kept=frozenset(
        {"--fast", "--fast-only", "--enable-all", "--disable-all", "--no-config", "--allow-parallel-runners"}
    ),
    kept_with_value=frozenset(
        {"--timeout", "--config", "-c", "--build-tags", "--enable", "-E", "--disable", "-D", "--tests"}
        | {"--default", "--enable-only", "--max-issues-per-linter", "--max-same-issues", "--modules-download-mode"}
        | {"--skip-dirs", "--exclude-dirs", "--skip-files", "--exclude-files", "--exclude", "-e"}
    ),
    dropped=frozenset({"-v", "--verbose", "--print-issued-lines", "--print-linter-name", "--sort-results"})
    | {"--show-stats", "--allow-serial-runners", "--color=always", "--color=never"},
    dropped_with_value=frozenset({"--out-format", "--color", "-j", "--concurrency", "--issues-exit-code"}),
)
PACKAGES = re.compile(r"\.|(?:\./)?[A-Za-z0-9_][A-Za-z0-9_./-]{0,200}|\./\.\.\.")


def choose_lint(tree: Tree, go: str, workflows: Workflows, trail: Trail) -> tuple[str, CopiedProgram] | None:
    """Return the command and the program for the image, None where nobody runs it or no release fits.

    `go` is the Go of the plan: a release that was built with an older one cannot read its packages.
    """
    config = next((path for path in CONFIGS if path in tree.paths), None)
    if not trail.applies(rules.GOLANGCI):
        return None
    for seen in workflows.commands:
        command = _command(seen)
        if command is None:
            continue
        if line_of(tree.text(seen.file), ONLY_NEW) is not None:
            rule = "not run: the workflow looks at new issues only, so others may be there"
            trail.note("fast", seen.text, rule, file=seen.file, line=seen.line, by=rules.GOLANGCI)
            return None
        release = _release(tree, config, go, workflows, trail)
        if release is None:
            return None
        rule = "the repository's own workflow runs it"
        trail.note("fast", seen.text, rule, file=seen.file, line=seen.line, by=rules.GOLANGCI)
        return command, CopiedProgram(f"{IMAGE}:{release}", PATH)
    if config is not None:
        rule = "not run: no workflow runs golangci-lint, and the first one that ran it might find much"
        trail.note("fast", config, rule, file=config, by=rules.GOLANGCI)
    return None


def _command(seen: Seen) -> str | None:
    words = words_of(seen)
    if words[:2] != ["golangci-lint", "run"]:
        return None
    arguments = FLAGS.of(words[2:])
    if arguments is None or any(".." in one.replace("...", "") for one in arguments):
        return None
    values = {after for word, after in pairwise(arguments) if word in FLAGS.kept_with_value}
    plain = [one for one in arguments if not one.startswith("-") and one not in values]
    return joined(["golangci-lint", "run", *arguments]) if all(map(PACKAGES.fullmatch, plain)) else None


def _release(tree: Tree, config: str | None, go: str, workflows: Workflows, trail: Trail) -> str | None:
    """Return the tag of the image: the workflow's release, else ours of its line or for the configuration's format."""
    named = [one for one in workflows.versions_of("golangci-lint") if RELEASE.fullmatch(one.text)]
    line = line_of(tree.text(config), SECOND_FORMAT) if config is not None else None
    major = "2" if config is None or line is not None else "1"
    for one in named[:1] if trail.applies(rules.GOLANGCI_RELEASE) else ():
        tag = "v" + one.text.removeprefix("v")
        fits = _reads(tag, go)
        rule = "the workflow names it" if fits else f"too old for Go {go}: it was built with an older one"
        trail.note("image", f"golangci-lint {tag}", rule, file=one.file, line=one.line, by=rules.GOLANGCI_RELEASE)
        if fits:
            return tag
        major = tag[1]
    tag = GOLANGCI_PINS[major]
    if not _reads(tag, go):
        rule = f"not run: the last golangci-lint {major} was built with a Go before {go}, and cannot read its packages"
        trail.note("fast", f"golangci-lint {tag}", rule, file=config, by=rules.GOLANGCI)
        return None
    rule = f"Draftsman's own release of golangci-lint {major}"
    trail.note("image", f"golangci-lint {tag}", rule, file=config, line=line, by=rules.GOLANGCI)
    return tag


def _reads(tag: str, go: str) -> bool:
    """Return whether a release can read the packages of a Go: it must be built with that one or a later one."""
    match = RELEASE.fullmatch(tag)
    if match is None or not grammar.fits(grammar.IMAGE, f"{IMAGE}:{tag}"):
        return False
    release = (int(match.group(1)), int(match.group(2)))
    built = [with_go for since, with_go in GOLANGCI_BUILT_WITH if since <= release]
    wanted = tuple(int(part) for part in re.findall(r"[0-9]+", go)[:2])
    return bool(built) and wanted <= built[0]
