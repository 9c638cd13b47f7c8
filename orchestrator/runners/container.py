"""A job's spec as the configuration of its container. Pure: values in, JSON of the engine's API out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from draftsman.domain.errors import PlanError
from draftsman.domain.plan import Step
from orchestrator.runners.interface import JobSpec, Limits

CAPABILITIES = ("CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "SETUID", "SETGID", "KILL")
"""Enough for package managers and for ending steps that became another user. Never NET_RAW (raw frames go
round any rules of a network namespace) and never NET_ADMIN (which could change those rules)."""

LABEL_JOB = "draftsman.job"
LABEL_REPO = "draftsman.repo"
LABEL_SHA = "draftsman.sha"
LABEL_EPOCH = "draftsman.epoch"
LABEL_NONCE = "draftsman.nonce"
LABEL_NETWORK = "draftsman.network"
LABEL_INSTANCE = "draftsman.instance"
"""Whose a container or a volume is: several Draftsmans may share an engine, and none touches what is another's."""

CA_PATH = "/draftsman/ca.crt"
JOB_FOLDER = "/draftsman/job"
RESULT_PATH = "/draftsman/result/result.json"
SUMMARY_PATH = "/draftsman/result/summary.md"

_CA_VARIABLES = (
    "SSL_CERT_FILE",
    "REQUESTS_CA_BUNDLE",
    "PIP_CERT",
    "CURL_CA_BUNDLE",
    "GIT_SSL_CAINFO",
    "NODE_EXTRA_CA_CERTS",
    "CARGO_HTTP_CAINFO",
    "BUNDLE_SSL_CA_CERT",
)
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_SHA = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_COMMAND_BYTES = 120_000
"""Linux takes 128 KiB for one argument of a program, and a step is one argument of `sh -c`."""


def container_name(job_id: str) -> str:
    """Return the container's name for a job. Raises ValueError where the id is not a plain one."""
    if not _ID.fullmatch(job_id):
        raise ValueError(f"{job_id!r} cannot be the id of a job.")
    return f"draftsman-job-{job_id}"


def container_config(spec: JobSpec, *, engine_cpus: int, holder: str = "") -> dict[str, Any]:
    """Return the body of `POST /containers/create` for a job.

    `engine_cpus` bounds the limit, since an engine refuses more than it has. `holder` is the container that holds the
    fence. Raises ValueError where the job asks for a fence and there is none.
    """
    if (spec.network == "fenced") != bool(holder):
        raise ValueError("A fenced job needs the holder of its fence, and no other job has one.")
    # A container that joins another one's network has that one's name, too: engines refuse it a name of its own.
    named = {} if holder else {"Hostname": "draftsman"}
    return {
        "Image": spec.image,
        "Entrypoint": ["/draftsman/entrypoint"],
        "Cmd": [],
        "WorkingDir": "/",
        "Env": [f"{name}={value}" for name, value in environment(spec).items()],
        "Labels": labels(spec),
        **named,
        "AttachStdin": False,
        "OpenStdin": False,
        "Tty": False,
        "StopSignal": "SIGTERM",
        "Healthcheck": {"Test": ["NONE"]},
        "HostConfig": {
            **host_config(spec.limits, engine_cpus=engine_cpus, runtime=spec.runtime),
            "NetworkMode": f"container:{holder}" if holder else _NETWORKS[spec.network],
            "Mounts": [{"Type": "volume", "Source": cache.volume, "Target": cache.path} for cache in spec.caches],
        },
    }


_NETWORKS = {"open": "bridge", "none": "none"}


def environment(spec: JobSpec) -> dict[str, str]:
    """Return the job's environment; what the contract promises comes last and cannot be overridden."""
    variables: dict[str, str] = dict(spec.proxies)
    if spec.ca_bundle:
        variables |= dict.fromkeys(_CA_VARIABLES, CA_PATH)
    for cache in spec.caches:
        variables |= cache.env
    return variables | {
        **spec.env,
        "CI": "true",
        "DRAFTSMAN": "true",
        "JOB_ID": spec.id,
        "REPO": spec.repo,
        "COMMIT_SHA": spec.sha,
    }


def labels(spec: JobSpec) -> dict[str, str]:
    """Return the labels of a job's container and of its fence: all that adoption and upkeep need."""
    return {
        **spec.labels,
        "draftsman.managed": "1",
        LABEL_JOB: spec.id,
        LABEL_REPO: spec.repo,
        LABEL_SHA: spec.sha,
        LABEL_EPOCH: str(spec.epoch),
        LABEL_NONCE: spec.nonce,
        LABEL_NETWORK: spec.network,
    }


def host_config(limits: Limits, *, engine_cpus: int, runtime: str = "") -> dict[str, Any]:
    """Return what limits and hardens a job: the part of its HostConfig that does not depend on what it runs."""
    return {
        **({"Runtime": runtime} if runtime else {}),
        # The result must survive the end of the job, and of the worker: we remove it ourselves.
        "AutoRemove": False,
        "RestartPolicy": {"Name": "no"},
        # docker-init reaps what steps leave behind, and is the pid 1 that a signal to all spares.
        "Init": True,
        "CapDrop": ["ALL"],
        "CapAdd": list(CAPABILITIES),
        "SecurityOpt": ["no-new-privileges"],
        "Privileged": False,
        "Memory": limits.memory_bytes,
        "MemorySwap": limits.memory_bytes,
        "NanoCpus": int(min(limits.cpus, engine_cpus) * 1e9),
        "PidsLimit": limits.pids,
        "Ulimits": [
            {"Name": "nofile", "Soft": limits.open_files, "Hard": limits.open_files},
            {"Name": "fsize", "Soft": limits.file_bytes, "Hard": limits.file_bytes},
            {"Name": "core", "Soft": 0, "Hard": 0},
        ],
        "LogConfig": _LOG_CONFIG,
    }


# Rotation loses lines for a follower, and an engine's daemon.json adds its own options to those given here:
# so each one that matters is given, with a size that no job reaches before its own limit ends it.
_LOG_CONFIG: Mapping[str, Any] = {
    "Type": "json-file",
    "Config": {"max-size": "1000g", "max-file": "1", "compress": "false", "mode": "blocking"},
}


def job_files(steps: tuple[Step, ...], nonce: str) -> dict[str, bytes]:
    """Return what the entrypoint reads beside the source: {path in the job folder: content}.

    Raises PlanError where a command cannot be given to a shell.
    """
    files = {f"steps/{step.id}": _command(step) for step in steps}
    order = "".join(f"{step.id} {step.tier}{' may-fail' if step.may_fail else ''}\n" for step in steps)
    return {**files, "steps/order": order.encode(), "nonce": f"{nonce}\n".encode()}


def _command(step: Step) -> bytes:
    command = step.command.encode("utf-8", "surrogateescape")
    if b"\0" in command or len(command) > _COMMAND_BYTES:
        raise PlanError(f"The command of step {step.id} is longer than {_COMMAND_BYTES} bytes, or holds a NUL byte.")
    return command


def check_spec(spec: JobSpec) -> None:
    """Raise ValueError where the id, SHA or a step's id could mean anything else in a path or a marker."""
    container_name(spec.id)
    if not _SHA.fullmatch(spec.sha):
        raise ValueError(f"{spec.sha!r} is not a full commit SHA.")
    for step in spec.steps:
        if not re.fullmatch(r"(?:setup|fast|full)-[0-9]{1,4}", step.id):
            raise ValueError(f"{step.id!r} cannot be the id of a step.")
