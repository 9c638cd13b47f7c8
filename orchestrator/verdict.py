"""How a job ended, as a conclusion and a sentence. Pure: a table of what was seen.

What we did to the job (cancel, a limit) counts first, then the engine's word (out of memory), then the exit
code of the entrypoint (`runner_image/CONTRACT.md`). A job that says that it passed must have reported every
step as passed: anything else is an error, never a success.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

from draftsman.ansi import harmless
from draftsman.domain.outcome import Artifact, StepResult
from draftsman.domain.plan import Step, Tier
from draftsman.domain.retry import Cause
from draftsman.domain.run import Conclusion
from orchestrator.runners.interface import JobResult, JobSpec, Limits, Report

SETUP_FAILED = 10
"""What a job exits with whose setup failed."""

_FAILED_TIER = {SETUP_FAILED: Tier.SETUP, 11: Tier.FAST, 12: Tier.FULL}
_STOPPED = (143, 137)
_FORGOTTEN = 255
"""What an engine gives a container whose end it did not see: it died itself."""
_STEP_LIMIT = 30
_SILENCE_LIMIT = 31
_NO_PROCESSES = 22
_COMMAND_LENGTH = 80
_LAST_LINES = 10
_TICKS = re.compile("`{3,}")


class Stop(StrEnum):
    """Why we ended a job."""

    CANCELLED = "cancelled"
    TOTAL_TIME = "total time"
    STEP_TIME = "step time"
    SILENCE = "silence"
    LOG_SIZE = "log size"
    WORKSPACE = "workspace size"
    DISK = "disk floor"
    FAULT = "fault"


@dataclass(frozen=True, slots=True)
class JobEnd:
    """The end of a job. `title` is one line, `detail` says what to do and may be empty.

    `exit_code` is that of the contract: 30 and 31 where a step's limit ended the job. `summary` is the Markdown that
    the job wrote, `files` are those that it left and that were wanted. `was_killed` says that something outside
    ended it, which was not us: its engine's restart, or somebody at its machine. `cause` says why another try may end
    otherwise: that it was killed tells nothing by itself, since code under test can kill its own shell.
    """

    conclusion: Conclusion
    title: str
    exit_code: int | None
    steps: tuple[StepResult, ...]
    detail: str = ""
    summary: str = ""
    files: tuple[Artifact, ...] = ()
    was_killed: bool = False
    cause: Cause | None = None


def cancelled_before_start(title: str = "cancelled") -> JobEnd:
    """Return the end of a job that was cancelled before there was one."""
    return JobEnd(Conclusion.CANCELLED, title, None, ())


def judge(
    spec: JobSpec,
    result: JobResult,
    seen: Iterable[StepResult],
    stop: Stop | None,
    running: Step | None,
    *,
    words: bytes = b"",
    cancelled: str = "cancelled",
    engine_was_away: bool = False,
) -> JobEnd:
    """Return the end of a job.

    `seen` are the steps whose end was in the output; `running` is the step that had started and not ended; `words` are
    the last of its output; `cancelled` is the title of a job that somebody cancelled; `engine_was_away` says that the
    engine did not answer for a while as the job ran, or may not have.
    """
    steps = merge_steps(spec.steps, seen, result.report)
    if stop is not None and result.exit_code in _STOPPED:
        if stop is Stop.CANCELLED:
            return JobEnd(Conclusion.CANCELLED, cancelled, result.exit_code, steps)
        end = _stopped(spec.limits, result, steps, stop, running)
        return _with_words(end, words) if stop is Stop.SILENCE else end
    if result.out_of_memory and result.exit_code != 0:
        return _out_of_memory(spec.limits, result, steps, running)
    if result.exit_code == 0:
        return _passed(spec, result, steps)
    if result.exit_code in _FAILED_TIER:
        title = _failed(_FAILED_TIER[result.exit_code], steps)
        return JobEnd(Conclusion.FAILURE, title, result.exit_code, steps)
    if result.exit_code == _NO_PROCESSES:
        return _no_processes(spec.limits, result, steps)
    # A fence is out of the job's reach: where both were killed, it was not the job that did it.
    from_outside = bool(result.fault) or engine_was_away
    killed = result.exit_code in _STOPPED or (result.exit_code == _FORGOTTEN and from_outside)
    title, detail = _our_fault(result, killed=killed)
    cause = Cause.KILLED if killed and from_outside else None
    return JobEnd(Conclusion.ERROR, title, result.exit_code, steps, detail, was_killed=killed, cause=cause)


def merge_steps(planned: Iterable[Step], seen: Iterable[StepResult], report: Report | None) -> tuple[StepResult, ...]:
    """Return the results of the planned steps in order: what the output showed, else what the report says."""
    shown = {result.id: result for result in seen}
    reported = {step.id: step for step in report.steps} if report else {}
    results = []
    for step in planned:
        if step.id in shown:
            results.append(shown[step.id])
        elif step.id in reported:
            told = reported[step.id]
            results.append(StepResult(step.id, step.tier, step.command, told.exit_code, told.seconds, step.may_fail))
    return tuple(results)


def _passed(spec: JobSpec, result: JobResult, steps: tuple[StepResult, ...]) -> JobEnd:
    whole = result.report is not None and result.report.exit_code == 0 and len(steps) == len(spec.steps)
    if whole and all(step.exit_code == 0 or step.may_fail for step in steps):
        failed = [step for step in steps if step.exit_code != 0]
        title = "all checks passed" + (f", but for {len(failed)} that may fail" if failed else "")
        return JobEnd(Conclusion.SUCCESS, title, 0, steps)
    return JobEnd(
        Conclusion.ERROR,
        "the job ended as if it had passed, but its result is missing or says otherwise",
        0,
        steps,
        "Something in the checks ended the job's own shell or changed its result. Run it again; if it ends the "
        "same way, look for a command that kills processes which it did not start.",
    )


def _failed(tier: Tier, steps: tuple[StepResult, ...]) -> str:
    failed = [step for step in steps if step.tier is tier and step.exit_code != 0 and not step.may_fail]
    if not failed:
        return f"{tier} failed"
    more = f", and {len(failed) - 1} more" if len(failed) > 1 else ""
    return f"{tier} failed: {_quoted(failed[0].command)} exited {failed[0].exit_code}{more}"


def _stopped(
    limits: Limits, result: JobResult, steps: tuple[StepResult, ...], stop: Stop, running: Step | None
) -> JobEnd:
    what = _quoted(running.command) if running else "the job"
    if stop is Stop.FAULT:
        title = f"the job lost its network fence in {what}" if running else "the job lost its network fence"
        detail = "The container that held it ended: somebody removed it, or the engine did. Run it again."
        return JobEnd(Conclusion.ERROR, title, result.exit_code, steps, detail, cause=Cause.KILLED)
    if stop is Stop.DISK:
        title = f"the engine's disk is nearly full, and {what} had written most to it"
        detail = "Make room on the engine's disk (`draftsman gc`), or have the checks write less; then run it again."
        return JobEnd(Conclusion.ERROR, title, result.exit_code, steps, detail, cause=Cause.DISK)
    if stop in (Stop.WORKSPACE, Stop.LOG_SIZE):
        most, where = (limits.log_bytes, "of output") if stop is Stop.LOG_SIZE else (limits.workspace_bytes, "to disk")
        detail = f"Have it write less, or {_raise('log_mb' if stop is Stop.LOG_SIZE else 'workspace_mb')}"
        title = f"{what} wrote more than {most // 2**20} MiB {where}"
        return JobEnd(Conclusion.FAILURE, title, result.exit_code, steps, detail)
    code = result.exit_code
    if stop is Stop.STEP_TIME:
        title, name, code = f"{what} ran longer than {_time(limits.step_seconds)}", "step_timeout_seconds", _STEP_LIMIT
    elif stop is Stop.SILENCE:
        title = f"{what} wrote nothing for {_time(limits.silent_seconds)}"
        name, code = "no_output_timeout_seconds", _SILENCE_LIMIT
    else:
        title = f"the job ran longer than {_time(limits.total_seconds)}" + (
            f", and was stopped in {what}" if running else ""
        )
        name = "timeout_seconds"
    detail = f"If it needs the time, {_raise(name)}"
    return JobEnd(Conclusion.TIMED_OUT, f"timed out: {title}", code, steps, detail)


def _with_words(end: JobEnd, words: bytes) -> JobEnd:
    """Return the end with the last words before the silence, as a block of code."""
    lines = [harmless(line) for line in words.decode("utf-8", "replace").splitlines()[-_LAST_LINES:]]
    if not lines:
        return end
    fence = "`" * (max((len(run) for line in lines for run in _TICKS.findall(line)), default=0) + 3)
    text = "\n".join(lines)
    return replace(end, detail=f"{end.detail}\n\nIts last output:\n\n{fence}\n{text}\n{fence}")


def _out_of_memory(limits: Limits, result: JobResult, steps: tuple[StepResult, ...], running: Step | None) -> JobEnd:
    failed = next((step.command for step in reversed(steps) if step.exit_code != 0), None)
    command = running.command if running else failed
    what = _quoted(command) if command else "the job"
    return JobEnd(
        Conclusion.FAILURE,
        f"out of memory: {what} needed more than {limits.memory_bytes // 2**20} MiB",
        result.exit_code,
        steps,
        "The kernel killed a process of the job at its memory limit. Use less (fewer parallel workers, say), or "
        + _raise("memory_mb"),
    )


def _no_processes(limits: Limits, result: JobResult, steps: tuple[StepResult, ...]) -> JobEnd:
    return JobEnd(
        Conclusion.FAILURE,
        f"the steps left more than {limits.pids} processes behind",
        result.exit_code,
        steps,
        f"No other process could be started. Have them end what they start, or {_raise('pids')}",
    )


def _raise(limit: str) -> str:
    """Return how a limit is raised: the instance's, or the repository's own within its administrator's."""
    setting = (
        limit.upper() if limit in ("step_timeout_seconds", "no_output_timeout_seconds") else f"JOB_{limit}".upper()
    )
    return f"raise DRAFTSMAN_{setting}, or {limit} in the limits of the repository's profile."


def _our_fault(result: JobResult, *, killed: bool) -> tuple[str, str]:
    if result.fault:
        return f"the engine could not run the job: {result.fault}", "Run it again once the engine is well."
    if result.exit_code == 20:
        return "the commit could not be checked out in the job", "The log's checkout section has git's words."
    if result.exit_code == 21:
        return "the image or the job's environment does not keep the contract", "The log says what is missing."
    if killed:
        return "the job was killed from outside", "Somebody, or the engine's restart, ended it. Run it again."
    return (
        f"the job ended with exit code {result.exit_code}, which its contract does not have",
        "Something in the checks ended the job's own shell. Run it again; if it ends the same way, look for a "
        "command that kills processes which it did not start.",
    )


def _quoted(command: str) -> str:
    first, _, rest = command.strip().partition("\n")
    short = first if len(first) <= _COMMAND_LENGTH else first[: _COMMAND_LENGTH - 1]
    return f"`{short}{'…' if rest or short != first else ''}`"


def _time(seconds: float) -> str:
    return f"{seconds / 60:g} min" if seconds >= 120 and seconds % 60 == 0 else f"{seconds:g} s"
