"""`draftsman plan`: what would run, and why. Builds and runs nothing."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from uuid import uuid4

from draftsman import resources
from draftsman.ansi import harmless
from draftsman.cli import target, terminal
from draftsman.cli.home import prepare_home
from draftsman.domain.plan import ProfileOverrides
from draftsman.settings import Settings
from orchestrator.hinted_tree import read_tree
from orchestrator.images.build import BuildSettings
from orchestrator.images.ensure import name_image, visible
from orchestrator.images.key import default_platform
from orchestrator.images.runner_layer import read_runner_layer
from orchestrator.planner import Planner
from orchestrator.planning.explain import explain, lines
from orchestrator.source import Mirrors
from orchestrator.tree_objects import Commit, digest


async def plan(settings: Settings, where: str, *, sha: str | None, as_json: bool) -> int:
    """Print the plan of one commit. Returns the exit code of the command."""
    meant = await target.resolve(where, sha)
    mirror = Mirrors(prepare_home(settings) / "mirrors").of(meant.identity)
    holder = str(uuid4())
    await mirror.fetch(meant.remote, meant.sha, holder)
    try:
        tree = await read_tree(mirror, meant.sha, repo_file_from=meant.sha)
    finally:
        await mirror.release(holder)
    planner = Planner()
    try:
        made = await planner.plan(
            tree,
            repo=meant.repo,
            overrides=ProfileOverrides(),
            templates=resources.dockerfile_templates(),
            image_prefix=settings.image_prefix,
            ca_bundle=settings.ca_bundle is not None,
        )
    finally:
        await planner.close()
    build = BuildSettings(ca_bundle=settings.read_ca_bundle(), image_prefix=settings.image_prefix)
    seen = await visible(made, Commit(mirror.folder, meant.sha))
    tag, _ = name_image(
        read_runner_layer(), meant.repo, made, build, platform=default_platform(), context_digest=digest(seen)
    )
    if as_json:
        print(json.dumps(explain(made, tag, repo=meant.repo, sha=meant.sha), indent=2))
    else:
        shown = terminal.console()
        for line, style in styled(lines(made, tag)):
            shown.print(harmless(line), markup=False, style=style)
    return 0


def styled(written: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yield each line of a plan with its style on a terminal: what was decided stands out from the reasons for it."""
    heading = ""
    for line in written:
        if line.startswith("    "):
            yield line, "dim"
        elif line.startswith("  "):
            yield line, "yellow" if heading == "Warnings" else ""
        else:
            heading = line
            yield line, "bold"
