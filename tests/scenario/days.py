"""A day on GitHub, made up from a seed: who pushes, opens, comments and presses what, in which order. Pure.

A day has a few acts. Between two acts what happened is left to come to rest, so that a person can act on what GitHub
shows; within one, things happen as fast as they can. What ends differently by who is quicker is left out: nobody asks
for a plan while the branch moves, or cancels what may have ended.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from tests.scenario.scenes import MAIN, PLACES, RELEASE, Branch, Event, Head, Proposal, Scene

STRANGER = "passer-by"


@dataclass(frozen=True)
class Day:
    """The events in acts, and what names a commit in the end."""

    acts: tuple[tuple[Event, ...], ...]
    heads: tuple[Head, ...]


def make_day(seed: int, *, events: int = 200, acts: int = 4) -> Day:
    """Make up a day. The same seed makes the same day."""
    author = _Author(random.Random(f"day {seed}"))
    made = [tuple(author.act(events // acts)) for _ in range(acts)]
    return Day(tuple(made), tuple(author.heads()))


class _Author:
    def __init__(self, luck: random.Random) -> None:
        self._luck = luck
        self._numbers = 0
        self._scenes = [
            Scene(place, {name: Branch(name, commits=["first"]) for name in (MAIN, RELEASE)}) for place in PLACES
        ]
        self._acts: Sequence[tuple[int, Callable[[Scene], Event | None]]] = (
            (3, self._push),
            (3, self._new_branch),
            (3, self._force),
            (6, self._go_back),
            (3, self._delete),
            (3, self._tag),
            (10, self._open),
            (7, self._close),
            (12, self._reopen),
            (10, self._ready),
            (5, self._draft),
            (1, self._retitle),
            (2, self._base),
            (2, self._merge),
            (9, self._say),
            (12, self._steer),
            (12, self._rerun),
            (12, self._approve),
            (15, self._queue),
            (12, self._leave_queue),
            (1, self._rename),
        )

    def act(self, events: int) -> Iterator[Event]:
        for scene in self._scenes:
            scene.moved, scene.still, scene.kept = set(), set(), set()
        weights = [scene.place.weight for scene in self._scenes]
        for happens, name in self._openings():
            scene = next(scene for scene in self._scenes if scene.place.name == name)
            if (event := happens(scene)) is not None:
                events -= 1
                yield event
        while events:
            [scene] = self._luck.choices(self._scenes, weights)
            [happens] = self._luck.choices([kind for _, kind in self._acts], [weight for weight, _ in self._acts])
            if (event := happens(scene)) is not None:
                events -= 1
                yield event

    def _openings(self) -> Sequence[tuple[Callable[[Scene], Event | None], str]]:
        """What no day is without. First there has to be something, then somebody can act on what it shows."""
        begin = [(self._new_branch, "notes"), (self._open, "notes"), (self._new_branch, "queue"), (self._open, "queue")]
        begin += [(self._new_branch, "gate"), (self._open, "gate")] * 3
        begin += [(self._new_branch, "words"), (self._open, "words"), (self._new_branch, "open"), (self._open, "open")]
        go_on = [(self._approve, "gate"), (self._approve, "gate"), (self._queue, "queue"), (self._leave_queue, "queue")]
        go_on += [(self._push, "notes"), (self._rerun, "words"), (self._steer, "open"), (self._steer, "gate")]
        return go_on if self._numbers else begin

    def heads(self) -> Iterator[Head]:
        for scene in self._scenes:
            place = scene.place.name
            for branch in scene.branches.values():
                if branch.exists and not branch.is_fork and branch.commits != ["first"]:
                    withdrawn = branch.is_skipping and any(p.was_withdrawn for p in scene.named(branch))
                    yield Head("branch", place, branch.name, is_sure=not withdrawn)
            for pull in scene.pulls.values():
                of_branch = pull.branch.exists and not pull.branch.is_fork and not pull.branch.is_skipping
                runs = pull.is_open and not pull.is_draft
                yield Head("pull", place, pull.name, is_sure=runs or (of_branch and pull.is_open))
                if pull.queued == "waiting":
                    yield Head("group", place, pull.name)
            for tag in scene.tags:
                yield Head("tag", place, tag)

    def _one(self, found: Sequence[Branch]) -> Branch | None:
        return self._luck.choice(found) if found else None

    def _one_pull(self, found: Sequence[Proposal]) -> Proposal | None:
        return self._luck.choice(found) if found else None

    def _new(self, kind: str) -> str:
        self._numbers += 1
        return f"{kind}-{self._numbers}"

    @staticmethod
    def _costly(scene: Scene) -> bool:
        """Whether the repository has had its share: its checks need a container."""
        scene.costs += scene.place.has_checks
        return scene.costs > 8

    def _touch(self, scene: Scene, branch: Branch) -> None:
        scene.moved |= {branch, *scene.named(branch)}

    # Code.

    def _commit(self, scene: Scene, branch: Branch, *, kind: str, parent: str = "") -> Event | None:
        if self._costly(scene):
            return None
        self._touch(scene, branch)
        label = self._new("c")
        # Pull requests that come and go say differently on what is skipped, by who is quicker.
        may_skip = not branch.is_fork and not scene.named(branch) and branch.name not in (MAIN, RELEASE)
        branch.is_skipping = may_skip and not scene.place.has_checks and self._luck.random() < 0.12
        branch.commits.append(label)
        scene.skipped |= {label} if branch.is_skipping else set()
        message = "Words only [skip ci]" if branch.is_skipping else "Change"
        return Event(kind, scene.place.name, branch.name, label, message, parent)

    def _push(self, scene: Scene) -> Event | None:
        free = [*scene.free(), *scene.free(fork=True)]
        if scene.place.has_checks:
            free = [branch for branch in free if branch.name not in (MAIN, RELEASE)]
        branch = self._one(free)
        return None if branch is None else self._commit(scene, branch, kind="push")

    def _new_branch(self, scene: Scene) -> Event | None:
        is_fork = bool(scene.place.forks) and self._luck.random() < 0.8
        branch = Branch(self._new("fork-branch" if is_fork else "branch"), is_fork)
        event = self._commit(scene, branch, kind="push")
        if event is not None:
            scene.branches[branch.name] = branch
        return event

    def _force(self, scene: Scene) -> Event | None:
        free = [b for b in (*scene.free(), *scene.free(fork=True)) if b.name not in (MAIN, RELEASE)]
        branch = self._one(free)
        if branch is None:
            return None
        parent = self._luck.choice(["first", *branch.commits[:-1]])
        return self._commit(scene, branch, kind="push", parent=parent)

    def _go_back(self, scene: Scene) -> Event | None:
        """A branch names an earlier commit of its own again; one that was deleted is restored."""
        gone = [b for b in scene.branches.values() if not b.exists and b not in scene.still]
        moving = [b for b in (*scene.free(), *scene.free(fork=True)) if not b.is_skipping]
        branch = self._one([b for b in (*gone, *moving) if b.name not in (MAIN, RELEASE)])
        if branch is None or self._costly(scene):
            return None
        labels = branch.commits[:-1] if branch.exists else branch.commits[-1:]
        label = self._luck.choice([one for one in labels if one not in scene.skipped] or [""])
        if not label:
            return None
        self._touch(scene, branch)
        branch.exists = True
        branch.commits.append(label)
        return Event("point", scene.place.name, branch.name, label)

    def _delete(self, scene: Scene) -> Event | None:
        free = [b for b in (*scene.free(), *scene.free(fork=True)) if b.name not in (MAIN, RELEASE)]
        branch = self._one([b for b in free if not b.is_skipping and not set(scene.named(b)) & scene.kept])
        if branch is None or (scene.place.has_checks and self._is_last(scene, branch)):
            return None
        self._touch(scene, branch)
        branch.exists = False
        for pull in scene.named(branch):
            pull.was_withdrawn |= pull.is_open
            pull.is_open = False
        return Event("delete", scene.place.name, branch.name)

    @staticmethod
    def _is_last(scene: Scene, branch: Branch) -> bool:
        """Whether a day would have nothing left to show for what the checks of this repository print."""
        return not any(b.exists for b in scene.branches.values() if b.name not in (MAIN, RELEASE, branch.name))

    def _tag(self, scene: Scene) -> Event | None:
        found = [label for b in scene.branches.values() if not b.is_fork for label in b.commits]
        labels = [label for label in found if label not in scene.skipped | {"first"}]
        if not labels or self._costly(scene):
            return None
        tag = self._new("v")
        scene.tags.append(tag)
        return Event("tag", scene.place.name, tag, self._luck.choice(labels))

    # Pull requests.

    def _open(self, scene: Scene) -> Event | None:
        taken = {pull.branch for pull in scene.pulls.values() if pull.is_open}
        free = [b for b in (*scene.free(), *scene.free(fork=True)) if b.name not in (MAIN, RELEASE)]
        branch = self._one([b for b in free if b not in taken])
        if branch is None:
            return None
        is_draft = not branch.is_skipping and self._luck.random() < 0.25
        pull = Proposal(self._new("pull"), branch, is_draft=is_draft)
        scene.pulls[pull.name] = pull
        self._touch(scene, branch)
        return Event("open", scene.place.name, pull.name, text=branch.name, more="draft" if is_draft else "")

    def _changed(self, scene: Scene, kind: str, pull: Proposal | None, **more: str) -> Event | None:
        if pull is None:
            return None
        self._touch(scene, pull.branch)
        return Event(kind, scene.place.name, pull.name, **more)

    def _withdrawable(self, scene: Scene) -> list[Proposal]:
        return [p for p in scene.loose() if p not in scene.kept and not p.branch.is_skipping]

    def _close(self, scene: Scene) -> Event | None:
        pull = self._one_pull(self._withdrawable(scene))
        if pull is not None:
            pull.is_open, pull.was_withdrawn = False, True
        return self._changed(scene, "close", pull)

    def _reopen(self, scene: Scene) -> Event | None:
        taken = {pull.branch for pull in scene.pulls.values() if pull.is_open}
        found = [p for p in scene.loose(is_open=False) if p.branch.exists and p.branch not in taken]
        pull = self._one_pull(found)
        if pull is not None:
            pull.is_open = True
        return self._changed(scene, "reopen", pull)

    def _ready(self, scene: Scene) -> Event | None:
        pull = self._one_pull([p for p in scene.loose() if p.is_draft])
        if pull is not None:
            pull.is_draft = False
        return self._changed(scene, "ready", pull)

    def _draft(self, scene: Scene) -> Event | None:
        pull = self._one_pull([p for p in self._withdrawable(scene) if not p.is_draft])
        if pull is not None:
            pull.is_draft, pull.was_withdrawn = True, True
        return self._changed(scene, "draft", pull)

    def _retitle(self, scene: Scene) -> Event | None:
        return self._changed(scene, "retitle", self._one_pull(scene.loose()), text=self._new("title"))

    def _base(self, scene: Scene) -> Event | None:
        pull = self._one_pull([p for p in scene.loose() if p.base == MAIN and not p.queued])
        if pull is not None:
            pull.base = RELEASE
        return self._changed(scene, "base", pull, text=RELEASE)

    def _merge(self, scene: Scene) -> Event | None:
        found = [p for p in self._withdrawable(scene) if not p.is_draft]
        queued = any(p.queued == "waiting" for p in scene.pulls.values())
        pull = self._one_pull([p for p in found if scene.branches[p.base] not in scene.still])
        if pull is None or scene.place.has_checks or queued:
            return None
        pull.is_open, pull.is_merged = False, True
        self._touch(scene, scene.branches[pull.base])
        label = f"merge of {pull.name}"
        scene.branches[pull.base].commits.append(label)
        return self._changed(scene, "merge", pull, commit=label)

    # The merge queue.

    def _queue(self, scene: Scene) -> Event | None:
        found = [p for p in scene.loose() if not p.is_draft and not p.branch.is_skipping and p.base == MAIN]
        pull = self._one_pull([p for p in found if not p.queued])
        if not scene.place.has_queue or pull is None:
            return None
        pull.queued = "waiting"
        return self._changed(scene, "queue", pull)

    def _leave_queue(self, scene: Scene) -> Event | None:
        waiting = [p for p in scene.pulls.values() if p.queued == "waiting"]
        # What stands behind another one is merged anew: dictionaries keep no order of a queue, so one leaves alone.
        if len(waiting) != 1 or waiting[0] in scene.kept or scene.branches[MAIN] in scene.still:
            return None
        [pull] = waiting
        pull.queued = "left"
        self._touch(scene, pull.branch)
        if self._luck.random() < 0.5:
            return Event("dequeue", scene.place.name, pull.name)
        pull.is_open, pull.is_merged = False, True
        label = f"group of {pull.name}"
        scene.branches[MAIN].commits.append(label)
        self._touch(scene, scene.branches[MAIN])
        return Event("land", scene.place.name, pull.name, commit=label)

    # What people say and press.

    def _say(self, scene: Scene) -> Event | None:
        """A comment whose answer is the same whether the pull request moves or not."""
        pull = self._one_pull(scene.loose())
        if pull is None or self._costly(scene):
            return None
        said = ["/fix", "/help", "/draftsman tset", "> /test", "/fix\n\n/draftsman tset", "Nice."]
        runs = not pull.is_draft and not scene.place.is_gated and not pull.branch.is_skipping
        said += ["/test", "/test fast", "/test full"] * runs
        text, by = self._luck.choice(said), "octocat"
        if scene.strangers < 3 and self._luck.random() < 0.2:
            text, by = "/test", STRANGER
            scene.strangers += 1
        scene.kept.add(pull)
        return Event("comment", scene.place.name, pull.name, text=text, more=by)

    def _rest(self, scene: Scene, suits: Callable[[Proposal], bool] = lambda _: True) -> Proposal | None:
        pull = self._one_pull([pull for pull in scene.at_rest() if suits(pull)])
        if pull is not None and not self._costly(scene):
            scene.still |= {pull, pull.branch}
            scene.kept.add(pull)
            return pull
        return None

    def _steer(self, scene: Scene) -> Event | None:
        """A comment that asks for something about what GitHub shows."""
        said = ["/plan", "/logs", "/plan\n/help", "/approve {head}", "/approve", "/test"]
        pull = self._rest(scene)
        if pull is None:
            return None
        return Event("comment", scene.place.name, pull.name, text=self._luck.choice(said), more="octocat")

    def _approve(self, scene: Scene) -> Event | None:
        pull = self._rest(scene, lambda one: one.branch.is_fork and not one.is_draft) if scene.place.is_gated else None
        if pull is None:
            return None
        if self._luck.random() < 0.5:
            return Event("approve", scene.place.name, pull.name)
        return Event("comment", scene.place.name, pull.name, text="/approve {head}", more="octocat")

    def _rerun(self, scene: Scene) -> Event | None:
        pull = self._rest(scene, lambda one: not one.branch.is_skipping)
        if pull is None:
            return None
        return Event("rerun", scene.place.name, pull.name, text=self._luck.choice(["fast", "full", "all", "failed"]))

    def _rename(self, scene: Scene) -> Event | None:
        if scene.place.name not in ("words", "open") or scene.renamed >= 2:
            return None
        scene.renamed += 1
        return Event("rename", scene.place.name, text=f"{scene.place.name}-{scene.renamed}")
