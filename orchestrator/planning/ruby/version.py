"""Which Ruby: exact files, then what Gemfile and gemspec allow, lock, workflows, default."""

from __future__ import annotations

import re
from collections.abc import Iterator

from draftsman.domain.errors import PlanError
from draftsman.domain.plan import Tree
from orchestrator.planning.choice import Candidate, choose
from orchestrator.planning.documents import malformed
from orchestrator.planning.ruby import rules
from orchestrator.planning.ruby.bundle import Bundle, Said
from orchestrator.planning.ruby.requirement import read_requirement
from orchestrator.planning.rule import Rule
from orchestrator.planning.tool_files import TOOL_FILES, read_tool_files
from orchestrator.planning.trail import Trail, show
from orchestrator.planning.versions import RUBY, RUBY_DEFAULT, find
from orchestrator.planning.workflows import Workflows

EXACT = re.compile(
    r"(?:ruby-)?v?([0-9]{1,2}(?:\.[0-9]{1,3}){1,2}(?:-(?:preview|rc)[0-9])?)(?:-p[0-9]{1,4})?(?:@.{1,60})?"
)
OTHER_ENGINE = re.compile(r"(jruby|truffleruby|mruby|rbx|rubinius|artichoke)\b")
QUOTED = re.compile(r"[\"']([^\"']{1,60})[\"']")
LITERAL = re.compile(r"[\[(]*[ \t]*[\"']")
FILE = re.compile(r"(?:file:|:file[ \t]*=>)[ \t]*[\"']([^\"']{1,100})[\"']")
ENGINE = re.compile(r"(?:engine:|:engine[ \t]*=>)[ \t]*[\"'](?!ruby[\"'])([a-z]{1,20})[\"']")
OPTIONS = re.compile(r",?[ \t]*(?:patchlevel|engine|engine_version):.*|,?[ \t]*:[a-z_]+[ \t]*=>.*")
REQUIRED = re.compile(r"[ \t]*[a-z_]{1,20}\.required_ruby_version[ \t]*=[ \t]*(.{1,200})")
IN_TREE = frozenset({".ruby-version", *TOOL_FILES})


def choose_ruby(tree: Tree, bundle: Bundle, workflows: Workflows, trail: Trail) -> str:
    """Return the version for the image's tag, `3.4` or `3.3.1`. Raises PlanError for a malformed hint."""
    tested = _tested(workflows) if trail.applies(rules.WORKFLOW_RUBY) else {}
    lines = frozenset(tested)
    candidates = [
        *_ruby_version_file(tree, trail),
        *_tool_files(tree, trail),
        *_gemfile(tree, bundle, lines, trail),
        *_gemspecs(tree, bundle, lines, trail),
        *_locked(bundle),
        *_workflow_candidate(tested),
    ]
    return choose("Ruby", candidates, RUBY_DEFAULT, RUBY, trail)


def _exact(text: str, file: str, line: int, trail: Trail) -> str:
    match = EXACT.fullmatch(text)
    if match:
        return match.group(1)
    if OTHER_ENGINE.match(text) and trail.applies(rules.OTHER_ENGINE):
        raise _other_engine(text, file, line)
    raise malformed(file, line, f"{show(text)!r} is not a Ruby version. Write one such as 3.4 or 3.4.2.")


def _other_engine(text: str, file: str, line: int) -> PlanError:
    what = f"{show(text)!r} is not the ordinary Ruby: no image is generated for it. Name a Dockerfile in the profile."
    return malformed(file, line, what)


def _ruby_version_file(tree: Tree, trail: Trail) -> Iterator[Candidate]:
    if not trail.applies(rules.RUBY_VERSION_FILE):
        return
    for number, raw in enumerate((tree.text(".ruby-version") or "").splitlines(), start=1):
        text = raw.partition("#")[0].strip()
        if text:
            rule = "`.ruby-version` names it exactly"
            version = _exact(text, ".ruby-version", number, trail)
            yield Candidate(version, ".ruby-version", number, text, rule, by=rules.RUBY_VERSION_FILE)
            return


def _tool_files(tree: Tree, trail: Trail) -> Iterator[Candidate]:
    if trail.applies(rules.TOOL_FILES):
        for hint in read_tool_files(tree, ("ruby",)):
            version = _exact(hint.text, hint.file, hint.line, trail)
            rule = f"`{hint.file}` names it exactly"
            yield Candidate(version, hint.file, hint.line, hint.text, rule, by=rules.TOOL_FILES)


def _gemfile(tree: Tree, bundle: Bundle, tested: frozenset[str], trail: Trail) -> Iterator[Candidate]:
    said = bundle.ruby
    if said is None:
        return
    if (engine := ENGINE.search(said.text)) and trail.applies(rules.OTHER_ENGINE):
        raise _other_engine(engine.group(1), said.file, said.line)
    if named := FILE.search(said.text):
        if named.group(1) not in IN_TREE & tree.paths and trail.applies(rules.GEMFILE_FILE):
            what = (
                f"`ruby file:` names {show(named.group(1))!r}, which is no version file at the top of the repository."
            )
            raise malformed(said.file, said.line, what)
        trail.note("ruby version", named.group(1), "the Gemfile leaves it to this file", file=said.file, line=said.line)
        return
    if trail.applies(rules.GEMFILE_RUBY):
        yield from _ranged(said, "`ruby`", tested, rules.GEMFILE_RUBY, trail)


def _gemspecs(tree: Tree, bundle: Bundle, tested: frozenset[str], trail: Trail) -> Iterator[Candidate]:
    if not trail.applies(rules.GEMSPEC_RUBY):
        return
    for file in bundle.gemspecs[:1]:
        for number, line in enumerate((tree.text(file) or "").splitlines(), start=1):
            if match := REQUIRED.match(line[:300]):
                text = match.group(1).replace("Gem::Requirement.new", "")
                said = Said(file, number, text.partition(" #")[0].strip())
                yield from _ranged(said, "`required_ruby_version`", tested, rules.GEMSPEC_RUBY, trail)
                return


def _ranged(said: Said, what: str, tested: frozenset[str], by: Rule, trail: Trail) -> Iterator[Candidate]:
    texts = QUOTED.findall(OPTIONS.sub("", said.text)) if LITERAL.match(said.text) else []
    if not texts or any("#{" in text for text in texts):
        rule = "computed by Ruby, so nothing is known of it: ignored"
        trail.note("ruby version", said.text, rule, file=said.file, line=said.line, by=by)
        return
    requirement = read_requirement(text.removeprefix("ruby-") for text in texts)
    version = requirement.newest(tested) if requirement else None
    shown = ", ".join(texts)
    if requirement is None or version is None:
        problem = f"{what} {show(shown)!r} is not a Ruby version or range that any release fits, such as '~> 3.3'."
        raise malformed(said.file, said.line, problem)
    reason = _reason(version, tested)
    yield Candidate(version, said.file, said.line, shown, f"{what} allows it, {reason}", requirement.allows, by)


def _reason(version: str, tested: frozenset[str]) -> str:
    if version in tested:
        return "and a workflow tests with it"
    release = find(RUBY, version)
    if version == RUBY_DEFAULT:
        return "the default"
    return "the newest that fits" + (" (old)" if release is not None and not release.supported else "")


def _locked(bundle: Bundle) -> Iterator[Candidate]:
    said = bundle.locked_ruby
    if said is not None and EXACT.fullmatch(said.text):
        yield Candidate(said.text, said.file, said.line, said.text, "the lock was made with it", by=rules.LOCK_RUBY)


def _tested(workflows: Workflows) -> dict[str, tuple[str, str, int | None]]:
    """Return the line of releases (`3.3`) that workflows test with: text, file and line of each."""
    found: dict[str, tuple[str, str, int | None]] = {}
    for seen in workflows.versions_of("ruby"):
        match = EXACT.fullmatch(seen.text)
        release = find(RUBY, match.group(1)) if match else None
        if release is not None:
            found.setdefault(release.version, (seen.text, seen.file, seen.line))
    return found


def _workflow_candidate(tested: dict[str, tuple[str, str, int | None]]) -> Iterator[Candidate]:
    for version in (RUBY_DEFAULT, *(release.version for release in RUBY)):
        if version in tested:
            text, file, line = tested[version]
            rule = "the repository's own workflow tests with it"
            yield Candidate(version, file, line, text, rule, by=rules.WORKFLOW_RUBY)
            return
