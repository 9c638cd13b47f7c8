"""A rule of planning: one thing that the files of a commit say, and what follows from it."""

from __future__ import annotations

from dataclasses import dataclass
from types import ModuleType


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule with its id (`python.version.runtime-txt`) and the sentence that specifies it.

    The first part of an id is the ecosystem (or `any`), the second what the rule decides. A case in
    `tests/repos/` proves each rule: with the rule off, the case fails.
    """

    id: str
    says: str


def rules_in(module: ModuleType) -> tuple[Rule, ...]:
    """Return the rules that a module defines, in its order."""
    return tuple(value for value in vars(module).values() if isinstance(value, Rule))
