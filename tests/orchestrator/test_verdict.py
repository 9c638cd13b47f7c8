"""How a job ended: the whole table."""

from __future__ import annotations

import pytest

from draftsman.domain.outcome import StepResult
from draftsman.domain.plan import Step, Tier
from draftsman.domain.retry import Cause
from draftsman.domain.run import Conclusion
from orchestrator.runners.interface import JobResult, JobSpec, Limits, Report, ReportedStep
from orchestrator.verdict import Stop, judge, merge_steps

SETUP = Step("setup-1", Tier.SETUP, "pip install -r requirements.txt")
LINT = Step("fast-1", Tier.FAST, "ruff check .")
TESTS = Step("full-1", Tier.FULL, "pytest")
SPEC = JobSpec("j", "acme/x", "a" * 40, "image", (SETUP, LINT, TESTS), limits=Limits(step_seconds=600))


def _result(step: Step, exit_code: int = 0) -> StepResult:
    return StepResult(step.id, step.tier, step.command, exit_code, 1.0)


def _report(exit_code: int, *codes: int) -> Report:
    steps = zip((SETUP, LINT, TESTS), codes, strict=False)
    return Report("done", exit_code, tuple(ReportedStep(step.id, code, 1.0) for step, code in steps))


ALL = [_result(SETUP), _result(LINT), _result(TESTS)]


@pytest.mark.parametrize(
    ("exit_code", "seen", "conclusion", "title"),
    [
        (0, ALL, Conclusion.SUCCESS, "all checks passed"),
        (10, [_result(SETUP, 1)], Conclusion.FAILURE, "setup failed: `pip install -r requirements.txt` exited 1"),
        (11, [_result(SETUP), _result(LINT, 2)], Conclusion.FAILURE, "fast failed: `ruff check .` exited 2"),
        (12, [*ALL[:2], _result(TESTS, 1)], Conclusion.FAILURE, "full failed: `pytest` exited 1"),
        (12, [], Conclusion.FAILURE, "full failed"),
        (20, [], Conclusion.ERROR, "the commit could not be checked out in the job"),
        (21, [], Conclusion.ERROR, "the image or the job's environment does not keep the contract"),
        (137, ALL[:1], Conclusion.ERROR, "the job was killed from outside"),
        (143, ALL[:1], Conclusion.ERROR, "the job was killed from outside"),
        (2, [], Conclusion.ERROR, "the job ended with exit code 2, which its contract does not have"),
    ],
)
def test_by_exit_code(exit_code: int, seen: list[StepResult], conclusion: Conclusion, title: str) -> None:
    report = _report(exit_code, *(step.exit_code for step in seen))
    end = judge(SPEC, JobResult(exit_code, False, report), seen, None, None)
    assert (end.conclusion, end.title, end.exit_code) == (conclusion, title, exit_code)
    assert end.steps == tuple(seen)


@pytest.mark.parametrize(
    ("report", "seen"),
    [
        (None, ALL),
        (_report(11, 0, 1), ALL),
        (_report(0, 0), ALL[:1]),
        (_report(0, 0, 0, 0), [*ALL[:2], _result(TESTS, 1)]),
    ],
    ids=["no report", "another exit code", "steps missing", "a step failed"],
)
def test_a_job_that_only_says_that_it_passed_did_not(report: Report | None, seen: list[StepResult]) -> None:
    assert judge(SPEC, JobResult(0, False, report), seen, None, None).conclusion is Conclusion.ERROR


@pytest.mark.parametrize(
    ("stop", "exit_code", "conclusion", "recorded", "title"),
    [
        (Stop.CANCELLED, 143, Conclusion.CANCELLED, 143, "cancelled"),
        (Stop.CANCELLED, 137, Conclusion.CANCELLED, 137, "cancelled"),
        (Stop.STEP_TIME, 143, Conclusion.TIMED_OUT, 30, "timed out: `pytest` ran longer than 10 min"),
        (Stop.SILENCE, 143, Conclusion.TIMED_OUT, 31, "timed out: `pytest` wrote nothing for 20 min"),
        (
            Stop.TOTAL_TIME,
            137,
            Conclusion.TIMED_OUT,
            137,
            "timed out: the job ran longer than 30 min, and was stopped in `pytest`",
        ),
        (Stop.LOG_SIZE, 143, Conclusion.FAILURE, 143, "`pytest` wrote more than 100 MiB of output"),
    ],
)
def test_by_what_stopped_it(stop: Stop, exit_code: int, conclusion: Conclusion, recorded: int, title: str) -> None:
    end = judge(SPEC, JobResult(exit_code, False, _report(143, 0, 0)), ALL[:2], stop, TESTS)
    assert (end.conclusion, end.exit_code, end.title) == (conclusion, recorded, title)


def test_a_job_that_ended_before_the_stop_keeps_its_own_end() -> None:
    end = judge(SPEC, JobResult(0, False, _report(0, 0, 0, 0)), ALL, Stop.CANCELLED, None)
    assert end.conclusion is Conclusion.SUCCESS


@pytest.mark.parametrize(("exit_code", "running"), [(137, TESTS), (12, None)])
def test_out_of_memory_names_limit_and_setting(exit_code: int, running: Step | None) -> None:
    seen = ALL[:2] if running else [*ALL[:2], _result(TESTS, 137)]
    end = judge(SPEC, JobResult(exit_code, True, None), seen, None, running)
    assert end.conclusion is Conclusion.FAILURE
    assert end.title == "out of memory: `pytest` needed more than 4096 MiB"
    assert "DRAFTSMAN_JOB_MEMORY_MB" in end.detail


def test_a_job_that_passed_all_the_same_passed() -> None:
    assert judge(SPEC, JobResult(0, True, _report(0, 0, 0, 0)), ALL, None, None).conclusion is Conclusion.SUCCESS


def test_a_fault_of_the_engine_is_said() -> None:
    end = judge(SPEC, JobResult(128, False, None, fault="no space left on device"), [], None, None)
    assert (end.conclusion, end.title) == (
        Conclusion.ERROR,
        "the engine could not run the job: no space left on device",
    )


def test_long_commands_are_shortened() -> None:
    step = Step("fast-1", Tier.FAST, "x" * 200 + "\nmore")
    end = judge(SPEC, JobResult(11, False, None), [_result(step, 1)], None, None)
    assert end.title == f"fast failed: `{'x' * 79}…` exited 1"


def test_steps_come_from_the_output_then_from_the_report_and_only_if_planned() -> None:
    report = Report(
        "done", 0, (ReportedStep("setup-1", 9, 5.0), ReportedStep("fast-1", 1, 2.0), ReportedStep("evil-1", 0, 1.0))
    )
    assert merge_steps(SPEC.steps, [_result(SETUP)], report) == (
        _result(SETUP),
        StepResult("fast-1", Tier.FAST, "ruff check .", 1, 2.0),
    )


FELL = "the container that held the job's network fence ended"


@pytest.mark.parametrize(
    ("exit_code", "fault", "engine_was_away", "cause"),
    [
        (137, "", True, Cause.KILLED),
        (143, "", True, Cause.KILLED),
        (255, "", True, Cause.KILLED),
        (137, FELL, False, Cause.KILLED),
        (255, FELL, False, Cause.KILLED),
        # Code under test can kill its own shell, or have it end with any code: that says nothing of the engine.
        (137, "", False, None),
        (143, "", False, None),
        (255, "", False, None),
        (2, "", True, None),
        (20, "", True, None),
    ],
)
def test_a_job_that_went_with_its_engine_may_go_better_next_time(
    exit_code: int, fault: str, engine_was_away: bool, cause: Cause | None
) -> None:
    result = JobResult(exit_code, False, None, fault=fault)
    end = judge(SPEC, result, ALL[:1], None, LINT, engine_was_away=engine_was_away)
    assert (end.conclusion, end.cause) == (Conclusion.ERROR, cause)


@pytest.mark.parametrize("exit_code", [0, 10, 11, 12])
def test_what_the_job_itself_reported_stands_though_the_engine_was_away(exit_code: int) -> None:
    result = JobResult(exit_code, False, _report(exit_code, 0, 0, 0), fault=FELL)
    assert judge(SPEC, result, ALL, None, None, engine_was_away=True).cause is None


@pytest.mark.parametrize(
    ("stop", "cause"),
    [
        (Stop.FAULT, Cause.KILLED),
        (Stop.DISK, Cause.DISK),
        (Stop.WORKSPACE, None),
        (Stop.LOG_SIZE, None),
        (Stop.STEP_TIME, None),
        (Stop.TOTAL_TIME, None),
        (Stop.SILENCE, None),
        (Stop.CANCELLED, None),
    ],
)
def test_of_what_we_end_only_what_the_host_lacked_is_tried_again(stop: Stop, cause: Cause | None) -> None:
    assert judge(SPEC, JobResult(143, False, None), ALL[:1], stop, LINT, engine_was_away=True).cause is cause
