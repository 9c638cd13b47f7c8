"""What Draftsman answers to slash commands, as Markdown. Pure.

An answer is a comment on a pull request, so unlike the body of a check run it could notify people and be linked from
other issues: nothing that a stranger wrote mentions anybody, links anywhere, or refers to an issue.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from bot.check_view import CheckView
from bot.commands import Scope, Unclear, Verb
from bot.markdown import ZERO_WIDTH_SPACE, code, fence, fit, plain, size, table
from bot.summary import evidence, warnings
from bot.trust import AUTHORS
from draftsman.domain.plan import Plan, Tier
from draftsman.domain.run import RunState

LIMIT = 60_000
"""Bytes of an answer. GitHub takes 65,536 characters."""

TAIL_BYTES = 12_000
"""Of the log in an answer; the whole one is behind the link."""

_HELP = (
    (
        Verb.TEST,
        "[fast|full|merge]",
        "run the newest commit again: all, one tier, or as merged into its base",
    ),
    (Verb.CANCEL, "", "end what runs, or waits to run, for this pull request"),
    (Verb.REBUILD, "", "build the image anew, then run the checks"),
    (Verb.FIX, "", "let the repair command of this repository try"),
    (Verb.APPROVE, "[sha]", "let a commit from a fork run: the one you read"),
    (Verb.PLAN, "", "show what would be run, and why"),
    (Verb.LOGS, "", "show where it went wrong, and the end of that log"),
    (Verb.HELP, "", "show this"),
)

_LINK = re.compile(
    r"\\.|`[^`\n]*`|<code>[^<]*</code>"  # passed over: an escape, code
    r"|(?P<link>https?:(?=//)|ftp:(?=//)|www(?=\.))",
    re.IGNORECASE,
)
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")


def marker(comment_id: int) -> str:
    """Return the hidden line that ends the answer to this comment."""
    return f"<!-- draftsman:reply:{comment_id} -->"


def is_reply_to(body: str, comment_id: int) -> bool:
    """Return whether a comment's body is that of our answer to this comment.

    Anybody can write the marker: look only at comments of our own App.
    """
    return body.rstrip().endswith(marker(comment_id))


def reply(parts: Sequence[str], comment_id: int) -> str:
    """Return the one answer to a comment, of at most `LIMIT` bytes; what does not fit is left out in whole lines."""
    end = marker(comment_id)
    left_out = "… The rest is left out."
    room = LIMIT - size(end) - size(left_out) - 4
    kept: list[str] = []
    for part in filter(None, (part.encode("utf-8", "replace").decode().strip() for part in parts)):
        shown = _whole_lines(part, room)
        kept += [shown] if shown else []
        room -= size(shown) + 2
        if shown != part:
            kept.append(left_out)
            break
    return "\n\n".join([*kept, end])


def _whole_lines(part: str, limit: int) -> str:
    """Return as many lines as fit in `limit` bytes, with the fence and the folds closed that were open there."""
    if size(part) <= limit:
        return part
    kept: list[str] = []
    closing = ""
    folds = 0
    for line in part.split("\n"):
        found = _FENCE.match(line)
        if closing and line.strip() == closing:
            after, fold = "", 0
        elif found and not closing:
            after, fold = found[1], 0
        else:
            after, fold = closing, 0 if closing else line.count("<details>") - line.count("</details>")
        ends = [after] if after else []
        ends += ["", "</details>"] * (folds + fold)
        if size("\n".join([line, *ends])) + 1 > limit:
            break
        kept.append(line)
        limit -= size(line) + 1
        closing, folds = after, folds + fold
    return "\n".join([*kept, *([closing] if closing else []), *(["", "</details>"] * folds)]).strip("\n")


def help_reply(*, aliases: bool) -> str:
    """Return the commands and who may use them. `aliases` says whether the short forms are on."""
    rows = ((code(f"/draftsman {verb} {argument}".rstrip()), does, _who_may(verb)) for verb, argument, does in _HELP)
    short = "`/test`, `/cancel` and so on do without `/draftsman`. " if aliases else ""
    shown = table(("command", "does", "who may"), rows, 5_000)
    return (
        f"{shown}\n\n{short}A command is a line of its own; several may be in one comment. Quotes, code and later "
        "edits of a comment do nothing."
    )


def _who_may(verb: Verb) -> str:
    if verb is Verb.HELP:
        return "everybody"
    return "write permission" + (", or the author of a pull request that may run" if verb in AUTHORS else "")


def plan_reply(plan: Plan | None, sha: str, details_url: str) -> str:
    """Return what a run of the commit executes, and why. None: there is no plan yet."""
    if plan is None:
        return f"There is no plan for {_short(sha)} yet: it is made when its run starts. [Details]({details_url})"
    parts = (
        f"**What is run for {_short(sha)}** · [details]({details_url})",
        _toolchains(plan),
        _commands(plan),
        _unlinked(warnings(plan)),
        _unlinked(evidence(plan)),
    )
    return "\n\n".join(filter(None, parts))


def _toolchains(plan: Plan) -> str:
    path = plan.profile.dockerfile
    image = f"the Dockerfile at {code(path)}" if path else "a generated Dockerfile"
    shown = fit([code(f"{tool.ecosystem} {tool.version}") for tool in plan.toolchains], 1_000, "and {left} more")
    having = f", with {', '.join(shown.splitlines())}" if plan.toolchains else ""
    return f"The image is that of {image}{having}."


def _commands(plan: Plan) -> str:
    steps = plan.steps
    rows = ((step.id, code(step.command), "may fail" if step.may_fail else "") for step in steps)
    shown = table(("step", "command", ""), rows, 20_000) if steps else ""
    without = [str(tier) for tier in (Tier.FAST, Tier.FULL) if not any(step.tier is tier for step in steps)]
    missing = f"No {' and no '.join(without)} checks were found in this repository." if without else ""
    return "\n\n".join(filter(None, (shown, missing)))


def logs_reply(view: CheckView) -> str:
    """Return where the attempt went wrong, the end of that log (`view.log_tail`), and where the whole one is."""
    attempt, sha = view.attempt, _short(view.attempt.run.head_sha)
    whole = f"[whole log and details]({view.details_url})"
    tail = plain(view.log_tail).strip()
    if attempt.state in (RunState.WAITING, RunState.QUEUED):
        return (
            f"Nothing of {_short(attempt.run.head_sha)} was run yet, so there is no log. [Details]({view.details_url})"
        )
    shown = f"\n\n{fence(tail, TAIL_BYTES)}" if tail else ""
    return f"{_where(view)} · attempt {attempt.number} of {sha} · {whole}{shown}"


def _where(view: CheckView) -> str:
    attempt, step = view.attempt, view.culprit
    if attempt.state is not RunState.FINISHED:
        return f"{code(step.command)} runs" if step else "It runs"
    if step is None:
        return code(attempt.title or str(attempt.conclusion))
    if step.exit_code is None:
        return f"{code(step.command)} was cut short: {code(attempt.title or str(attempt.conclusion))}"
    return f"{code(step.command)} failed (exit {step.exit_code})"


def refusals_reply(sentences: Iterable[str]) -> str:
    """Return why commands were not done: `Refused.sentence` of each."""
    return _each(sentences)


def unclear_reply(lines: Iterable[Unclear]) -> str:
    """Return what could not be understood."""
    return _each(line.sentence for line in lines)


def done_reply(lines: Iterable[str]) -> str:
    """Return what was done: lines of `queued`, `cancelled`, `rebuilding`, `approved`, `no_repair`."""
    return _each(lines)


def _each(sentences: Iterable[str]) -> str:
    return "\n".join(f"- {sentence}" for sentence in dict.fromkeys(sentences))


def queued(sha: str, scope: Scope | None) -> str:
    """Return that checks of the commit wait for a worker."""
    if scope is Scope.MERGE:
        return f"The checks of {_short(sha)}, merged into its base, are queued."
    return f"The {f'{scope} ' if scope else ''}checks of {_short(sha)} are queued."


def cancelled(sha: str | None) -> str:
    """Return that the commit's checks end. None: nothing ran or waited."""
    return "There was nothing to cancel." if sha is None else f"The checks of {_short(sha)} are cancelled."


def rebuilding(sha: str) -> str:
    """Return that the image is built anew for the commit."""
    return f"The image is built anew, then the checks of {_short(sha)} run."


def approved(sha: str) -> str:
    """Return that the commit, and no other, may run."""
    return f"Approved {_short(sha)}: its checks are queued. A later commit needs an approval of its own."


def no_repair() -> str:
    """Return why `fix` does nothing."""
    return "`fix`: no repair command is configured for this repository."


def _short(sha: str) -> str:
    return code(sha[:7])


def _unlinked(markdown: str) -> str:
    """Return Markdown in which no address outside of code becomes a link."""

    def parted(found: re.Match[str]) -> str:
        return f"{found[0]}{ZERO_WIDTH_SPACE}" if found["link"] else found[0]

    return _LINK.sub(parted, markdown)
