"""The audit trail in a person's words. Pure: an action and its detail go in, a clause without its actor comes out.

What stands in a detail may be a stranger's text: whoever shows a clause escapes it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

Detail = Mapping[str, Any]

_SHORT = 7
_LONGEST = 300


def clause(action: str, detail: Detail, attempt: int | None = None) -> str:
    """Return what was done, as in `attempt 2 finished as failure: ruff failed`.

    `attempt` is the number of the attempt that it was done to. An action that is not known here is told as it is.
    """
    tell = _CLAUSES.get(action)
    subject = f"attempt {attempt}" if attempt is not None else "an attempt"
    told = _plain(action, detail) if tell is None else tell(subject, detail)
    return told if len(told) <= _LONGEST else f"{told[: _LONGEST - 1]}…"


def _plain(action: str, detail: Detail) -> str:
    family, _, what = action.partition(".")
    if family == "command":
        return _command(detail)
    more = ", ".join(f"{key} {_shown(value)}" for key, value in detail.items() if value not in (None, "", [], {}))
    return f"{family} {what.replace('_', ' ')}" + (f": {more}" if more else "")


def _shown(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{number} {name}" for name, number in value.items())
    if isinstance(value, list):
        return ", ".join(str(one) for one in value)
    return str(value)


def _ref(text: Any) -> str:
    kind, _, name = str(text).partition(":")
    return f"{kind.replace('_', ' ')} {name}".strip()


def _received(_: str, detail: Detail) -> str:
    by = f" by {detail['sender']}" if detail.get("sender") else ""
    source = {"listed": ", found in GitHub's list", "compared": ", made up for by comparing heads"}
    how = source.get(str(detail.get("source")), "")
    return f"{detail.get('event', 'an event')}{by} arrived{how}: {detail.get('decision', '')}"


def _created(subject: str, detail: Detail) -> str:
    parts = [str(detail["trust"])] if "trust" in detail else []
    parts += [f"for {_ref(detail['ref'])}"] if "ref" in detail else []
    parts += [str(detail["cause"])] if "cause" in detail else []
    tiers = detail.get("tiers")
    parts += [f"only {tiers[0]}"] if isinstance(tiers, list) and len(tiers) == 1 else []
    parts += ["with a new image"] if detail.get("rebuild") else []
    return f"{subject} is made: {', '.join(parts)}" if parts else f"{subject} is made"


def _finished(subject: str, detail: Detail) -> str:
    return f"{subject} finished as {detail.get('conclusion', 'finished')}: {detail.get('title') or 'nothing was said'}"


def _released(_: str, detail: Detail) -> str:
    now = detail.get("now")
    what = f"it names {str(now)[:_SHORT]} now" if now else "it is gone"
    return f"{_ref(detail.get('ref', 'a ref'))} names the commit no more: {what}"


def _lost(subject: str, detail: Detail) -> str:
    then = "it ends" if detail.get("now") == "finished" else f"it is {detail.get('now', 'queued')} again"
    return f"{subject} lost its worker {detail.get('worker', '')}: {then}"


def _taken_back(subject: str, detail: Detail) -> str:
    then = "ends" if detail.get("now") == "finished" else "is queued again"
    return f"{subject} {then}: its worker was dead, and is back"


def _asked_to_end(subject: str, detail: Detail) -> str:
    return f"{subject} is to end: cancelled {detail.get('reason', '')}".rstrip()


def _command(detail: Detail) -> str:
    said = detail.get("said")
    came = "done" if detail.get("done") else f"not done: {said}" if said else "not done"
    return f"wrote {detail.get('line', 'a command')}: {came}"


def _told(subject: str, detail: Detail) -> str:
    return f"GitHub shows {detail.get('tier', 'a tier')} of {subject} as {detail.get('conclusion', '?')}"


def _not_told(subject: str, detail: Detail) -> str:
    tier = detail.get("tier", "a tier")
    return f"GitHub could not be told of {tier} of {subject}, which is tried again: {detail.get('error')}"


def _purged_log(subject: str, detail: Detail) -> str:
    counted = ("log_chunks", "pieces of log"), ("annotations", "annotations"), ("artifacts", "files")
    gone = ", ".join(f"{detail[name]} {what}" for name, what in counted if detail.get(name))
    return (
        f"removed the log of {subject} for good ({gone or 'it was empty'}): {detail.get('reason') or 'no reason given'}"
    )


def _purged_delivery(_: str, detail: Detail) -> str:
    return f"removed the body of the delivery for good: {detail.get('reason') or 'no reason given'}"


def _task_given_up(_: str, detail: Detail) -> str:
    return f"the task {detail.get('kind', '')} is given up: {detail.get('reason', '')}"


def _after(text: str) -> Callable[[str, Detail], str]:
    return lambda subject, _: f"{subject} {text}"


_CLAUSES: Mapping[str, Callable[[str, Detail], str]] = {
    "delivery.received": _received,
    "delivery.purged": _purged_delivery,
    "attempt.created": _created,
    "attempt.queued": _after("is queued"),
    "attempt.held": lambda subject, detail: f"{subject} waits: {detail.get('title', '')}",
    "attempt.changed": lambda subject, detail: f"{subject} is to do {_shown(detail.get('tiers', 'all'))}",
    "attempt.joined": lambda subject, detail: f"asks for what {subject} does: {detail.get('cause', '')}",
    "attempt.claimed": _after("is taken"),
    "attempt.preparing": _after("is prepared"),
    "attempt.building": _after("builds its image"),
    "attempt.running": _after("runs its checks"),
    "attempt.given_back": _after("is queued again: its worker stops"),
    "attempt.taken_back": _taken_back,
    "attempt.cancel_asked": _asked_to_end,
    "attempt.finished": _finished,
    "lease.lost": _lost,
    "ref.released": _released,
    "run.approved": lambda _, detail: f"lets the commit run: {detail.get('reason', '')}",
    "check_run.told": _told,
    "check_run.failed": _not_told,
    "log.purged": _purged_log,
    "task.given_up": _task_given_up,
}
