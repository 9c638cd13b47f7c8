"""Fixtures of the hostile jobs: a real engine, with fences."""

from tests.orchestrator.engine_fixtures import commit, engine, fences, image, image_of, runner, spec_of

__all__ = ["commit", "engine", "fences", "image", "image_of", "runner", "spec_of"]
