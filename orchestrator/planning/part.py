"""What one ecosystem brings to a plan, and how planning asks it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from draftsman.domain.plan import ProfileOverrides, Toolchain, Tree
from orchestrator.planning.rule import Rule
from orchestrator.planning.trail import Trail
from orchestrator.planning.workflows import Workflows


@dataclass(frozen=True, slots=True)
class Question:
    """What an ecosystem is asked about.

    `manager` is one of its own managers that the profile asks for, else None. `forced` says that the
    profile's commands need this toolchain even if no file of the repository asks for it.
    """

    tree: Tree
    workflows: Workflows
    overrides: ProfileOverrides
    manager: str | None
    forced: bool


@dataclass(frozen=True, slots=True)
class CopiedProgram:
    """A tool that the image copies out of the official image of its makers: one file that needs no library."""

    image: str
    path: str


@dataclass(frozen=True, slots=True)
class Part:
    """An ecosystem's toolchain and commands. `apt` names Debian packages, `caches` the managers to cache.

    `steps` are commands that the image runs once its toolchain is there: each of words that passed a grammar.
    `env` holds variables that the image sets, as `NAME=value`.
    `also` are toolchains that its `steps` put into the image, beside its own.
    `programs` are tools that the image copies from images of their own.
    `needed` says that another ecosystem's setup needs the toolchain, even where this one has nothing to check.
    """

    toolchain: Toolchain
    manager: str
    setup: tuple[str, ...]
    fast: tuple[str, ...]
    full: tuple[str, ...]
    caches: tuple[str, ...]
    apt: tuple[str, ...] = ()
    steps: tuple[str, ...] = ()
    env: tuple[str, ...] = ()
    also: tuple[Toolchain, ...] = ()
    programs: tuple[CopiedProgram, ...] = ()
    needed: bool = False


@dataclass(frozen=True, slots=True)
class Ecosystem:
    """A language's planning: its name, its managers and command words, and `infer`.

    `portable` says that its toolchain runs after a copy into another image (Node's does; Python's is linked
    against the libraries of its own Debian release). `looked_for` names what `infer` looks for, for people.
    `reads` picks the files that `infer` reads out of a commit's paths. `rules` are all that `infer` follows.
    """

    name: str
    managers: tuple[str, ...]
    words: frozenset[str]
    portable: bool
    looked_for: str
    reads: Callable[[frozenset[str]], list[str]]
    infer: Callable[[Question, Trail], Part | None]
    rules: tuple[Rule, ...] = ()
