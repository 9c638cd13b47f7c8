"""What the page of a run shows: one attempt, read at one moment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from bot.dashboard.log_sections import LogSection
from draftsman.domain.finding import Finding
from draftsman.domain.outcome import ImageUsed
from draftsman.domain.plan import Plan
from draftsman.domain.run import Attempt, Ref
from draftsman.domain.waiting import Wait
from draftsman.store.artifacts import KeptArtifact
from draftsman.store.steps import StepRecord


@dataclass(frozen=True, slots=True)
class RunView:
    """An attempt as a person sees it. `now` is when it was read, in UTC.

    `page_url` is the path of the run's page: the attempts are at `<page_url>?attempt=<number>`, their whole
    logs at `<page_url>/<number>/log`. `server_url` is GitHub's, for links to the code. `attempts` are all of
    the run's, newest first. `refreshing` is False where the reader asked the page to hold still. `written`
    is what the job wrote for people, `artifacts` are the files that it left. `log_removed_at` is when the log was
    removed, by its age or because somebody had it removed. `wait` is why nobody executes it yet.
    """

    attempt: Attempt
    now: datetime
    page_url: str
    server_url: str = "https://github.com"
    refs: tuple[Ref, ...] = ()
    plan: Plan | None = None
    image: ImageUsed | None = None
    steps: tuple[StepRecord, ...] = ()
    findings: tuple[Finding, ...] = ()
    sections: tuple[LogSection, ...] = ()
    attempts: tuple[Attempt, ...] = ()
    timings: Mapping[str, float] = field(default_factory=dict)
    refreshing: bool = True
    written: str = ""
    artifacts: tuple[KeptArtifact, ...] = ()
    log_removed_at: datetime | None = None
    wait: Wait | None = None
