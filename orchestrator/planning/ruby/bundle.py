"""Reads Gemfile, gemspecs and lock as text: which gems there are, and what they say of Ruby and Bundler.

A Gemfile is a program. Only plain lines of it are read; what it computes is left to Bundler.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from draftsman.domain.plan import Tree
from orchestrator.planning.documents import malformed, text_of
from orchestrator.planning.ruby import rules
from orchestrator.planning.trail import Trail

GEMFILES = ("Gemfile", "gems.rb")
MAX_LINES = 20_000
MAX_LINE = 500
"""Characters of a line that are read; longer ones are no lines of a person."""

MAX_GEMSPECS = 3

GEM = re.compile(r"[ \t]*gem[ \t(]+[\"']([A-Za-z0-9][A-Za-z0-9._-]{0,99})[\"']")
DEPENDENCY = re.compile(
    r"[ \t]*[a-z_]{1,20}\.add_(?:development_|runtime_)?dependency[ \t(]+[\"']([A-Za-z0-9][A-Za-z0-9._-]{0,99})[\"']"
)
REQUIREMENT = re.compile(
    r"[ \t]*+,[ \t]*+\[?[\"']((?:=|!=|>=?|<=?|~>)?[ \t]{0,3}[0-9][A-Za-z0-9.]{0,30})[\"']\]?[ \t]*+[)]?"
    r"[ \t]*+(?:if\b.*)?"
)
"""The only requirement of a gem; `gem install` takes no second one."""

EVALUATED = re.compile(r"[ \t]*eval_gemfile[ \t(]+[\"']([A-Za-z0-9_][A-Za-z0-9_./-]{0,99})[\"']")
GEMSPEC = re.compile(r"[ \t]*gemspec\b")
GROUP = re.compile(r"[ \t]*group[ \t(]+(:[A-Za-z_, :]{1,100})(?:,| )[ \t]*optional(?::|[ \t]*=>)[ \t]*true")
OPENS = re.compile(r"[ \t)]do(?:[ \t]{0,5}\|[^|]{0,50}\|)?$|^[ \t]*+(?:if|unless|case|begin|def)\b")
CLOSES = re.compile(r"[ \t]*end\b")
RUBY = re.compile(r"[ \t]*ruby[ \t(]+(.{1,300})")
COMMENT = re.compile(r"(?:^|[ \t])#.*")
LOCKED_GEM = re.compile(r" {4}([A-Za-z0-9][A-Za-z0-9._-]{0,99}) \(.{1,100}\)")
LOCKED_RUBY = re.compile(r" {3}ruby ([0-9.]{3,12}[0-9])(?:p[0-9]{1,4})?(?:\.[a-z0-9]+)?")
LOCKED_BUNDLER = re.compile(r" {2,3}([0-9]{1,2}(?:\.[0-9]{1,3}){1,2})")
CONFLICT = ("<<<<<<<", ">>>>>>>")


@dataclass(frozen=True, slots=True)
class Said:
    """Text that a file says of something, and where."""

    file: str
    line: int
    text: str


@dataclass(frozen=True, slots=True)
class Bundle:
    """What Gemfile, gemspecs and lock say. `gemfile` and `lock` are None where they are absent.

    `named` are the gems that Gemfile and gemspecs name, `locked` those of the lock, `optional` those of optional
    groups, by gem. `ruby` is what stands behind `ruby` in the Gemfile.
    """

    gemfile: str | None
    lock: str | None
    gemspecs: tuple[str, ...]
    named: frozenset[str]
    locked: frozenset[str]
    optional: dict[str, frozenset[str]]
    ruby: Said | None
    locked_ruby: Said | None
    bundler: Said | None
    platforms: frozenset[str]

    @property
    def default(self) -> bool:
        """Return whether Bundler finds the Gemfile without being told."""
        return self.gemfile in GEMFILES

    def has(self, gem: str, groups: frozenset[str] = frozenset()) -> bool:
        """Return whether the gem is installed, given the optional groups that are asked for.

        Without a lock, a gem such as `rspec-rails` tells that `rspec` comes with it.
        """
        if gem in self.optional and not self.optional[gem] & groups:
            return False
        if gem in self.locked or gem in self.named:
            return True
        return not self.locked and any(name.startswith(f"{gem}-") for name in self.named)

    def may_have(self, gem: str, groups: frozenset[str] = frozenset()) -> bool:
        """Return whether a workflow's word that the gem is there can be true: without a lock others may bring it."""
        kept_out = gem in self.optional and not self.optional[gem] & groups
        return self.has(gem, groups) or (self.lock is None and not kept_out)


def lock_of(gemfile: str) -> str:
    """Return the name of a Gemfile's lock."""
    return "gems.locked" if gemfile == "gems.rb" else f"{gemfile}.lock"


def read_bundle(tree: Tree, gemfile: str | None, trail: Trail) -> Bundle:
    """Return what the files say. Raises PlanError for a lock with a merge conflict, and for files too large."""
    gemspecs = tuple(sorted(path for path in tree.paths if path.endswith(".gemspec") and "/" not in path))[
        :MAX_GEMSPECS
    ]
    lock = lock_of(gemfile) if gemfile is not None and lock_of(gemfile) in tree.paths else None
    named: set[str] = set()
    optional: dict[str, frozenset[str]] = {}
    ruby: list[Said] = []
    for file in (gemfile, *_evaluated(tree, gemfile)) if gemfile else ():
        _read_gemfile(tree, file, named, optional, ruby)
    for file in gemspecs:
        for _, line in _lines(tree, file):
            if match := DEPENDENCY.match(line):
                named.add(match.group(1))
    sections = _sections(tree, lock, trail) if lock else {}
    locked = {match.group(1) for name in ("GEM", "PATH", "GIT") for match in _matches(sections, name, LOCKED_GEM)}
    return Bundle(
        gemfile=gemfile,
        lock=lock,
        gemspecs=gemspecs,
        named=frozenset(named),
        locked=frozenset(locked),
        optional=optional if trail.applies(rules.OPTIONAL_GROUP) else {},
        ruby=ruby[0] if ruby else None,
        locked_ruby=_said(lock, sections, "RUBY VERSION", LOCKED_RUBY),
        bundler=_said(lock, sections, "BUNDLED WITH", LOCKED_BUNDLER),
        platforms=frozenset(line.strip() for _, line in sections.get("PLATFORMS", ())),
    )


def named_gems(tree: Tree, gemspec: str) -> Iterator[tuple[str, str]]:
    """Yield the gems that a gemspec names in plain lines, each with its requirement where it has just one."""
    for _, line in _lines(tree, gemspec):
        if match := DEPENDENCY.match(line):
            requirement = REQUIREMENT.fullmatch(line[match.end() :])
            yield match.group(1), requirement.group(1) if requirement else ""


def _evaluated(tree: Tree, gemfile: str | None) -> list[str]:
    found = []
    for _, line in _lines(tree, gemfile or ""):
        match = EVALUATED.match(line)
        if match and match.group(1) in tree.contents and match.group(1) != gemfile:
            found.append(match.group(1))
    return found[:5]


def _read_gemfile(
    tree: Tree, file: str, named: set[str], optional: dict[str, frozenset[str]], ruby: list[Said]
) -> None:
    """Add what one Gemfile names. Gems inside of `group ..., optional: true do` are those of an optional group."""
    depth = 0
    inside: tuple[int, frozenset[str]] | None = None
    for number, line in _lines(tree, file):
        if match := GEM.match(line):
            named.add(match.group(1))
            if inside is not None:
                optional[match.group(1)] = inside[1]
        elif match := RUBY.match(line):
            ruby.append(Said(file, number, match.group(1).strip().rstrip(")").strip()))
        elif match := GROUP.match(line):
            inside = (depth, frozenset(re.findall(r"[A-Za-z_]+", match.group(1))))
        if OPENS.search(line.rstrip()):
            depth += 1
        elif CLOSES.match(line):
            depth -= 1
            if inside is not None and depth <= inside[0]:
                inside = None


def _lines(tree: Tree, file: str) -> Iterator[tuple[int, str]]:
    """Yield the lines of a file of Ruby, without comments, counted from 1."""
    for number, raw in enumerate((text_of(tree, file) or "").splitlines()[:MAX_LINES], start=1):
        if raw.strip() and len(raw) <= MAX_LINE:
            yield number, COMMENT.sub("", raw)


def _sections(tree: Tree, lock: str, trail: Trail) -> dict[str, list[tuple[int, str]]]:
    """Return the numbered lines below each heading of the lock."""
    sections: dict[str, list[tuple[int, str]]] = {}
    current: list[tuple[int, str]] = []
    for number, raw in enumerate((text_of(tree, lock) or "").splitlines()[:MAX_LINES], start=1):
        if raw.startswith(CONFLICT) and trail.applies(rules.CONFLICT):
            raise malformed(lock, number, "a merge conflict stands here. Resolve it, and run `bundle install`.")
        if raw[:1] not in ("", " "):
            current = sections.setdefault(raw.strip(), [])
        elif raw.strip() and len(raw) <= MAX_LINE:
            current.append((number, raw))
    return sections


def _matches(
    sections: dict[str, list[tuple[int, str]]], name: str, pattern: re.Pattern[str]
) -> Iterator[re.Match[str]]:
    for _, line in sections.get(name, ()):
        if match := pattern.fullmatch(line):
            yield match


def _said(
    lock: str | None, sections: dict[str, list[tuple[int, str]]], name: str, pattern: re.Pattern[str]
) -> Said | None:
    for number, line in sections.get(name, ()):
        if lock and (match := pattern.fullmatch(line)):
            return Said(lock, number, match.group(1))
    return None
