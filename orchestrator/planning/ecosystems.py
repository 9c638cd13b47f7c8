"""The ecosystems that planning knows, in the order in which they own the tests where several have some."""

from __future__ import annotations

from orchestrator.planning import go, node, python, ruby, rust

ECOSYSTEMS = (python.ECOSYSTEM, node.ECOSYSTEM, ruby.ECOSYSTEM, go.ECOSYSTEM, rust.ECOSYSTEM)
