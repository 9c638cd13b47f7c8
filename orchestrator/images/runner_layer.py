"""The thin layer on top of every image: git, certificates, a place to work in, and the entrypoint."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from jinja2 import Environment, StrictUndefined

from draftsman import resources
from draftsman.domain.errors import BuildError

_LAYER_TEMPLATE = "runner-layer.Dockerfile.j2"
_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,63})?")


@dataclass(frozen=True, slots=True)
class RunnerLayer:
    """What lies on top of every image. `version` changes with any of its bytes."""

    template: str
    entrypoint: bytes

    @property
    def version(self) -> str:
        """Return what stands for the layer in the image key."""
        return hashlib.sha256(self.template.encode() + b"\0" + self.entrypoint).hexdigest()

    def render(self, base: str, *, user: str, has_ca: bool) -> str:
        """Return the layer's Dockerfile on `base`. Raises BuildError where the image's USER is not a plain name."""
        if user and not _USER.fullmatch(user):
            raise BuildError(f"The Dockerfile's USER {user[:80]!r} is not a user's name or number.")
        environment = Environment(undefined=StrictUndefined, keep_trailing_newline=True, autoescape=False)  # noqa: S701
        return environment.from_string(self.template).render(base=base, user=user, has_ca=has_ca)


def read_runner_layer() -> RunnerLayer:
    """Return the runner layer that ships with the code."""
    return RunnerLayer(resources.dockerfile_templates()[_LAYER_TEMPLATE], resources.entrypoint())
