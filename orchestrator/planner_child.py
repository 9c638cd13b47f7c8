"""The program that plans, one commit after another, in a process of its own: `python -m orchestrator.planner_child`.

Requests come on stdin and answers go to stdout, each as JSON behind its length in four bytes. The files of a commit
are strangers' text for parsers written in Python, so this process may be killed at any time: it holds nothing. It ends
with its parent (stdin closes), and ends itself if a plan outlasts the deadline and the parent is no more.
"""

from __future__ import annotations

import os
import signal
import struct
import sys
import traceback
from dataclasses import dataclass
from typing import BinaryIO, Literal

from pydantic import ConfigDict, TypeAdapter

from draftsman.domain.errors import DraftsmanError, PlanError, SettingsError
from draftsman.domain.plan import Plan, ProfileOverrides, Tree
from orchestrator.planning.plan import make_plan

MEMORY_BYTES = 2**30
"""Address space that planning gets, where the platform can limit it (Linux)."""

LENGTH = struct.Struct(">I")
READY = b"ready"
"""The first message of the child, once it is ready for requests."""

_GRACE_SECONDS = 5
"""After the deadline the parent kills; this much later the child does, for a parent that is gone."""


@dataclass(frozen=True, slots=True)
class Request:
    """What `make_plan` takes, and the `seconds` that it may take. Paths are bytes, since git's need not be text."""

    __pydantic_config__ = ConfigDict(ser_json_bytes="base64", val_json_bytes="base64")

    paths: tuple[bytes, ...]
    contents: tuple[tuple[bytes, bytes], ...]
    unread: tuple[bytes, ...]
    repo: str
    overrides: ProfileOverrides
    templates: dict[str, str]
    image_prefix: str
    ca_bundle: bool
    seconds: float


@dataclass(frozen=True, slots=True)
class Answer:
    """A plan, or why there is none: the commit (`plan`), a setting, want of memory, or a fault of ours."""

    plan: Plan | None = None
    fault: Literal["plan", "settings", "memory", "ours"] | None = None
    sentence: str = ""
    detail: str = ""


REQUEST = TypeAdapter(Request)
ANSWER = TypeAdapter(Answer)


def to_bytes(path: str) -> bytes:
    """Return a path as bytes; `to_path` gives it back, whatever it holds."""
    return path.encode("utf-8", "surrogatepass")


def to_path(path: bytes) -> str:
    """Return the path that `to_bytes` encoded."""
    return path.decode("utf-8", "surrogatepass")


def answer(request: Request) -> Answer:
    """Return the plan or the fault. Never raises an Exception."""
    try:
        tree = Tree(
            frozenset(map(to_path, request.paths)),
            {to_path(path): content for path, content in request.contents},
            frozenset(map(to_path, request.unread)),
        )
        plan = make_plan(
            tree,
            repo=request.repo,
            overrides=request.overrides,
            templates=request.templates,
            image_prefix=request.image_prefix,
            ca_bundle=request.ca_bundle,
        )
        return Answer(plan=plan)
    except PlanError as error:
        return _fault("plan", error)
    except SettingsError as error:
        return _fault("settings", error)
    except MemoryError:
        return Answer(fault="memory")
    except Exception as error:
        return Answer(fault="ours", sentence=f"{type(error).__name__}: {error}", detail=traceback.format_exc()[-4000:])


def main() -> None:
    """Answer requests until stdin closes."""
    _limit_memory()
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    output = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever prints, the answers stay whole
    _write(output, READY)
    while (message := _read(sys.stdin.buffer)) is not None:
        _write(output, _serve(message))


def _serve(message: bytes) -> bytes:
    try:
        request = REQUEST.validate_json(message)
        # The default action of this signal ends the process even inside a regular expression.
        signal.setitimer(signal.ITIMER_REAL, request.seconds + _GRACE_SECONDS)
        written = ANSWER.dump_json(answer(request))
    except MemoryError:
        written = ANSWER.dump_json(Answer(fault="memory"))
    signal.setitimer(signal.ITIMER_REAL, 0)
    return written


def _fault(kind: Literal["plan", "settings"], error: DraftsmanError) -> Answer:
    return Answer(fault=kind, sentence=_valid(str(error)), detail=_valid(error.detail))


def _valid(text: str) -> str:
    return text.encode("utf-8", "replace").decode()


def _limit_memory() -> None:
    if sys.platform != "linux":
        return
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    limit = MEMORY_BYTES if hard == resource.RLIM_INFINITY else min(MEMORY_BYTES, hard)
    resource.setrlimit(resource.RLIMIT_AS, (limit, hard))


def _read(source: BinaryIO) -> bytes | None:
    """Return the next message, or None where the parent has closed the pipe, be it in the midst of one."""
    head = source.read(LENGTH.size)
    if len(head) < LENGTH.size:
        return None
    size = LENGTH.unpack(head)[0]
    message = source.read(size)
    return message if len(message) == size else None


def _write(target: BinaryIO, message: bytes) -> None:
    target.write(LENGTH.pack(len(message)) + message)
    target.flush()


if __name__ == "__main__":
    main()
