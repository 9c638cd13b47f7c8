"""Renders the generated Dockerfile. All values are checked against their grammars once more, right here."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass

from jinja2 import DictLoader, Environment, StrictUndefined

from draftsman.domain.errors import PlanError, SettingsError
from draftsman.domain.plan import Profile, Toolchain
from draftsman.domain.profile import SWITCHES
from orchestrator.planning import grammar
from orchestrator.planning.part import CopiedProgram
from orchestrator.planning.trail import show
from orchestrator.planning.versions import DEBIAN_IMAGE, UV

APT = ("ca-certificates", "curl", "git", "jq")
"""The Debian packages of every generated image."""

COPIED_NEEDS: dict[str, tuple[str, ...]] = {
    "node": ("libatomic1",),
    "ruby": ("libffi8", "libgmp10", "libyaml-0-2", "openssl", "zlib1g"),
    "go": ("gcc", "libc6-dev"),
    "rust": ("gcc", "libc6-dev"),
}
"""The Debian packages that a toolchain needs which is copied into another image."""


@dataclass(frozen=True, slots=True)
class Ingredients:
    """What a generated Dockerfile is made of. `base` is None where no ecosystem was found."""

    repo: str
    profile: Profile
    base: Toolchain | None
    copied: tuple[Toolchain, ...]
    apt: tuple[str, ...]
    uv: bool
    steps: tuple[str, ...] = ()
    env: tuple[str, ...] = ()
    programs: tuple[CopiedProgram, ...] = ()


def render_dockerfile(
    ingredients: Ingredients, templates: Mapping[str, str], *, image_prefix: str, ca_bundle: bool
) -> str:
    """Return the Dockerfile's text.

    `templates` maps the names of the files in `dockerfiles/templates/` to their texts. Raises PlanError for
    a value outside its grammar, SettingsError for such an image prefix.
    """
    if not grammar.fits(grammar.IMAGE_PREFIX, image_prefix):
        raise SettingsError(
            f"The registry mirror prefix {show(image_prefix)!r} is not one such as 'mirror.example/hub/'."
        )
    base, copied = ingredients.base, ingredients.copied
    needs = [package for toolchain in copied for package in COPIED_NEEDS.get(toolchain.ecosystem, ())]
    name = "debian" if base is None else base.ecosystem
    environment = Environment(
        loader=DictLoader(dict(templates)),
        undefined=StrictUndefined,
        autoescape=False,  # noqa: S701  (a Dockerfile is no HTML; the grammars keep its values harmless)
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    text = environment.get_template(f"{name}.Dockerfile.j2").render(
        repo=re.sub(r"[^A-Za-z0-9._/-]", "-", ingredients.repo)[:200],
        profile_hash=profile_hash(ingredients.profile),
        image=_checked_image(image_prefix + (base.image if base else DEBIAN_IMAGE)),
        copied=[
            {"ecosystem": toolchain.ecosystem, "image": _checked_image(image_prefix + toolchain.image)}
            for toolchain in copied
        ],
        programs=[_checked_program(image_prefix, program) for program in dict.fromkeys(ingredients.programs)],
        apt=_checked_packages([*APT, *ingredients.apt, *needs]),
        uv=UV if ingredients.uv else None,
        env=[_checked_variable(variable) for variable in dict.fromkeys(ingredients.env)],
        steps=[_checked_step(step) for step in dict.fromkeys(ingredients.steps)],
        ca_bundle=ca_bundle,
    )
    return text.rstrip("\n") + "\n"


def profile_hash(profile: Profile) -> str:
    """Return 12 hexadecimal digits that change with the profile, so that a changed profile is a new image.

    What is fetched into the checkout is no part of the image.
    """
    values = {name: value for name, value in asdict(profile).items() if name not in SWITCHES}
    content = json.dumps(values, sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()[:12]


def _checked_image(image: str) -> str:
    if not grammar.fits(grammar.IMAGE, image):
        raise PlanError(f"{show(image)!r} is not the name of an image.")
    return image


def _checked_program(image_prefix: str, program: CopiedProgram) -> dict[str, str]:
    if not grammar.fits(grammar.PROGRAM_PATH, program.path):
        raise PlanError(f"{show(program.path)!r} is not where an image has a program.")
    name = program.path.rpartition("/")[2]
    return {"name": name, "path": program.path, "image": _checked_image(image_prefix + program.image)}


def _checked_step(step: str) -> str:
    if not grammar.fits(grammar.IMAGE_STEP, step):
        raise PlanError(f"{show(step)!r} is no command that an image may run.")
    return step


def _checked_variable(variable: str) -> str:
    if not grammar.fits(grammar.IMAGE_VARIABLE, variable):
        raise PlanError(f"{show(variable)!r} is no variable that an image may set.")
    return variable


def _checked_packages(packages: Iterable[str]) -> list[str]:
    unique = sorted(set(packages))
    for package in unique:
        if not grammar.fits(grammar.DEBIAN_PACKAGE, package):
            raise PlanError(f"{show(package)!r} is not the name of a Debian package.")
    return unique
