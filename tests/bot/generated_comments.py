"""Comments generated of the grammar of commands and of what people write around it, and what becomes of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from random import Random
from typing import Any

from bot.commands import Command, Scope, Unclear, Verb, parse
from bot.replies import is_reply_to
from draftsman.domain.run import Conclusion
from draftsman.store import attempts, leases
from draftsman.store.database import Pool
from tests.bot.reporting import PUBLIC_URL
from tests.bot.test_replies import links, notifies
from tests.bot.work import OWNER, Work, make_findings, make_plan
from tests.github import Comment, GitHubStandIn, Pull

HOSTILE = "@octocat see #12, GH-12, https://evil.example and www.evil.example [x](http://evil) <img src=x> \u202e\x00`"

NAMES = (*Verb, "run", "tset", "Aprove", "deploy", "TEST", "help!", "", "ÿ", "😀", "@octocat", "#12")
ARGUMENTS = (
    "fast",
    "full",
    "merge",
    "fsat",
    "all",
    "please",
    "abcdef1",
    "abc",
    "0" * 40,
    "a" * 64,
    "@octocat",
    "-",
    "|",
)
TEXTS = (
    *("", "text", "Thanks, @octocat!", "see #12", "`code` and ``more", "a | b", "# heading", "---", "- item", "1. one"),
    *("> quoted", "    indented", "\tindented", "```", "~~~~", "<!-- hidden", "-->", "<pre>", "</pre>", "<details>"),
    *(HOSTILE, "\ud800", "\x00", "\u2028/test\u2028", "😀" * 50, "x" * 3_000, "/lgtm", "/path/to/test", "* * *", "\\`"),
)
WRITERS, READERS, BOTS = ("octocat", "maintainer"), ("stranger", "x" * 39, "octo_acme", "triager"), ("renovate[bot]",)


@dataclass(frozen=True)
class Stage:
    """Pull requests that stand in all sorts of ways."""

    pulls: Mapping[str, Pull]


@asynccontextmanager
async def staged(github: GitHubStandIn, pool: Pool[Any]) -> AsyncIterator[Stage]:
    """The pull requests, with a worker at work until the end."""
    await pool.execute("INSERT INTO policies (repo, approval) VALUES ('acme/allowed', 'open')")
    pulls = dict([await opened(github, name) for name in ("own", "draft", "closed", "fork", "allowed", "gone")])
    working = asyncio.create_task(work(pool))
    try:
        yield Stage(pulls)
        assert not working.done(), working.exception()
    finally:
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)


async def opened(github: GitHubStandIn, name: str) -> tuple[str, Pull]:
    """A pull request of a repository of its own."""
    base = await github.create_repository(f"acme/{name}", private=False, files={"a.py": "x = 1\n"})
    base.set_permission("maintainer", "maintain")
    base.set_permission("triager", "triage")
    is_fork = name in ("fork", "allowed", "gone")
    head = await github.fork(base, "stranger") if is_fork else base
    await head.commit({"a.py": "x = 2\n"}, branch="feature")
    author = "stranger" if is_fork else "octocat"
    head_repository = head if is_fork else None
    pull = await base.open_pull(
        "Two", head="feature", head_repository=head_repository, author=author, draft=name == "draft"
    )
    if name == "closed":
        await pull.close()
    if name == "gone":
        await head.delete()
    return name, pull


async def work(pool: Pool[Any]) -> None:
    """Do every attempt that is queued, some of them for a while, until cancelled."""
    random = Random(1)
    while True:
        attempt = await leases.claim(pool, owner=OWNER, lease_seconds=60, per_repository=8)
        if attempt is None:
            await asyncio.sleep(0.05)
            continue
        job = Work(pool, attempt)
        await job.plan(make_plan(setup=HOSTILE, fast=(HOSTILE,), full=("pytest",)))
        await job.sandbox()
        await job.step("fast-1", 1, HOSTILE.encode())
        await asyncio.sleep(random.choice((0, 0, 0.3)))
        ended = Conclusion.CANCELLED if await attempts.cancels_asked(pool, [attempt.id]) else Conclusion.FAILURE
        await job.finish(ended, HOSTILE, HOSTILE, make_findings(2))


@dataclass(frozen=True)
class Said:
    """One comment, and the commands that are read in it; `is_author` says whether the pull request is its author's."""

    number: int
    place: str
    comment: Comment
    commands: Sequence[Command | Unclear]
    is_author: bool


async def say(stage: Stage, random: Random, number: int) -> Said:
    """Write a comment on one of the pull requests."""
    place = random.choice(list(stage.pulls))
    pull = stage.pulls[place]
    author = random.choice((*WRITERS, *WRITERS, *READERS, *BOTS))
    body = text(random)
    comment = await pull.comment(body, author=author)
    # As it goes over the wire, and as Postgres can keep it.
    read = body.encode(errors="replace").decode().replace("\x00", "\ufffd")
    return Said(number, place, comment, parse(read), author == pull.user.login)


def text(random: Random) -> str:
    """Commands among other things, or inside of them."""
    lines = [line(random) for _ in range(random.choice((1, 1, 2, 4, 8)))]
    between = random.choice(("\n", "\n\n", "\r\n", "\r\n\r\n"))
    return between.join(lines) or " "


def line(random: Random) -> str:
    if random.randrange(2):
        return random.choice(TEXTS)
    begin = random.choice(("/draftsman ", "/draftsman ", "/", "/Draftsman\t", "> /", "    /", "- /"))
    words = [random.choice(NAMES), *random.sample(ARGUMENTS, random.choice((0, 0, 0, 1, 1, 2)))]
    return random.choice(("", "", "  ")) + begin + " ".join(words) + random.choice(("", "", "  "))


ALWAYS = frozenset((Verb.HELP, Verb.PLAN, Verb.LOGS, Verb.CANCEL))
"""What whoever may write can do wherever a pull request stands."""


def misread(said: Said) -> list[str]:
    """What is wrong with what became of a comment, once all is done."""
    comment = said.comment
    everything = [one for one in comment.on.comments if one.by_app]
    replies = [one for one in everything if is_reply_to(one.body, comment.id)]
    wrong = [f"{len(replies)} replies"] if len(replies) > 1 else []
    if not said.commands or comment.author in BOTS:
        return wrong + ([f"an answer to nothing: {comment.reactions}"] if comment.reactions or replies else [])
    if comment.reactions not in (["eyes", "rocket"], ["eyes", "confused"]):
        return [*wrong, f"the reactions {comment.reactions}"]
    is_done = comment.reactions[1] == "rocket"
    wanted = expected(said)
    if wanted is not None and is_done is not wanted:
        wrong.append(f"the reaction {comment.reactions[1]}")
    if not is_done and not replies and comment.author in WRITERS:
        wrong.append("no word of why it is not done")
    for one in replies:
        wrong += [f"it was edited {len(one.bodies) - 1} times"] if len(one.bodies) > 1 else []
        wrong += [f"{found} in the answer" for found in notifies(one.body)]
        wrong += [f"the link {found}" for found in links(one.body) if not found.startswith(f"{PUBLIC_URL}/runs/")]
        wrong += ["no command was explained"] if len(one.body) > 65_536 else []
    return wrong


def expected(said: Said) -> bool | None:
    """Whether all is done that was asked for, None where that depends on when it was asked."""
    if any(isinstance(one, Unclear) for one in said.commands):
        return False
    verbs = {one.verb for one in said.commands if isinstance(one, Command)}
    if Verb.FIX in verbs:
        return False
    if said.comment.author in WRITERS:
        if said.place in ("own", "draft", "closed") and Verb.APPROVE in verbs:
            return False  # there is nothing to approve
        return True if verbs <= ALWAYS else _may_run(said, verbs)
    if verbs <= {Verb.HELP}:
        return True
    return None if said.is_author else False


def _may_run(said: Said, verbs: set[Verb]) -> bool | None:
    if said.place == "closed" and Verb.TEST in verbs:
        return False
    is_merge = any(isinstance(one, Command) and one.scope is Scope.MERGE for one in said.commands)
    is_plain = verbs <= ALWAYS | {Verb.TEST, Verb.REBUILD} and not is_merge
    return True if is_plain and said.place in ("own", "draft", "allowed") and Verb.CANCEL not in verbs else None
