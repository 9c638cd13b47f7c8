"""The engine's command-line client, and the engine's address, for the making of stand-ins."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tools.engine_address import candidates, engine_answers, first_answering
from tools.engine_daemon import places


class StandInError(Exception):
    """A stand-in cannot be made; the text says why and what to do."""


@dataclass(frozen=True)
class EngineClient:
    """Runs `docker` against one engine."""

    address: str
    program: str

    def run(self, *arguments: str, stdin: Path | None = None, purpose: str = "") -> subprocess.CompletedProcess[str]:
        """What `docker ARGUMENTS` answered. With a purpose, a failure raises StandInError that names it."""
        environment = {**os.environ, "DOCKER_HOST": self.address, "BUILDKIT_PROGRESS": "plain"}
        with (stdin or Path(os.devnull)).open("rb") as given:
            done = subprocess.run(
                [self.program, *arguments],
                env=environment,
                stdin=given,
                capture_output=True,
                text=True,
                errors="replace",
            )
        if purpose and done.returncode != 0:
            lines = "\n".join((done.stdout + done.stderr).strip().splitlines()[-25:])
            raise StandInError(f"docker could not {purpose}:\n{lines}")
        return done

    def labels(self, reference: str) -> dict[str, str] | None:
        """The labels of a local image; None when the engine does not have it."""
        written = '{{range $name, $value := .Config.Labels}}{{$name}}={{$value}}{{"\\n"}}{{end}}'
        asked = self.run("image", "inspect", "--format", written, reference)
        if asked.returncode != 0:
            return None
        return dict(line.split("=", 1) for line in asked.stdout.splitlines() if "=" in line)


def find_client() -> EngineClient:
    """The client of the engine that answers. Raises StandInError."""
    address = first_answering(candidates(os.environ, Path.home()), engine_answers)
    if address is None:
        raise StandInError("No Docker engine answers: run `make engine` first.")
    path = ":".join([os.environ.get("PATH", os.defpath), *places(os.environ).path_entries])
    program = shutil.which("docker", path=path)
    if program is None:
        raise StandInError("There is no `docker` command: run `make engine`, or install Docker's client.")
    return EngineClient(address, program)
