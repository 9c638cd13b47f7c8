"""What a check run says where nothing was run: why, and what to do. Pure."""

from __future__ import annotations

from bot.check_view import CheckView
from bot.markdown import code, escape
from draftsman.domain.plan import Evidence, Tier

APPROVED = "approved by "
"""How the title of an attempt begins that waited and was approved: another one runs the commit."""


def how_to_approve(view: CheckView) -> str:
    """Return what a maintainer does to let a commit run that waits for it."""
    sha = view.attempt.run.head_sha
    return (
        "Nothing of this commit was run yet. Somebody who may write to this repository reads the change first. "
        "Then:\n\n"
        "- press **Approve** on this check,\n"
        f"- or comment `/approve {sha}`{_on_the_pull_request(view)}.\n\n"
        "This lets exactly this commit run, without secrets. It covers no later commit."
    )


def why_it_does_not_run(view: CheckView) -> str:
    """Return what to do about an attempt that ended with nobody's result: approved, or never to be run."""
    attempt = view.attempt
    if (attempt.title or "").startswith(APPROVED):
        return "The commit was queued: newer checks of the same names tell how it did."
    sha = attempt.run.head_sha
    fetch = f"git fetch origin pull/{view.pull_number}/head && " if view.pull_number else ""
    return (
        "Nothing of this commit was run, and no approval lets it run here. Somebody who may write to this repository "
        "can read the change and push exactly this commit to a branch of it; then it is checked as theirs, and this "
        f"check is replaced:\n\n```sh\n{fetch}git push origin {sha}:refs/heads/reviewed-{sha[:7]}\n```"
    )


def not_asked(tier: Tier) -> str:
    """Return how a tier gets run that was left out."""
    return (
        f"**No {tier} command was run, so this says nothing about the change.** "
        f"To have them run, press **Re-run** here, or comment `/test {tier}` on the pull request."
    )


def looked_for(view: CheckView, tier: Tier) -> str:
    """Return why a tier has no commands, with what was looked at."""
    decided = [] if view.plan is None else [item for item in view.plan.evidence if _is_about(item, tier)]
    lines = [f"- {escape(item.rule)}{place(item)}" for item in decided[:20]]
    looked = "\n".join(["\n", "What was looked at:", "", *lines]) if lines else ""
    return (
        f"**No {tier} command was run, so this says nothing about the change.** Draftsman takes commands from the "
        "configuration of the tools that a repository uses (linters, type checkers, test runners, package scripts)."
        f"{looked}"
    )


def place(item: Evidence) -> str:
    """Return where the evidence was read, in brackets behind a space; empty where it was read nowhere."""
    if item.file is None:
        return ""
    return f" ({code(item.file if item.line is None else f'{item.file}:{item.line}')})"


def _is_about(item: Evidence, tier: Tier) -> bool:
    return str(tier) in item.decides.lower() or "looked" in item.rule


def _on_the_pull_request(view: CheckView) -> str:
    return f" on pull request {view.pull_number}" if view.pull_number else ""
