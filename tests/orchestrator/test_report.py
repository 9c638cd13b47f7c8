"""The result file, which code under test could have written."""

from __future__ import annotations

import io
import json
import tarfile
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.runners.interface import Report, ReportedStep
from orchestrator.runners.report import REPORT_BYTES, file_in_tar, read_report

GOOD: dict[str, Any] = {
    "version": 1,
    "job_id": "j",
    "sha": "s",
    "phase": "done",
    "exit_code": 0,
    "steps": [{"id": "fast-1", "exit_code": 0, "seconds": 1.25}],
}


def _read(value: object) -> Report | None:
    return read_report(json.dumps(value).encode(), job_id="j", sha="s")


def test_a_good_one() -> None:
    assert _read(GOOD) == Report("done", 0, (ReportedStep("fast-1", 0, 1.25),))


@pytest.mark.parametrize(
    "change",
    [
        {"version": 2},
        {"job_id": "another"},
        {"sha": "another"},
        {"phase": "../../etc"},
        {"phase": []},
        {"exit_code": -1},
        {"exit_code": 256},
        {"exit_code": True},
        {"exit_code": "0"},
        {"steps": {}},
        {"steps": [1]},
        {"steps": [{"id": "x" * 30, "exit_code": 0, "seconds": 1}]},
        {"steps": [{"id": "fast-1", "exit_code": 0, "seconds": -1}]},
        {"steps": [{"id": "fast-1", "exit_code": 0, "seconds": float("nan")}]},
        {"steps": [{"id": "fast-1", "exit_code": 0, "seconds": float("inf")}]},
        {"steps": [{"id": "fast-1", "exit_code": 0}]},
        {"steps": [{"id": "fast-1", "exit_code": 0, "seconds": 1}] * 1001},
    ],
)
def test_what_the_contract_does_not_have_is_no_report(change: dict[str, Any]) -> None:
    assert _read(GOOD | change) is None


@pytest.mark.parametrize("content", [b"", b"{", b"null", b"[" * 100_000, b"\xff\xfe", b'{"version":1}', b"9" * 10_000])
def test_rubbish_is_no_report(content: bytes) -> None:
    assert read_report(content, job_id="j", sha="s") is None


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(sorted(GOOD)), inner),
    )
)
def test_no_json_makes_it_fail(value: object) -> None:
    assert _read(value) is None


def _tar(member: tarfile.TarInfo, content: bytes = b"") -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as archive:
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    return target.getvalue()


def test_only_a_regular_file_is_read() -> None:
    assert file_in_tar(_tar(tarfile.TarInfo("result.json"), b"{}")) == b"{}"
    for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE):
        member = tarfile.TarInfo("result.json")
        member.type, member.linkname = kind, "/etc/passwd"
        assert file_in_tar(_tar(member)) is None


def test_a_file_that_is_too_large_is_not_read() -> None:
    assert file_in_tar(_tar(tarfile.TarInfo("result.json"), b" " * (REPORT_BYTES + 1))) is None


@given(st.binary(max_size=2000))
def test_no_tar_makes_it_fail(archive: bytes) -> None:
    file_in_tar(archive)
