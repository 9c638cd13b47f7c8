"""What an attempt tests: its commit, or the merge of it into its base; and what that changes, against what."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, replace

from draftsman.domain.errors import DiskFullError, DraftsmanError, SourceError
from draftsman.domain.plan import Evidence, Plan, Tree
from draftsman.domain.run import Naming, RefKind
from orchestrator.filters import filtered_out, marker_in
from orchestrator.findings import ChangedLines, changed_lines
from orchestrator.git import GitError
from orchestrator.hinted_tree import read_tree
from orchestrator.history import changed_files, fetched_base, fetched_branch, merge_bases, message_of
from orchestrator.merging import merge
from orchestrator.order import Order
from orchestrator.source import Mirror

log = logging.getLogger(__name__)

_FETCHED_AGAIN_AFTER = (1.0, 2.0, 4.0, 8.0)
"""Seconds."""

_MOST_NAMINGS = 20
"""Refs of one commit whose changes are looked at."""


@dataclass(frozen=True, slots=True)
class Tested:
    """The commit that is tested, and the tree that it is planned from."""

    sha: str
    tree: Tree


async def fetch_tested(order: Order, mirror: Mirror) -> Tested:
    """Fetch the commit, merge it where the order says so, and return what is tested.

    A damaged mirror is made anew, once; a remote that is away for a moment, or that moved, is asked again. Raises as
    `Mirror.fetch` and `merge` do.
    """
    for pause in _FETCHED_AGAIN_AFTER:
        try:
            return await _mended(order, mirror)
        except SourceError as error:
            if not error.transient:
                raise
            log.warning("attempt %s: fetched again in %.0f s: %s", order.id, pause, error)
        await asyncio.sleep(pause)
    return await _mended(order, mirror)


async def _mended(order: Order, mirror: Mirror) -> Tested:
    copy = mirror.copy()
    try:
        return await _fetch(order, mirror)
    except (GitError, OSError) as error:
        if mirror.has_no_room():
            raise DiskFullError(mirror.folder.parent) from error  # a copy made anew would find no room either
        if isinstance(error, OSError):
            raise
        log.warning("the mirror of %s is damaged and made anew: %s %s", order.repo, error, error.detail)
    await mirror.set_aside(copy)
    return await _fetch(order, mirror)


async def _fetch(order: Order, mirror: Mirror) -> Tested:
    remote = await order.remote()
    await mirror.fetch(remote, order.sha, order.id)
    tested, base = order.sha, None
    if order.merge_into is not None:
        await mirror.fetch(remote, order.merge_into, _base_of(order))
        await mirror.tree(order.sha, lambda _: [])  # a tree that unfolds to far too many files is refused, not merged
        tested = await merge(mirror, order.sha, order.merge_into, into=order.base_branch or "its base")
        await mirror.hold(tested, order.id)
    if not order.trusted:
        base = await fetched_base(mirror, remote, order.merge_into or order.base_sha, _base_of(order))
    decides = tested if order.trusted else base
    tree = await read_tree(mirror, tested, repo_file_from=decides, dockerfile=order.overrides.dockerfile)
    return Tested(tested, tree)


def _base_of(order: Order) -> str:
    """Return the name under which the mirror keeps the base's commit for this run."""
    return f"{order.id}-base"


def of_merge(order: Order, tested: str, plan: Plan) -> Plan:
    """Return the plan with the evidence that a merge is tested, where one is."""
    if order.merge_into is None or any(one.decides == "commit" for one in plan.evidence):
        return plan
    where = f"{order.base_branch or 'its base'} at {order.merge_into[:7]}"
    note = Evidence("commit", None, None, f"merged into {where}", f"tested as merged into {where}, as commit {tested}")
    return replace(plan, evidence=(note, *plan.evidence))


async def skipped_by_marker(order: Order, mirror: Mirror) -> str | None:
    """Return why the commit's own message asks for no run, as a title, or None."""
    if not order.skip_markers:
        return None
    try:
        marker = marker_in(await message_of(mirror, order.sha), order.skip_markers)
    except GitError:
        return None
    return None if marker is None else f"skipped: the commit message has {marker}"


async def skipped_by_filters(order: Order, mirror: Mirror, plan: Plan) -> str | None:
    """Return why the plan's path filters leave the change out, as a title, or None."""
    paths, paths_ignore = plan.profile.paths, plan.profile.paths_ignore
    if not order.filtered or not (paths or paths_ignore) or len(order.namings) > _MOST_NAMINGS:
        return None
    changes = [
        await _files_since(order, mirror, base, number)
        for number, base in enumerate(base for naming in order.namings for base in _bases(naming, order.default_branch))
    ]
    return await asyncio.to_thread(filtered_out, changes, paths, paths_ignore)


@dataclass(frozen=True, slots=True)
class _Branch:
    """The newest commit of a branch, to see a change against."""

    name: str


def _bases(naming: Naming, default_branch: str) -> list[str | _Branch | None]:
    """Return what a ref's change is seen against.

    A branch that leads to the default one is seen against that as well: its newest push may change little, and the run
    stands for all of it, be it in a pull request that is opened a moment later.
    """
    if naming.ref.kind is not RefKind.BRANCH or naming.ref.name == default_branch or not default_branch:
        return [naming.base_sha]
    pushed = [naming.base_sha] if naming.base_sha and naming.base_sha.strip("0") else []
    return [*pushed, _Branch(default_branch)]


async def _files_since(order: Order, mirror: Mirror, base: str | _Branch | None, number: int) -> frozenset[str] | None:
    name = f"{order.id}-seen-{number}"
    try:
        remote = await order.remote()
        if isinstance(base, _Branch):
            found = await fetched_branch(mirror, remote, base.name, name)
        else:
            found = await fetched_base(mirror, remote, base, name)
    except DraftsmanError as error:
        log.warning("attempt %s: its filters do not count, since its base was not fetched: %s", order.id, error)
        return None
    return None if found is None else await changed_files(mirror, found, order.sha)


async def lines_changed(order: Order, mirror: Mirror, tested: str) -> ChangedLines | None:
    """Return the lines that the change touched since it left its base, else since its parent; None where unknown.

    They say which findings come first, no more: nothing that goes wrong here is raised.
    """
    try:
        diff = await mirror.diff(await _left_at(order, mirror), tested)
        return None if diff is None else await asyncio.to_thread(changed_lines, diff)
    except Exception:
        log.exception("attempt %s: what it changed was not found out", order.id)
        return None


async def _left_at(order: Order, mirror: Mirror) -> str | None:
    if order.merge_into is not None:
        return order.merge_into
    if order.base_sha is None:
        return None
    try:
        base = await fetched_base(mirror, await order.remote(), order.base_sha, _base_of(order))
    except DraftsmanError as error:
        log.warning("attempt %s: its base was not fetched: %s", order.id, error)
        return None
    found = [] if base is None else await merge_bases(mirror, base, order.sha)
    return next((sha for sha in found if sha != order.sha), None)
