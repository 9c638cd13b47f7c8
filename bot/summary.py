"""The body of a check run as a reviewer reads it: what failed, the steps, the image, and why. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from bot.advice import how_to_approve, looked_for, not_asked, why_it_does_not_run
from bot.check_view import CheckView
from bot.comparison import is_new, step_note
from bot.duration import duration
from bot.markdown import code, escape, fence, fit, plain, size, table
from bot.verdict import Verdict, count, is_left_out
from draftsman.domain.finding import Finding, Level
from draftsman.domain.plan import Evidence, Plan, Tier
from draftsman.domain.run import Conclusion, RunState
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
    opening, links = _opening(view, tier, verdict), _links(view, tier)
    middle = [] if is_left_out(view, tier) else _body(view, tier, verdict, findings, most)
    room = LIMIT - size(opening) - size(links) - 2
    kept: list[str] = []
    for part in filter(None, middle):
        # Whole or not at all: a cut would leave a fence or an element open.
        if size(part) + 2 <= room:
            room -= size(part) + 2
            kept.append(part)
    return "\n\n".join([opening, *kept, links])


def _body(view: CheckView, tier: Tier, verdict: Verdict, findings: tuple[Finding, ...], most: int) -> list[str]:
    return [
        _findings(view, findings, most=most),
        "" if verdict.conclusion == "neutral" else _steps(view, tier),
        _written(view),
        warnings(view.plan),
        _plan(view),
    ]


def _opening(view: CheckView, tier: Tier, verdict: Verdict) -> str:
    if verdict.status != "completed":
        more = escape(view.wait.more) if view.wait is not None and verdict.status == "queued" else ""
        return "\n\n".join(filter(None, (f"**{escape(verdict.title)}**", more)))
    parts = [f"### {_headline(view, tier, verdict)}", _facts(view, tier, verdict), _advice(view, tier, verdict)]
    return "\n\n".join(filter(None, parts))


def _headline(view: CheckView, tier: Tier, verdict: Verdict) -> str:
    culprit = view.culprit
    if verdict.conclusion == "failure" and culprit and culprit.tier in (Tier.SETUP, tier) and not view.attempt.detail:
        where = "Setup failed: " if culprit.tier is Tier.SETUP else ""
        return f"{where}{code(culprit.command)} failed (exit {culprit.exit_code})"
    return escape(verdict.title[:1].upper() + verdict.title[1:])


def _facts(view: CheckView, tier: Tier, verdict: Verdict) -> str:
    """Return in one line what a reviewer asks next: is it news, how long did it take, cached or built."""
    if is_left_out(view, tier):
        return ""
    facts = [f"**{escape(note[:1].upper() + note[1:])}**" for note in verdict.notes]
    culprit = view.culprit
    if verdict.conclusion != "success" and culprit and culprit.tier in (Tier.SETUP, tier) and culprit.seconds:
        facts.append(f"failed after {duration(culprit.seconds)}")
    if "total" in view.timings and view.attempt.conclusion is not Conclusion.SKIPPED:
        facts.append(f"{duration(view.timings['total'])} in all")
    if view.image is not None and verdict.conclusion != "success":  # a title of success says it
        facts.append("image cached" if view.image.cached else f"image built in {duration(view.image.build_seconds)}")
    return " · ".join(facts)


def _advice(view: CheckView, tier: Tier, verdict: Verdict) -> str:
    attempt = view.attempt
    if is_left_out(view, tier):
        return not_asked(tier)
    if attempt.state is RunState.WAITING:
        return how_to_approve(view)
    if verdict.title.startswith("not run") and tier is Tier.FULL:
        return "Full checks come after the fast ones: see **Draftsman / fast** for what to fix first."
    if verdict.conclusion == "neutral":
        # Without a plan nobody looked for commands: this repository is not served.
        return looked_for(view, tier) if view.plan is not None else _explanation(attempt.detail or "")
    if verdict.conclusion == "action_required":
        return why_it_does_not_run(view)
    return _explanation(attempt.detail or "") if verdict.conclusion != "success" else ""


def _explanation(detail: str) -> str:
    """Return a sentence as prose; anything longer may be a program's output, and is fenced."""
    shown = plain(detail).strip()
    if not shown:
        return ""
    return escape(shown, 1_000) if "\n" not in shown and size(shown) <= 1_000 else fence(shown, 16_000)


def _findings(view: CheckView, findings: tuple[Finding, ...], *, most: int) -> str:
    if not findings:
        return ""
    news = [is_new(found, view.base) for found in findings]
    # What the base branch has as well is not what this change is about.
    ordered = sorted(zip(findings, news, strict=True), key=lambda pair: pair[1] is False)
    lines = [_finding(found, _news(view, new)) for found, new in ordered[:SHOWN_FINDINGS]]
    left = len(findings) - SHOWN_FINDINGS
    if left > 0:
        lines.append(f"- and {left} more below" if len(findings) <= most else f"- and {left} more")
    if len(findings) > most:
        lines.append(f"\n{most} of {len(findings)} findings are shown at their lines; the log has them all.")
    return "\n".join(lines)


def _news(view: CheckView, new: bool | None) -> str:
    if view.base is None or new is None:
        return ""
    if new:
        return " · **new here**" if not view.base.branch.is_own else f" · **new since {view.base.short_sha}**"
    return f" · on {escape(view.base.branch.shown)} too" if not view.base.branch.is_own else ""


def _finding(found: Finding, news: str) -> str:
    title = f" **{escape(found.title, 100)}**" if found.title and found.title not in found.message else ""
    place = code(f"{found.path}:{found.line}")
    return f"- {_LEVELS[found.level]} {place}{title} {escape(found.message, 300)}{news}"


def _steps(view: CheckView, tier: Tier) -> str:
    shown = [*view.of(Tier.SETUP), *view.of(tier)]
    if not shown:
        return ""
    finished = view.attempt.state is RunState.FINISHED
    return table(("", "step", "command", "result", "time"), (_step(view, step, finished) for step in shown), 20_000)


def _step(view: CheckView, step: StepRecord, finished: bool) -> tuple[str, ...]:
    if step.state == "finished":
        mark, result = ("passed", "passed") if step.exit_code == 0 else ("failed", f"exit {step.exit_code}")
        if step.exit_code != 0 and step.may_fail:
            mark, result = "may fail", f"exit {step.exit_code}, may fail"
    elif step.state == "running":
        mark = result = "stopped" if finished else "running"
    else:
        mark = result = "not run" if finished else "waiting"
    note = step_note(step, view.base) if finished else ""
    result += f", {escape(note)}" if note else ""
    seconds = "" if step.seconds is None else duration(step.seconds)
    return (_MARKS[mark], step.id, code(step.command), result, seconds)


def _written(view: CheckView) -> str:
    """Return what the job wrote for people, quoted: so that nobody takes it for what Draftsman says."""
    text = plain(view.written).strip()
    if not text:
        return ""
    lines = [f"> {escape(line, 1_000)}".rstrip() for line in text.split("\n")]
    return f"The checks wrote:\n\n{fit(lines, 8_000, '> … {left} more lines')}"


def warnings(plan: Plan | None) -> str:
    """Return the plan's warnings as a list, at most 5,000 bytes; nothing where there is none."""
    if plan is None or not plan.warnings:
        return ""
    return fit([f"- ⚠️ {escape(warning)}" for warning in plan.warnings], 5_000, "- and {left} more warnings")


def evidence(plan: Plan | None) -> str:
    """Return why the plan is as it is: a table, folded, of little more than 12,000 bytes; nothing without evidence."""
    if plan is None or not plan.evidence:
        return ""
    return f"<details><summary>Plan{_why(plan)}</summary>\n\n{_reasons(plan)}\n\n</details>"


def _why(plan: Plan) -> str:
    return f": why this image and these commands ({count(len(plan.evidence), 'decision')})"


def _reasons(plan: Plan) -> str:
    return table(("decides", "value", "where", "rule"), (_reason(item) for item in plan.evidence), 12_000)


def _plan(view: CheckView) -> str:
    """Return the image and the reasons for every decision, folded."""
    known = view.plan if view.plan is not None and view.plan.evidence else None
    parts = []
    if view.image is not None:
        how = "cached" if view.image.cached else f"built in {duration(view.image.build_seconds)}"
        parts.append(f"Image {code(view.image.tag)}, {how}")
    if known is not None:
        parts.append(_reasons(known))
    if not parts:
        return ""
    why = _why(known) if known is not None else ""
    return "\n\n".join([f"<details><summary>Plan{why}</summary>", *parts, "</details>"])


def _reason(item: Evidence) -> tuple[str, ...]:
    place = "" if item.file is None else code(item.file if item.line is None else f"{item.file}:{item.line}")
    return (escape(item.decides, 100), code(item.value), place, escape(item.rule, 300))


def _links(view: CheckView, tier: Tier) -> str:
    attempt = view.attempt
    link = f"[whole log and details]({view.details_url})"
    if is_left_out(view, tier):
        return link
    phases = _phases(view.timings.items()) if attempt.conclusion is not Conclusion.SKIPPED else ""
    asked = f"asked for by {escape(attempt.asked_by, 60)}, " if attempt.asked_by else ""
    why = f"since {escape(attempt.reason, 200)}, " if attempt.reason else ""
    which = f"Attempt {attempt.number}, {why}{asked}" if attempt.number > 1 else ""
    merged = f", {escape(view.merged_into)}" if view.merged_into else ""
    kept = f" · {count(view.artifacts, 'artifact')}" if view.artifacts else ""
    return f"{which}commit {attempt.run.head_sha[:12]}{merged}{phases}{kept} · {link}"


def _phases(timings: Iterable[tuple[str, float]]) -> str:
    shown = ", ".join(f"{escape(name, 30)} {duration(seconds)}" for name, seconds in list(timings)[:10])
    return f" · {shown}" if shown else ""
