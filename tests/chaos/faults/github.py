"""GitHub that fails, is away, or changes under a run; and a clock that is wrong."""

from __future__ import annotations

import asyncio

from tests.chaos.fault import REACHED_WITHIN, Fault, NotProvokedError, Provocation, under_way
from tests.chaos.load import COUNTS
from tests.chaos.world import StuckError
from tests.github import Repository

ODDS = {
    "limited": 0.03,
    "too_many": 0.03,
    "broken": 0.1,
    "broken_after": 0.1,
    "reset": 0.1,
    "reset_after": 0.1,
    "slow": 0.2,
    "slow_seconds": 1.0,
}
OFF_SECONDS = 120.0


async def fails(one: Provocation) -> str:
    """Half of all requests fail (5xx, secondary limits, lost connections), before or after they are done."""
    github = one.world.github
    github.misbehave(one.luck.randrange(10**6), requests=ODDS)
    try:
        shas = [await one.people.prose(), await one.people.counted()]
        await asyncio.sleep(8)
    finally:
        github.faults.luck = None
    return f"{len(shas)} pushes, 8 s"


async def away(one: Provocation) -> str:
    """Nothing of GitHub answers, or nothing arrives: what is to be told waits."""
    line, way = one.world.to_github, one.variant("cut", "held")
    push = asyncio.create_task(one.people.counted())
    await asyncio.sleep(one.luck.uniform(0, 4))
    line.cut() if way == "cut" else line.hold()
    seconds = one.luck.uniform(4, 10)
    try:
        await asyncio.sleep(seconds)
    finally:
        line.mend()
    await push
    return f"{way} for {seconds:.0f} s"


async def git_fails(one: Provocation) -> str:
    """Fetches of a commit fail a few times."""
    home = await one.people.repository(COUNTS, "counts")
    faults, path = one.world.github.faults, rf"/{home.full_name}\.git/"
    if one.variant("5xx", "reset") == "5xx":
        faults.fail(502, path=path, times=2)
    else:
        faults.reset(path=path, times=2)
    await one.people.counted(home)
    return one.variant("5xx", "reset")


async def clock_off(one: Provocation) -> str:
    """Our clock is two minutes off, while an installation that is new needs a token and a worker is new."""
    github = one.world.github
    seconds = OFF_SECONDS if one.number % 2 else -OFF_SECONDS
    github.clock.advance(seconds)
    try:
        one.luck.choice(list(one.world.programs)).kill()
        newcomer = one.world.people(f"{one.people.name}-clock-{one.number}")
        sha = await newcomer.counted()
        await _ended(one, sha)
    finally:
        github.clock.advance(-seconds)
    return f"{seconds:+.0f} s"


async def _ended(one: Provocation, sha: str) -> None:
    async def has_ended() -> bool:
        query = "SELECT 1 FROM attempts a JOIN runs r ON r.id = a.run_id WHERE r.head_sha = $1 AND a.state = 'finished'"
        return bool(await one.world.rows(query, sha))

    try:
        await one.world.until("a run that has ended", has_ended, seconds=2 * REACHED_WITHIN)
    except StuckError as error:
        raise NotProvokedError(str(error)) from None


async def _midst(one: Provocation, owner: str) -> Repository:
    """Return a repository in which a run is under way."""
    sha, _ = await under_way(one, one.variant("running", "preparing"), owner=owner)
    return one.world.ledger.home[sha]


async def renamed(one: Provocation) -> str:
    """A repository gets another name while a run of it is under way: it is shown under the new one."""
    home = await _midst(one, one.people.name)
    await home.rename(f"{home.name}-renamed")
    await one.people.counted(home)
    return home.name


async def deleted(one: Provocation) -> str:
    """A repository is deleted while a run of it is under way: the run ends, and nobody asks for it any more."""
    home = await _midst(one, one.people.name)
    one.world.ledger.lose(home)
    await home.delete()
    return home.name


async def uninstalled(one: Provocation) -> str:
    """The App is taken off an account while a run is under way: the run ends, and nobody asks for it any more."""
    home = await _midst(one, f"{one.people.name}-leaves-{one.number}")
    one.world.ledger.lose(home)
    await one.world.github.installation(home).uninstall()
    return home.owner.login


FAULTS = (
    Fault("GitHub fails", "half of the requests fail or are answered too late", ("github",), fails, True),
    Fault("GitHub away", "nothing of GitHub answers for a while", ("github",), away),
    Fault("fetch fails", "git fetches of a commit fail", (), git_fails),
    Fault("clock two minutes off", "our clock is not GitHub's", ("clock", "worker", "serve"), clock_off, True),
    Fault("repository renamed", "a repository gets another name under a run", (), renamed, True),
    Fault("repository deleted", "a repository is deleted under a run", (), deleted),
    Fault("installation removed", "the App is taken off under a run", (), uninstalled, True),
)
