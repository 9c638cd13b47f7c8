"""What people did, and what must come of it: written down as it happens, for the oracle."""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.chaos.facts import TIERS, Wanted
from tests.github import Comment, Repository

ENDED = frozenset(("success", "failure", "neutral", "cancelled", "timed_out", "skipped", "action_required", "error"))


@dataclass
class Ledger:
    """The commits that were pushed, the commands that were given, and the repositories that are out of our reach."""

    wanted: dict[str, Wanted] = field(default_factory=dict)
    home: dict[str, Repository] = field(default_factory=dict)
    commands: list[Comment] = field(default_factory=list)
    gone: dict[int, Repository] = field(default_factory=dict)

    def expect(
        self,
        repository: Repository,
        sha: str,
        what: str,
        fast: str,
        full: str,
        *,
        ends: str | None = None,
        fast_lines: int = 0,
        full_lines: int = 0,
        may_be_superseded: bool = False,
    ) -> None:
        """Write down what GitHub must show of a commit's tiers, and as what its attempt `ends` (as both tiers do)."""
        self.home[sha] = repository
        self.wanted[sha] = Wanted(
            sha=sha,
            what=f"{what} in {repository.full_name}",
            ends=frozenset({ends or fast}),
            shown=dict(zip(TIERS, (fast, full), strict=True)),
            lines={tier: number for tier, number in zip(TIERS, (fast_lines, full_lines), strict=True) if number},
            may_be_superseded=may_be_superseded,
        )

    def lose(self, repository: Repository) -> None:
        """Write down that the App has no business with the repository any more: whatever runs there must end."""
        self.gone[repository.id] = repository
        for sha, home in self.home.items():
            if home is repository:
                known = self.wanted[sha]
                self.wanted[sha] = Wanted(sha, f"{known.what}, out of reach since", ENDED)
