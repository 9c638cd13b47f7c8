"""Fixtures of the tests below this folder."""

from tests.orchestrator.engine_fixtures import commit, engine, fences, image, image_of, runner, spec_of
from tests.orchestrator.image_parts import images
from tests.orchestrator.registry import registry

__all__ = ["commit", "engine", "fences", "image", "image_of", "images", "registry", "runner", "spec_of"]
