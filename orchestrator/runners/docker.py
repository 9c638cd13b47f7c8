"""Jobs as containers of a Docker engine: `draftsman-job-<JOB_ID>`, labelled with all that adoption needs."""

from __future__ import annotations

import asyncio
import io
import tarfile
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from pathlib import Path
from typing import Any

from draftsman.domain.errors import EngineError, HostError
from orchestrator.engine import Engine, EngineRefusedError
from orchestrator.runners import container
from orchestrator.runners.interface import Job, JobResult, JobSpec, JobStatus, LogFrame, Report
from orchestrator.runners.log_frames import LogFrames
from orchestrator.runners.report import REPORT_BYTES, read_report, report_in_tar

PUT_SECONDS = 600.0
"""How long the engine may take to take in a job's source: seconds where it is well."""

_CHUNK_BYTES = 1024 * 1024
_ABSENT = 404
_CONFLICT = 409
_NOT_MODIFIED = 304


class DockerRunner:
    """A `Runner` on one engine. `put_seconds` limits how long it may take to take in a job's source."""

    def __init__(self, engine: Engine, *, put_seconds: float = PUT_SECONDS) -> None:
        self._engine = engine
        self._put_seconds = put_seconds

    async def start(self, spec: JobSpec, source: Path) -> Job:
        """Create the container, stream the source and the steps into it, start it."""
        container.check_spec(spec)
        image = await self._engine.call("GET", f"images/{spec.image}/json")
        user = str((image.get("Config") or {}).get("User") or "")
        config = container.container_config(spec, engine_cpus=self._engine.facts.cpus, user=user)
        handle = await self._created(spec, config)
        try:
            await self._put(handle, source, container.job_files(spec.steps, spec.nonce))
            await self._engine.call("POST", f"containers/{handle}/start")
        except BaseException:
            await asyncio.shield(self._remove(handle))
            raise
        return Job(spec.id, handle, spec.epoch, spec.nonce)

    async def _created(self, spec: JobSpec, config: dict[str, Any]) -> str:
        """Return the new container's id. Cancelled, it waits for the engine's answer and removes what was made."""
        creating = asyncio.ensure_future(self._create(spec, config))
        try:
            return await asyncio.shield(creating)
        except asyncio.CancelledError:
            await asyncio.wait([creating])
            if creating.exception() is None:
                await self._remove(creating.result())
            raise

    async def _create(self, spec: JobSpec, config: dict[str, Any]) -> str:
        params = {"name": container.container_name(spec.id)}
        try:
            answer = await self._engine.call("POST", "containers/create", params=params, body=config)
        except EngineRefusedError as error:
            if error.status != _CONFLICT:
                raise
            await self._remove_stray(spec)
            answer = await self._engine.call("POST", "containers/create", params=params, body=config)
        return str(answer["Id"])

    async def _remove_stray(self, spec: JobSpec) -> None:
        """Make room for a job of this attempt: what holds its name is of an earlier claim, or a lost answer."""
        stray = await self.adopt(spec.id)
        if stray is not None and stray.epoch > spec.epoch:
            raise HostError(f"Another worker has taken over the job {spec.id}; this one leaves it alone.")
        await self._remove(container.container_name(spec.id) if stray is None else stray.handle)

    async def _put(self, handle: str, source: Path, files: dict[str, bytes]) -> None:
        try:
            async with (
                asyncio.timeout(self._put_seconds),
                self._engine.stream(
                    "PUT",
                    f"containers/{handle}/archive",
                    params={"path": container.JOB_FOLDER},
                    data=_job_tar(source, files),
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
        return Job(
            id=job_id,
            handle=str(found["Id"]),
            epoch=int(epoch) if epoch.isdigit() else 0,
            nonce=labels.get(container.LABEL_NONCE, ""),
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

    async def result(self, job: Job) -> JobResult:
        """Wait for the container's end, then read its exit code, the OOM killer's verdict and the result file."""
        async with self._engine.stream("POST", f"containers/{job.handle}/wait") as answer:
            await answer.read()
        found = await self._inspect(job.handle)
        if found is None:
            raise EngineError(f"The container of job {job.id} was removed before its result was read.")
        state = found["State"]
        return JobResult(
            exit_code=int(state["ExitCode"]),
            out_of_memory=bool(state.get("OOMKilled")),
            report=await self._report(job, str((found["Config"].get("Labels") or {}).get(container.LABEL_SHA, ""))),
            fault=str(state.get("Error") or "")[:500],
        )

    async def _report(self, job: Job, sha: str) -> Report | None:
        archive = bytearray()
        params = {"path": container.RESULT_PATH}
        try:
            async with self._engine.stream("GET", f"containers/{job.handle}/archive", params=params) as answer:
                async for chunk in answer.iter_any():
                    archive += chunk
                    if len(archive) > REPORT_BYTES + 4096:
                        return None
        except EngineRefusedError as error:
            # Absent, or a path that leads nowhere: whatever the code under test left there.
            if error.status in (400, _ABSENT, 500):
                return None
            raise
        content = report_in_tar(bytes(archive))
        return None if content is None else read_report(content, job_id=job.id, sha=sha)

    async def remove(self, job: Job) -> None:
        """Remove the container with its anonymous volumes, running or not."""
        await self._remove(job.handle)

    async def _remove(self, handle: str) -> None:
        try:
            await self._engine.call("DELETE", f"containers/{handle}", params={"force": "1", "v": "1"})
        except EngineRefusedError as error:
            # A conflict: a removal of this container is going on already.
            if error.status not in (_ABSENT, _CONFLICT):
                raise

    async def _inspect(self, handle: str) -> dict[str, Any] | None:
        try:
            answer: dict[str, Any] = await self._engine.call("GET", f"containers/{handle}/json")
        except EngineRefusedError as error:
            if error.status == _ABSENT:
                return None
            raise
        return answer


async def _job_tar(source: Path, files: dict[str, bytes]) -> AsyncIterator[bytes]:
    """Yield the job folder as a tar; the source is read as it is sent, never whole."""
    head = io.BytesIO()
    with tarfile.open(fileobj=head, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), 0o644
            archive.addfile(member, io.BytesIO(content))
        end = archive.offset
    yield head.getvalue()[:end]
    member = tarfile.TarInfo("source.bundle")
    member.size, member.mode = (await asyncio.to_thread(source.stat)).st_size, 0o644
    yield member.tobuf(format=tarfile.GNU_FORMAT)
    left = member.size
    with await asyncio.to_thread(source.open, "rb") as bundle:
        while left > 0:
            chunk = await asyncio.to_thread(bundle.read, min(left, _CHUNK_BYTES))
            if not chunk:
                raise HostError("The source of the job became shorter while it was sent.")
            left -= len(chunk)
            yield chunk
    yield bytes(-member.size % tarfile.BLOCKSIZE + 2 * tarfile.BLOCKSIZE)
