"""What a fence lets through, as rules: the order and the sets."""

from __future__ import annotations

import re

import pytest

from draftsman.domain.errors import HostError, SettingsError
from orchestrator.fence.gate import choose_network
from orchestrator.fence.rules import FencePolicy, fence_rules, read_policy


def _out(rules: str) -> list[str]:
    chain = rules.split("chain out {")[1].split("}\n  chain")[0]
    return [line.strip() for line in chain.splitlines() if "daddr" in line or "l4proto {" in line]


def test_host_and_siblings_are_refused_before_anything_is_let_through() -> None:
    rules = _out(fence_rules(FencePolicy(), ["203.0.113.7", "2001:db8::7"], ["172.17.0.0/16"]))
    assert "203.0.113.7" in rules[0]
    assert "172.17.0.0/16" in rules[0]
    assert rules[0].endswith("reject with tcp reset")
    assert rules[-1] == "meta l4proto { tcp, udp, icmp, icmpv6 } accept"
    assert not any(rule.endswith("accept") for rule in rules[:-1])


@pytest.mark.parametrize(
    "network",
    ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "100.64.0.0/10", "224.0.0.0/3", "fc00::/7"],
)
def test_private_networks_are_refused(network: str) -> None:
    refused = "".join(rule for rule in _out(fence_rules(FencePolicy(), ["203.0.113.7"], [])) if "reject" in rule)
    assert network in refused


def test_the_order_of_an_administrators_exceptions() -> None:
    policy = read_policy(["10.1.2.3:3141", "10.9.0.0/16"], ["198.51.100.0/24"], ["http://u:p@10.5.5.5:3128"])
    rules = _out(fence_rules(policy, ["10.9.0.1"], []))
    wanted = ["198.51.100.0/24", "10.1.2.3/32 tcp dport 3141 accept", "10.5.5.5/32 tcp dport 3128 accept"]
    wanted += ["10.9.0.1", "10.9.0.0/16", "10.0.0.0/8"]
    places = [next(at for at, rule in enumerate(rules) if re.search(re.escape(one), rule)) for one in wanted]
    assert places == sorted(places), "denied first, then ports, the host, networks, and what is private last"


@pytest.mark.parametrize("entry", ["example.com", "10.0.0.0/33", "10.1.2.3:0", "10.1.2.3:99999", "accept; drop"])
def test_what_is_no_address_is_refused_with_its_setting(entry: str) -> None:
    with pytest.raises(SettingsError, match="DRAFTSMAN_FENCE_ALLOW"):
        read_policy([entry], [])


def test_a_proxy_by_name_opens_nothing() -> None:
    assert read_policy([], [], ["http://proxy.example:3128", "nonsense://"]).allowed == ()


def test_which_network_a_job_gets() -> None:
    assert choose_network("none", trusted=False, fault="broken", required=True) == ("none", "")
    assert choose_network("internet", trusted=False, fault="", required=False) == ("fenced", "")
    network, warning = choose_network("internet", trusted=True, fault="No nftables.", required=False)
    assert (network, warning) == ("open", "The job ran without a network fence: No nftables.")
    with pytest.raises(HostError, match="no code of strangers runs here"):
        choose_network("internet", trusted=False, fault="broken", required=False)
    with pytest.raises(HostError, match="DRAFTSMAN_FENCE=required"):
        choose_network("internet", trusted=True, fault="broken", required=True)
