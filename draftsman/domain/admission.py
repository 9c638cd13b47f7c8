"""Whose repositories an instance serves."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Admission:
    """Whose repositories may be run: owners and OWNER/NAMEs in lower case, `*` for everybody.

    With an empty `allow` those of the installations that an administrator approved; `deny` wins.
    """

    allow: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()


EVERYBODY = Admission(allow=("*",))
