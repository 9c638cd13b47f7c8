"""All rules of planning, in the order in which the documents list them."""

from __future__ import annotations

from orchestrator.planning import any_rules, own_dockerfile
from orchestrator.planning.ecosystems import ECOSYSTEMS
from orchestrator.planning.rule import Rule, rules_in

RULES: tuple[Rule, ...] = (
    rules_in(any_rules) + own_dockerfile.RULES + tuple(rule for ecosystem in ECOSYSTEMS for rule in ecosystem.rules)
)
