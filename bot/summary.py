"""The body of a check run as a reviewer reads it: what failed, the steps, the image, and why. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from bot.check_view import CheckView
from bot.duration import duration
from bot.markdown import code, escape, fence, fit, plain, size, table
from bot.verdict import Verdict, count
from draftsman.domain.finding import Finding, Level
from draftsman.domain.plan import Evidence, Plan, Tier
from draftsman.domain.run import Conclusion, RefKind, RunState
from draftsman.store.steps import StepRecord

LIMIT = 65_535
"""GitHub's cap on summary and text; ours is in bytes."""

SHOWN_FINDINGS = 10

_MARKS = {
    "passed": "✅",
    "failed": "❌",
    "may fail": "⚠️",
    "running": "🔵",
    "not run": "⚪",
    "stopped": "⏹️",
    "waiting": "⚪",
}
_LEVELS = {Level.FAILURE: "❌", Level.WARNING: "⚠️", Level.NOTICE: "ℹ️"}


def summary(view: CheckView, tier: Tier, verdict: Verdict, findings: tuple[Finding, ...], *, most: int) -> str:
    """Return the summary in Markdown, at most `LIMIT` bytes. `most` is how many findings become annotations."""
    parts = [
        _opening(view, tier, verdict),
        _findings(findings, most=most),
        "" if verdict.conclusion == "neutral" else _steps(view, tier),
        _written(view),
        _image(view),
        warnings(view.plan),
        evidence(view.plan),
        _links(view),
    ]
    kept: list[str] = []
    room = LIMIT
    for part in filter(None, parts):
        room -= size(part) + 2
        if room < 0:
            break
        kept.append(part)
    return "\n\n".join(kept)


def _opening(view: CheckView, tier: Tier, verdict: Verdict) -> str:
    attempt = view.attempt
    if attempt.state is RunState.WAITING:
        return _how_to_approve(view)
    if verdict.status != "completed":
        return f"**{escape(verdict.title)}**"
    heading = f"### {_headline(view, tier, verdict)}"
    if verdict.title.startswith("not run") and tier is Tier.FULL:
        return f"{heading}\n\nFull checks come after the fast ones: see **Draftsman / fast** for what to fix first."
    if verdict.conclusion == "neutral":
        return f"{heading}\n\n{_looked_for(view, tier)}"
    explained = verdict.conclusion != "success" and attempt.detail
    return f"{heading}\n\n{_explanation(attempt.detail or '')}" if explained else heading


def _headline(view: CheckView, tier: Tier, verdict: Verdict) -> str:
    culprit = view.culprit
    if verdict.conclusion == "failure" and culprit and culprit.tier in (Tier.SETUP, tier) and not view.attempt.detail:
        where = "Setup failed: " if culprit.tier is Tier.SETUP else ""
        return f"{where}{code(culprit.command)} failed (exit {culprit.exit_code})"
    return escape(verdict.title[:1].upper() + verdict.title[1:])


def _explanation(detail: str) -> str:
    """Return a sentence as prose; anything longer may be a program's output, and is fenced."""
    shown = plain(detail).strip()
    return escape(shown, 1_000) if "\n" not in shown and size(shown) <= 1_000 else fence(shown, 16_000)


def _how_to_approve(view: CheckView) -> str:
    sha = view.attempt.run.head_sha
    number = next((ref.name for ref in view.refs if ref.kind is RefKind.PULL_REQUEST), None)
    fetch = f"git fetch origin pull/{number}/head && " if number and number.isdecimal() else ""
    return (
        "### Nothing was run: this commit comes from a fork\n\n"
        "Somebody who may write to this repository has to read the change first. Then push exactly this commit "
        "to a branch of this repository; it is checked as yours, and this check is replaced:\n\n"
        f"```sh\n{fetch}git push origin {sha}:refs/heads/approved-{sha[:7]}\n```"
    )


def _looked_for(view: CheckView, tier: Tier) -> str:
    decided = [] if view.plan is None else [item for item in view.plan.evidence if _is_about(item, tier)]
    lines = [f"- {escape(item.rule)}{_place(item)}" for item in decided[:20]]
    looked = "\n".join(["\n", "What was looked at:", "", *lines]) if lines else ""
    return (
        f"**No {tier} command was run, so this says nothing about the change.** Draftsman takes commands from the "
        "configuration of the tools that a repository uses (linters, type checkers, test runners, package scripts)."
        f"{looked}"
    )


def _is_about(item: Evidence, tier: Tier) -> bool:
    return str(tier) in item.decides.lower() or "looked" in item.rule


def _place(item: Evidence) -> str:
    if item.file is None:
        return ""
    return f" ({code(item.file if item.line is None else f'{item.file}:{item.line}')})"


def _findings(findings: tuple[Finding, ...], *, most: int) -> str:
    if not findings:
        return ""
    lines = [_finding(found) for found in findings[:SHOWN_FINDINGS]]
    left = len(findings) - SHOWN_FINDINGS
    if left > 0:
        lines.append(f"- and {left} more below" if len(findings) <= most else f"- and {left} more")
    if len(findings) > most:
        lines.append(f"\n{most} of {len(findings)} findings are shown at their lines; the log has them all.")
    return "\n".join(lines)


def _finding(found: Finding) -> str:
    title = f" **{escape(found.title, 100)}**" if found.title and found.title not in found.message else ""
    place = code(f"{found.path}:{found.line}")
    return f"- {_LEVELS[found.level]} {place}{title} {escape(found.message, 300)}"


def _steps(view: CheckView, tier: Tier) -> str:
    shown = [*view.of(Tier.SETUP), *view.of(tier)]
    if not shown:
        return ""
    finished = view.attempt.state is RunState.FINISHED
    return table(("", "step", "command", "result", "time"), (_step(step, finished) for step in shown), 20_000)


def _step(step: StepRecord, finished: bool) -> tuple[str, ...]:
    if step.state == "finished":
        mark, result = ("passed", "passed") if step.exit_code == 0 else ("failed", f"exit {step.exit_code}")
        if step.exit_code != 0 and step.may_fail:
            mark, result = "may fail", f"exit {step.exit_code}, may fail"
    elif step.state == "running":
        mark = result = "stopped" if finished else "running"
    else:
        mark = result = "not run" if finished else "waiting"
    seconds = "" if step.seconds is None else duration(step.seconds)
    return (_MARKS[mark], step.id, code(step.command), result, seconds)


def _written(view: CheckView) -> str:
    """Return what the job wrote for people, quoted: so that nobody takes it for what Draftsman says."""
    text = plain(view.written).strip()
    if not text:
        return ""
    shown = escape(text, 8_000)
    quoted = "\n".join(f"> {line}" for line in shown.splitlines())
    return f"The checks wrote:\n\n{quoted}"


def _image(view: CheckView) -> str:
    if view.image is None:
        return ""
    how = "cached" if view.image.cached else f"built in {duration(view.image.build_seconds)}"
    return f"Image {code(view.image.tag)}, {how}"


def warnings(plan: Plan | None) -> str:
    """Return the plan's warnings as a list, at most 5,000 bytes; nothing where there is none."""
    if plan is None or not plan.warnings:
        return ""
    return fit([f"- ⚠️ {escape(warning)}" for warning in plan.warnings], 5_000, "- and {left} more warnings")


def evidence(plan: Plan | None) -> str:
    """Return why the plan is as it is: a table, folded, of little more than 12,000 bytes; nothing without evidence."""
    if plan is None or not plan.evidence:
        return ""
    rows = table(("decides", "value", "where", "rule"), (_reason(item) for item in plan.evidence), 12_000)
    decisions = count(len(plan.evidence), "decision")
    return f"<details><summary>Why this image and these commands ({decisions})</summary>\n\n{rows}\n\n</details>"


def _reason(item: Evidence) -> tuple[str, ...]:
    place = "" if item.file is None else code(item.file if item.line is None else f"{item.file}:{item.line}")
    return (escape(item.decides, 100), code(item.value), place, escape(item.rule, 300))


def _links(view: CheckView) -> str:
    attempt = view.attempt
    phases = _phases(view.timings.items()) if attempt.conclusion is not Conclusion.SKIPPED else ""
    which = f"Attempt {attempt.number}, " if attempt.number > 1 else ""
    kept = f" · {count(view.artifacts, 'artifact')}" if view.artifacts else ""
    return f"{which}commit {attempt.run.head_sha[:12]}{phases}{kept} · [whole log and details]({view.details_url})"


def _phases(timings: Iterable[tuple[str, float]]) -> str:
    shown = ", ".join(f"{escape(name, 30)} {duration(seconds)}" for name, seconds in list(timings)[:10])
    return f" · {shown}" if shown else ""
