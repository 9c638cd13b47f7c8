"""Plays a day (`days.py`) on a GitHub stand-in, and tells what people see there in the end."""

from __future__ import annotations

import asyncio
import re
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field

from tests.github import CheckRun, Comment, Pull, Repository
from tests.scenario.conftest import EVENTS, World
from tests.scenario.days import Day
from tests.scenario.samples import WORDS, checks
from tests.scenario.scenes import MAIN, PLACES, RELEASE, Event, Head, Place

NOTES = 120
"""Annotations of a check run: more than GitHub takes at once."""

_PRINTS = (
    f'i=0; while [ $i -lt {NOTES} ]; do i=$((i+1)); echo "::warning file=notes.txt,line=$i::note $i"; done; exit 3'
)
_WITH_NOTES = checks(fast=_PRINTS) | {"notes.txt": "words\n" * NOTES}

RESTS_WITHIN = 240.0
"""Seconds."""

Seen = dict[str, object]
"""What people see, by what they look at; times, ids and the names of commits are those of the day's script."""


@dataclass
class Stage:
    """The repositories of a day in one world, and what its script calls things."""

    world: World
    repositories: dict[str, Repository] = field(default_factory=dict)
    forks: dict[str, Repository] = field(default_factory=dict)
    commits: dict[tuple[str, str], str] = field(default_factory=dict)
    pulls: dict[tuple[str, str], Pull] = field(default_factory=dict)
    comments: list[Comment] = field(default_factory=list)

    async def set(self) -> None:
        """Make the repositories, each of an owner of its own: what GitHub allows, it allows an installation."""
        for place in PLACES:
            files = _WITH_NOTES if place.has_checks else WORDS
            name = f"{place.name}-owner/{place.name}"
            private = not place.forks
            repository = await self.world.github.create_repository(name, private=private, files=files)
            first = await repository.git.head(MAIN)
            assert first is not None
            await repository.git.set_ref(f"refs/heads/{RELEASE}", first)
            self.repositories[place.name] = repository
            self.commits[place.name, "first"] = first
            if place.policy:
                await self.world.policy(name, **dict(place.policy))
            if place.forks:
                self.forks[place.name] = await self.world.github.fork(repository, place.forks)

    async def play(self, event: Event) -> None:
        """Do what the event says."""
        await getattr(self, f"_{event.kind}")(event)

    def _home(self, event: Event, branch: str) -> tuple[Repository, str]:
        """Return the repository that a branch is in, and who pushes there."""
        if branch.startswith("fork-"):
            return self.forks[event.place], place_of(event).forks
        return self.repositories[event.place], "octocat"

    def _pull(self, event: Event) -> Pull:
        return self.pulls[event.place, event.name]

    async def _push(self, event: Event) -> None:
        home, author = self._home(event, event.name)
        files = {f"{event.commit}.md": "words\n"}  # a file of its own: nothing conflicts
        parent = self.commits[event.place, event.more] if event.more else None
        sha = await home.commit(files, message=event.text, branch=event.name, parent=parent, author=author)
        self.commits[event.place, event.commit] = sha

    async def _point(self, event: Event) -> None:
        home, _ = self._home(event, event.name)
        await home.move_ref(f"refs/heads/{event.name}", self.commits[event.place, event.commit])

    async def _delete(self, event: Event) -> None:
        await self._home(event, event.name)[0].delete_branch(event.name)

    async def _tag(self, event: Event) -> None:
        await self.repositories[event.place].tag(event.name, self.commits[event.place, event.commit])

    async def _open(self, event: Event) -> None:
        home, author = self._home(event, event.text)
        self.pulls[event.place, event.name] = await self.repositories[event.place].open_pull(
            event.name, head=event.text, head_repository=home, author=author, draft=event.more == "draft"
        )

    async def _close(self, event: Event) -> None:
        await self._pull(event).close()

    async def _reopen(self, event: Event) -> None:
        await self._pull(event).reopen()

    async def _ready(self, event: Event) -> None:
        await self._pull(event).mark_ready()

    async def _draft(self, event: Event) -> None:
        await self._pull(event).convert_to_draft()

    async def _retitle(self, event: Event) -> None:
        await self._pull(event).retitle(event.text)

    async def _base(self, event: Event) -> None:
        await self._pull(event).edit_base(event.text)

    async def _merge(self, event: Event) -> None:
        self.commits[event.place, event.commit] = await self._pull(event).merge(by="octocat")

    async def _queue(self, event: Event) -> None:
        group = await self.repositories[event.place].queue_merge(self._pull(event))
        self.commits[event.place, f"group of {event.name}"] = group.head_sha

    async def _dequeue(self, event: Event) -> None:
        await next(g for g in self._pull(event).repository.merge_groups if g.reason is None).destroy()

    async def _land(self, event: Event) -> None:
        await next(g for g in self._pull(event).repository.merge_groups if g.reason is None).land()

    async def _rename(self, event: Event) -> None:
        await self.repositories[event.place].rename(event.text)

    async def _comment(self, event: Event) -> None:
        pull = self._pull(event)
        text = event.text.replace("{head}", pull.head_sha)
        self.comments.append(await pull.comment(text, author=event.more))

    async def _approve(self, event: Event) -> None:
        run = self.world.shown(self._pull(event).head_sha).get("fast")
        if run is not None and "approve" in [action["identifier"] for action in run.actions]:
            await self.world.github.press_button(run, "approve")

    async def _rerun(self, event: Event) -> None:
        github, pull = self.world.github, self._pull(event)
        if event.text == "all":
            await github.press_rerun_all(pull.repository, pull.head_sha)
        elif event.text == "failed":
            await github.press_rerun_failed(pull.repository, pull.head_sha)
        elif event.text in (shown := self.world.shown(pull.head_sha)):
            await github.press_rerun(shown[event.text])

    # What is to be seen.

    async def seen(self, day: Day) -> Seen:
        """Return what people see at the heads of which the day is sure, and under every comment."""
        found: Seen = {}
        for head in day.heads:
            if head.is_sure:
                sha = await self.head_of(head)
                shown = self.world.shown(sha)
                found[f"{head.kind} {head.name} of {head.place}, {self._said(sha)}"] = {
                    tier: self._check(shown[tier]) for tier in sorted(shown)
                }
        for number, comment in enumerate(self.comments):
            replies = [self._said(reply.body) for reply in self._replies(comment)]
            what = f"comment {number} on {comment.on.number} of {comment.repository.owner.login}: {comment.bodies[0]}"
            found[self._said(what)] = (comment.reactions, replies)
        return found

    async def head_of(self, head: Head) -> str:
        """Return the commit that it names."""
        repository = self.repositories[head.place]
        if head.kind == "pull":
            return self.pulls[head.place, head.name].head_sha
        if head.kind == "group":
            return self.commits[head.place, f"group of {head.name}"]
        sha = await repository.git.head(f"refs/{'tags' if head.kind == 'tag' else 'heads'}/{head.name}")
        assert sha is not None
        return sha

    def _check(self, run: CheckRun) -> tuple[object, ...]:
        notes = sorted(str(note["message"]) for note in run.annotations)
        return run.status, run.conclusion, self._said(run.title or ""), len(notes), notes[:2]

    def _replies(self, comment: Comment) -> list[Comment]:
        written = self.world.github.comments(comment.repository, comment.on.number)
        return [one for one in written if one.by_app and one.body.rstrip().endswith(f":{comment.id} -->")]

    def _said(self, text: str) -> str:
        text = text.replace(self.world.product.address, "HOME")
        text = re.sub(r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", "ID", text)
        for (_, label), sha in self.commits.items():
            text = text.replace(sha, f"<{label}>").replace(sha[:7], f"<{label}>")
        text = re.sub(r"reply:\d+", "reply:N", text)
        text = re.sub(r"attempt[ =]\d+", "attempt N", text)
        return re.sub(r"\b\d+(\.\d+)? (m?s)\b", r"N \2", text)

    # What must never be.

    async def wrongs(self, *, all_known: bool = True) -> list[str]:
        """Return in sentences what must not be at the end of any day; `all_known`: no delivery was forgotten."""
        unknown = [text async for text in self._unknown()] if all_known else []
        return [*self._wrong_checks(), *self._wrong_comments(), *[text async for text in self._wrong_rows()], *unknown]

    def _wrong_checks(self) -> Iterator[str]:
        runs = self.world.github.check_runs()
        for run in runs:
            name = f"check run {run.name} of {self._said(run.head_sha)} ({run.external_id}, {run.title})"
            if run.status != "completed":
                yield f"unfinished: {name}"
            notes = Counter((note["path"], note["start_line"], note["message"]) for note in run.annotations)
            if any(number > 1 for number in notes.values()):
                yield f"annotations that are doubled: {name}"
        # What says that somebody has to act stays as it was, and gives way to another check run once somebody did.
        told = Counter((run.external_id, run.conclusion == "action_required") for run in runs)
        yield from (f"{number} check runs of {of}" for of, number in told.items() if number > 1)

    def _wrong_comments(self) -> Iterator[str]:
        ours = [one for one in self.world.github.comment_history() if one.by_app]
        known = 0
        for comment in self.comments:
            replies = self._replies(comment)
            known += len(replies)
            if len(replies) > 1:
                yield f"{len(replies)} replies to {comment.body!r}"
            if len(comment.reacted) != len(set(comment.reactions)):
                yield f"reactions {comment.reactions} under {comment.body!r}"
        if known != len(ours):
            yield f"{len(ours) - known} comments that answer nothing"

    async def _wrong_rows(self) -> AsyncIterator[str]:
        rows = await self.world.rows(
            "SELECT r.head_sha, a.state, a.title FROM attempts a JOIN runs r ON r.id = a.run_id "
            "WHERE a.state NOT IN ('finished', 'waiting') OR (a.state = 'waiting' "
            "AND NOT EXISTS (SELECT FROM run_refs n WHERE n.run_id = r.id AND n.is_current))"
        )
        for row in rows:
            yield f"an attempt on {self._said(row['head_sha'])} is {row['state']}: {row['title']}"
        for violation in self.world.github.violations:
            yield f"GitHub would refuse: {violation}"

    async def _unknown(self) -> AsyncIterator[str]:
        known = {row["guid"] for row in await self.world.rows("SELECT guid FROM deliveries")}
        for delivery in self.world.github.deliveries:
            if delivery.event in EVENTS and delivery.guid not in known:
                yield f"delivery {delivery.guid} ({delivery.event}) is not known"


async def at_rest(world: World) -> None:
    """Wait until nothing is left to do: every event is seen to, every attempt ended, everything told."""
    deadline = time.monotonic() + RESTS_WITHIN
    while time.monotonic() < deadline:
        await world.settled(RESTS_WITHIN)
        if not await world.rows("SELECT 1 FROM attempts WHERE state NOT IN ('finished', 'waiting') LIMIT 1"):
            # What ended the last attempt may still have to be told.
            return await world.settled(RESTS_WITHIN)
        await asyncio.sleep(0.2)
    raise AssertionError(f"attempts do not end\n{world.product.log()[-6000:]}")


def place_of(event: Event) -> Place:
    """Return where it happens."""
    return next(place for place in PLACES if place.name == event.place)
