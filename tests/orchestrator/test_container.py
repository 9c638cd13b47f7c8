"""A job's container configuration, as a table of what must be in it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from draftsman.domain.errors import PlanError
from draftsman.domain.plan import Step, Tier
from orchestrator.caches import cache_mounts
from orchestrator.runners.container import check_spec, container_config, container_name, environment, job_files
from orchestrator.runners.interface import JobSpec, Limits

SPEC = JobSpec(
    id="0b8b4dc2-9f1c-4a53-9a55-0d6a3c1f2e11",
    repo="acme/widgets",
    sha="a" * 40,
    image="draftsman-runner/acme/widgets:0123456789ab",
    steps=(Step("fast-1", Tier.FAST, "ruff check ."),),
    limits=Limits(memory_bytes=2**30, cpus=1.5, pids=7, open_files=9, file_bytes=11),
    epoch=3,
    nonce="f" * 32,
    network="open",
)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("CapDrop", ["ALL"]),
        ("CapAdd", ["CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "SETUID", "SETGID", "KILL"]),
        ("SecurityOpt", ["no-new-privileges"]),
        ("Privileged", False),
        ("Init", True),
        ("AutoRemove", False),
        ("Memory", 2**30),
        ("MemorySwap", 2**30),
        ("NanoCpus", 1_500_000_000),
        ("PidsLimit", 7),
        ("NetworkMode", "bridge"),
        ("Mounts", []),
    ],
)
def test_host_config(key: str, value: object) -> None:
    assert container_config(SPEC, engine_cpus=8)["HostConfig"][key] == value


def test_nothing_of_the_host_is_in_reach() -> None:
    host = container_config(replace(SPEC, caches=cache_mounts(["uv"])), engine_cpus=8)["HostConfig"]
    assert "Binds" not in host
    assert "Devices" not in host
    assert {mount["Type"] for mount in host["Mounts"]} == {"volume"}


def test_the_log_is_never_rotated() -> None:
    log = container_config(SPEC, engine_cpus=8)["HostConfig"]["LogConfig"]
    assert log["Type"] == "json-file"
    assert log["Config"] == {"max-size": "1000g", "max-file": "1", "compress": "false", "mode": "blocking"}


def test_ulimits() -> None:
    ulimits = {item["Name"]: item["Hard"] for item in container_config(SPEC, engine_cpus=8)["HostConfig"]["Ulimits"]}
    assert ulimits == {"nofile": 9, "fsize": 11, "core": 0}


def test_no_more_cpus_than_the_engine_has() -> None:
    assert container_config(SPEC, engine_cpus=1)["HostConfig"]["NanoCpus"] == 10**9


def test_no_network() -> None:
    assert container_config(replace(SPEC, network="none"), engine_cpus=1)["HostConfig"]["NetworkMode"] == "none"


def test_a_fenced_job_joins_its_fence_and_starts_nowhere_else() -> None:
    fenced = replace(SPEC, network="fenced")
    config = container_config(fenced, engine_cpus=1, holder="abc")
    assert config["HostConfig"]["NetworkMode"] == "container:abc"
    assert "Hostname" not in config, "engines refuse a name beside another container's network"
    for spec, holder in ((fenced, ""), (SPEC, "abc")):
        with pytest.raises(ValueError, match="fence"):
            container_config(spec, engine_cpus=1, holder=holder)


def test_labels_carry_what_adoption_needs() -> None:
    assert container_config(SPEC, engine_cpus=1)["Labels"] == {
        "draftsman.managed": "1",
        "draftsman.job": SPEC.id,
        "draftsman.repo": "acme/widgets",
        "draftsman.sha": "a" * 40,
        "draftsman.epoch": "3",
        "draftsman.nonce": "f" * 32,
        "draftsman.network": "open",
    }


def test_the_nonce_and_the_engine_stay_outside_of_the_environment() -> None:
    variables = container_config(SPEC, engine_cpus=1)["Env"]
    assert not any("f" * 32 in variable or "DOCKER" in variable for variable in variables)


def test_environment() -> None:
    spec = replace(
        SPEC, ca_bundle=True, proxies={"HTTP_PROXY": "http://proxy:3128"}, env={"COMMIT_SHA": "forged", "EXTRA": "1"}
    )
    variables = environment(replace(spec, caches=cache_mounts(["uv"])))
    assert variables["COMMIT_SHA"] == "a" * 40
    assert variables["SSL_CERT_FILE"] == variables["NODE_EXTRA_CA_CERTS"] == "/draftsman/ca.crt"
    assert (variables["UV_CACHE_DIR"], variables["UV_LINK_MODE"]) == ("/.cache/uv", "copy")
    assert (variables["EXTRA"], variables["CI"], variables["HTTP_PROXY"]) == ("1", "true", "http://proxy:3128")
    assert "SSL_CERT_FILE" not in environment(SPEC)


def test_job_files() -> None:
    steps = (Step("setup-1", Tier.SETUP, "a\nb"), Step("fast-1", Tier.FAST, "c", may_fail=True))
    assert job_files(steps, "n") == {
        "steps/setup-1": b"a\nb",
        "steps/fast-1": b"c",
        "steps/order": b"setup-1 setup\nfast-1 fast may-fail\n",
        "nonce": b"n\n",
    }


@pytest.mark.parametrize("command", ["a\0b", "x" * 130_000])
def test_commands_that_no_shell_takes(command: str) -> None:
    with pytest.raises(PlanError, match="fast-1"):
        job_files((Step("fast-1", Tier.FAST, command),), "n")


@pytest.mark.parametrize(
    "spec",
    [
        replace(SPEC, id="../x"),
        replace(SPEC, id=""),
        replace(SPEC, sha="HEAD"),
        replace(SPEC, sha="a" * 39),
        replace(SPEC, steps=(Step("fast-1:end", Tier.FAST, "x"),)),
        replace(SPEC, steps=(Step("../fast-1", Tier.FAST, "x"),)),
    ],
)
def test_a_spec_that_could_mean_something_else_is_refused(spec: JobSpec) -> None:
    with pytest.raises(ValueError, match=r"cannot be|is not"):
        check_spec(spec)


def test_the_name_is_the_plans() -> None:
    assert container_name(SPEC.id) == f"draftsman-job-{SPEC.id}"
