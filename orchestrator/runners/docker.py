"""Jobs as containers of a Docker engine: `draftsman-job-<JOB_ID>`, labelled with all that adoption needs."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import AsyncGenerator, Sequence
from datetime import datetime
from typing import Any

from draftsman.domain.errors import EngineError, HostError
from draftsman.domain.outcome import Artifact
from orchestrator.containers import create_container, remove_container
from orchestrator.engine import Engine, EngineRefusedError
from orchestrator.fence.holder import Fences, fell, holder_name, stands
from orchestrator.runners import container
from orchestrator.runners.interface import Job, JobResult, JobSpec, JobStatus, LogFrame, Source, Wanted
from orchestrator.runners.log_frames import LogFrames
from orchestrator.runners.report import REPORT_BYTES, SUMMARY_BYTES, file_in_tar, read_report
from orchestrator.runners.source_tar import job_tar

PUT_SECONDS = 600.0
"""How long the engine may take to take in a job's source: seconds where it is well."""

_LISTING_BYTES = 8 * 2**20
_TAR_BYTES = 16 * 1024
"""What a tar takes beside the content of its first file."""
_WORKSPACE = "/workspace/"
_DELETED = 2
_FALLEN = "the container that held the job's network fence ended"
_LEFT = f"{container.JOB_FOLDER}/left"
"""What files begin with that say that a job was left, and not taken up."""
_ABSENT = 404
_CONFLICT = 409
_NOT_MODIFIED = 304


class DockerRunner:
    """A `Runner` on one engine. Without `fences` it refuses jobs that ask for one.

    `put_seconds` limits how long the engine may take to take in a job's source.
    """

    def __init__(self, engine: Engine, fences: Fences | None = None, *, put_seconds: float = PUT_SECONDS) -> None:
        self._engine = engine
        self._fences = fences
        self._put_seconds = put_seconds

    async def start(self, spec: JobSpec, source: Source) -> Job:
        """Raise the fence, create the container, stream the source and the steps into it, start it."""
        container.check_spec(spec)
        await self._make_room(spec)
        holder = await self._fence(spec)
        try:
            config = container.container_config(spec, engine_cpus=self._engine.facts.cpus, holder=holder)
            handle = await self._created(spec, config)
            try:
                await self._put(handle, source, container.job_files(spec.steps, spec.nonce))
                await self._engine.call("POST", f"containers/{handle}/start")
            except BaseException:
                await asyncio.shield(remove_container(self._engine, handle))
                raise
        except BaseException:
            if holder:
                await asyncio.shield(remove_container(self._engine, holder))
            raise
        return Job(spec.id, handle, spec.epoch, spec.nonce, is_fenced=spec.network == "fenced")

    async def _make_room(self, spec: JobSpec) -> None:
        """Remove what an earlier claim of the attempt left; its fence is not ours to stand in."""
        stray = await self.adopt(spec.id)
        if stray is None:
            return
        if stray.epoch > spec.epoch:
            raise HostError(f"Another worker has taken over the job {spec.id}; this one leaves it alone.")
        await self.remove(stray)

    async def _fence(self, spec: JobSpec) -> str:
        if spec.network != "fenced":
            return ""
        if self._fences is None:
            raise HostError(f"The job {spec.id} is to run in a network fence, and this worker has none.")
        return await self._fences.raise_as(holder_name(spec.id, spec.epoch), container.labels(spec))

    async def _created(self, spec: JobSpec, config: dict[str, Any]) -> str:
        name = container.container_name(spec.id)
        try:
            return await create_container(self._engine, config, name=name)
        except EngineRefusedError as error:
            if error.status != _CONFLICT:
                raise
        # Nothing of this attempt holds the name (`_make_room`), or only since then: a create whose answer was lost.
        await self._make_room(spec)
        await remove_container(self._engine, name)
        return await create_container(self._engine, config, name=name)

    async def _put(self, handle: str, source: Source, files: dict[str, bytes]) -> None:
        try:
            async with (
                asyncio.timeout(self._put_seconds),
                self._engine.stream(
                    "PUT",
                    f"containers/{handle}/archive",
                    params={"path": container.JOB_FOLDER},
                    data=job_tar(source, files),
                    headers={"Content-Type": "application/x-tar"},
                ) as answer,
            ):
                await answer.read()
        except TimeoutError as error:
            raise EngineError(
                f"The Docker engine did not take the job's source within {self._put_seconds:.0f} s. Is its disk full "
                "or its machine overloaded?"
            ) from error

    async def adopt(self, job_id: str) -> Job | None:
        """Return the job whose container the engine has under this attempt's name."""
        found = await self._inspect(container.container_name(job_id))
        labels = {} if found is None else found["Config"].get("Labels") or {}
        if found is None or labels.get(container.LABEL_JOB) != job_id:
            return None
        epoch = labels.get(container.LABEL_EPOCH, "0")
        now = _nanoseconds(str((await self._engine.call("GET", "info")).get("SystemTime", "")))
        started = _nanoseconds(str(found["State"].get("StartedAt", "")))
        return Job(
            id=job_id,
            handle=str(found["Id"]),
            epoch=int(epoch) if epoch.isdigit() else 0,
            nonce=labels.get(container.LABEL_NONCE, ""),
            is_fenced=labels.get(container.LABEL_NETWORK) == "fenced",
            age_seconds=max(now - started, 0) / 1e9 if started > 0 else 0.0,
            adopted_at=now,
        )

    async def status(self, job: Job) -> JobStatus:
        """Return where the container stands."""
        found = await self._inspect(job.handle)
        if found is None:
            return JobStatus.GONE
        state = found["State"]["Status"]
        if state == "created":
            return JobStatus.CREATED
        return JobStatus.RUNNING if state in ("running", "paused", "restarting") else JobStatus.EXITED

    async def logs(self, job: Job) -> AsyncGenerator[Sequence[LogFrame], None]:
        """Follow the container's output from its first byte to its last."""
        params = {"follow": "1", "stdout": "1", "stderr": "1", "timestamps": "1"}
        frames = LogFrames()
        async with self._engine.stream("GET", f"containers/{job.handle}/logs", params=params) as answer:
            async for chunk in answer.iter_any():
                batch = frames.feed(chunk)
                if batch:
                    yield batch

    async def cancel(self, job: Job, grace_seconds: int = 10) -> None:
        """Stop the container: the entrypoint passes SIGTERM on to every process, and reports."""
        try:
            await self._engine.call(
                "POST",
                f"containers/{job.handle}/stop",
                params={"t": str(grace_seconds)},
                seconds=grace_seconds + 50,
            )
        except EngineRefusedError as error:
            if error.status not in (_ABSENT, _NOT_MODIFIED):
                raise

    async def leave(self, job: Job, seconds: float, *, untaken_seconds: float | None = None) -> None:
        """Have a process of the container's stop it later: as root, so that most code under test cannot end it.

        A file says that nobody has taken the job up. Code under test that removes it wins the job's own time limit,
        no more.
        """
        whole = math.ceil(seconds)
        order = f"sleep {whole}; kill -TERM 1"
        if untaken_seconds is not None and (first := math.ceil(untaken_seconds)) < whole:
            mark = f"{_LEFT}-$$"
            order = f": > {mark}; sleep {first}; [ ! -e {mark} ] || kill -TERM 1; sleep {whole - first}; kill -TERM 1"
        await self._order(job, order)

    async def take_up(self, job: Job) -> None:
        """Remove the files that say that nobody has."""
        try:
            await self._order(job, f"rm -f {_LEFT}-*")
        except EngineRefusedError as error:
            # It has ended meanwhile.
            if error.status not in (_ABSENT, _CONFLICT):
                raise

    async def _order(self, job: Job, order: str) -> None:
        """Have the container's root do something, and wait for none of it."""
        path = f"containers/{job.handle}/exec"
        created = await self._engine.call("POST", path, body={"Cmd": ["/bin/sh", "-c", order], "User": "0"})
        await self._engine.call("POST", f"exec/{created['Id']}/start", body={"Detach": True})

    async def result(self, job: Job) -> JobResult:
        """Wait for the container's end, then read its exit code, the OOM killer's verdict and the result file."""
        async with self._engine.stream("POST", f"containers/{job.handle}/wait") as answer:
            await answer.read()
        found = await self._inspect(job.handle)
        if found is None:
            raise EngineError(f"The container of job {job.id} was removed before its result was read.")
        state = found["State"]
        sha = str((found["Config"].get("Labels") or {}).get(container.LABEL_SHA, ""))
        content = await self._file(job, container.RESULT_PATH, REPORT_BYTES)
        summary = await self._file(job, container.SUMMARY_PATH, SUMMARY_BYTES)
        return JobResult(
            exit_code=int(state["ExitCode"]),
            out_of_memory=bool(state.get("OOMKilled")),
            report=None if content is None else read_report(content, job_id=job.id, sha=sha),
            fault=str(state.get("Error") or "")[:500] or await self._fallen(job, state),
            summary=(summary or b"").decode("utf-8", "replace"),
        )

    async def _fallen(self, job: Job, state: dict[str, Any]) -> str:
        """Return what is wrong where a job was killed together with its fence; a fence that fell by itself is one."""
        if not job.is_fenced or int(state["ExitCode"]) == 0 or await stands(self._engine, _holder(job)):
            return ""
        return _FALLEN

    async def _file(self, job: Job, path: str, limit: int) -> bytes | None:
        """Return a regular file of the container, None where there is none, or it is larger than the limit."""
        archive = bytearray()
        try:
            async with self._engine.stream("GET", f"containers/{job.handle}/archive", params={"path": path}) as answer:
                async for chunk in answer.iter_any():
                    archive += chunk
                    if len(archive) > limit + _TAR_BYTES:
                        break
        except EngineRefusedError as error:
            # Absent, or a path that leads nowhere: whatever the code under test left there.
            if error.status in (400, _ABSENT, 500):
                return None
            raise
        return file_in_tar(bytes(archive), limit)

    async def files(self, job: Job, wanted: Wanted) -> AsyncGenerator[Artifact, None]:
        """Yield what the job left below its workspace and is wanted: of its own layer alone; a link is no file."""
        left = wanted.total_bytes
        listing = await self._changed(job)
        for number, path in enumerate(await asyncio.to_thread(lambda: wanted.choose(_paths(listing)))):
            limit = min(wanted.file_bytes, left)
            content = None
            if number < wanted.most and limit > 0:
                content = await self._file(job, _WORKSPACE + path, limit)
            left -= len(content or b"")
            yield Artifact(path, content)

    async def _changed(self, job: Job) -> bytes:
        """Return the engine's list of what the job changed; an empty one where that is too much to look at."""
        listing = bytearray()
        async with self._engine.stream("GET", f"containers/{job.handle}/changes") as answer:
            async for chunk in answer.iter_any():
                listing += chunk
                if len(listing) > _LISTING_BYTES:
                    return b"[]"
        return bytes(listing)

    async def fault(self, job: Job) -> str:
        """Return once the job's fence has fallen: it has no network any more."""
        if not job.is_fenced:
            await asyncio.Event().wait()
        await fell(self._engine, _holder(job))
        return _FALLEN

    async def usage(self, job: Job) -> int:
        """Return the bytes of the container's own layer. Takes half a second where it holds many files."""
        try:
            found = await self._engine.call("GET", f"containers/{job.handle}/json", params={"size": "1"})
        except EngineRefusedError as error:
            if error.status == _ABSENT:
                return 0
            raise
        return int(found.get("SizeRw") or 0)

    async def remove(self, job: Job) -> None:
        """Remove the container with its anonymous volumes, running or not, and its fence."""
        await remove_container(self._engine, job.handle)
        if job.is_fenced:
            await remove_container(self._engine, _holder(job))

    async def _inspect(self, handle: str) -> dict[str, Any] | None:
        try:
            answer: dict[str, Any] = await self._engine.call("GET", f"containers/{handle}/json")
        except EngineRefusedError as error:
            if error.status == _ABSENT:
                return None
            raise
        return answer


def _holder(job: Job) -> str:
    return holder_name(job.id, job.epoch)


def _paths(listing: bytes) -> list[str]:
    """Return the paths below the workspace that were added or changed."""
    changes = json.loads(listing or b"[]") or ()
    paths = [str(change["Path"]) for change in changes if change.get("Kind") != _DELETED]
    return [path.removeprefix(_WORKSPACE) for path in paths if path.startswith(_WORKSPACE)]


def _nanoseconds(text: str) -> int:
    """Return nanoseconds since the epoch for the engine's RFC 3339 with nine digits; 0 where it is none."""
    second, _, rest = text.partition(".")
    digits = "".join(char for char in rest[:9] if char.isdigit())
    try:
        at = datetime.fromisoformat(second.removesuffix("Z") + "+00:00")
    except ValueError:
        return 0
    return int(at.timestamp()) * 10**9 + int(digits.ljust(9, "0") or 0)
