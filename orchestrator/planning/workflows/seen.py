"""What workflows say: commands, versions, and the jobs that they stand in."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Seen:
    """A command line or a version that a workflow names.

    `folder` is where a command runs, empty for the top of the repository. `env` holds the plain variables that the
    workflow sets for it. `inner` holds the commands that it is known to run, where it is a script or a task; they
    may lack their last words, so they tell what it is, and are not to be run. `via` is
    the command as the workflow has it, where a task's recipe stands in `text`.
    """

    file: str
    line: int | None
    text: str
    folder: str = ""
    env: tuple[tuple[str, str], ...] = ()
    inner: tuple[str, ...] = ()
    via: str = ""

    @property
    def words(self) -> tuple[str, ...]:
        """Return the command's words without their quotes, as the program gets them."""
        return tuple(shlex.split(self.text))

    @property
    def place(self) -> str:
        """Return file and line, as `ci.yml:8`."""
        return self.file if self.line is None else f"{self.file}:{self.line}"


@dataclass(frozen=True, slots=True)
class Job:
    """A job of a workflow: its plain commands in order, and the images of the services that it starts.

    `service_lines` are the lines of `file` on which they stand. `unfinished` holds the first words of commands whose
    other words are not known (`tox run -e $X`): they tell which tool runs, and are not to be run.
    """

    file: str
    name: str
    commands: tuple[Seen, ...]
    services: tuple[str, ...] = ()
    service_lines: tuple[int | None, ...] = ()
    unfinished: tuple[Seen, ...] = ()


@dataclass(frozen=True, slots=True)
class Workflows:
    """The plain commands of all workflows that run at the top folder, each once; and what they set up.

    `jobs` has the commands by job, in order, repeated where jobs repeat them, those of other folders too. `versions`
    and `version_files` are by ecosystem.
    """

    commands: tuple[Seen, ...] = ()
    versions: dict[str, tuple[Seen, ...]] | None = None
    jobs: tuple[Job, ...] = ()
    version_files: dict[str, tuple[Seen, ...]] = field(default_factory=dict)

    def versions_of(self, ecosystem: str) -> tuple[Seen, ...]:
        """Return the versions that workflows set up for an ecosystem or tool (`python`, `node`, `pnpm`...)."""
        return (self.versions or {}).get(ecosystem, ())

    def version_files_of(self, ecosystem: str) -> tuple[Seen, ...]:
        """Return the files of this commit that workflows read its version from; `text` is the path."""
        return self.version_files.get(ecosystem, ())
