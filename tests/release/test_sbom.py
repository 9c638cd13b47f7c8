"""The bill of materials names all that the wheel installs, in the form that tools for it read."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from importlib.resources import files
from typing import Any

import jsonschema_rs
import pytest

from draftsman import __version__
from tests.release.installed import ROOT
from tools import lock
from tools.lock import Pinned
from tools.sbom import SbomError, sbom

PINS = lock.read((ROOT / "requirements.lock").read_text("utf-8"))
WHEN = datetime(2026, 11, 27, 12, tzinfo=UTC)
WHEEL = b"the wheel"


@pytest.fixture(scope="module")
def bill() -> dict[str, Any]:
    made: dict[str, Any] = json.loads(sbom(__version__, PINS, made_at=WHEN, wheel=WHEEL))
    return made


def schemas() -> jsonschema_rs.Validator:
    """Return CycloneDX's own schema, with those that it refers to, as its library carries them."""
    folder = files("cyclonedx.schema") / "_res"
    read = {
        name: json.loads((folder / name).read_text("utf-8"))
        for name in (f"{stem}.SNAPSHOT.schema.json" for stem in ("bom-1.6", "spdx", "jsf-0.82"))
    }
    beside = read["bom-1.6.SNAPSHOT.schema.json"]["$id"].rpartition("/")[0]
    registry = jsonschema_rs.Registry([(f"{beside}/{name}", schema) for name, schema in read.items()])
    return jsonschema_rs.Draft7Validator(read["bom-1.6.SNAPSHOT.schema.json"], registry=registry, validate_formats=True)


def test_it_is_valid(bill: dict[str, Any]) -> None:
    schema = schemas()
    assert [error.message for error in schema.iter_errors(bill)] == []
    assert bill["bomFormat"] == "CycloneDX"
    broken = bill | {"components": [{"name": "has no type"}]}
    assert not schema.is_valid(broken)


def test_it_names_every_package_of_the_lock_with_its_files(bill: dict[str, Any]) -> None:
    assert {(one["name"], one["version"]) for one in bill["components"]} == {(pin.name, pin.version) for pin in PINS}
    of_redis = next(one for one in bill["components"] if one["name"] == "redis")
    pin = next(pin for pin in PINS if pin.name == "redis")
    assert of_redis["purl"] == f"pkg:pypi/redis@{pin.version}"
    assert {one["content"] for one in of_redis["externalReferences"][0]["hashes"]} == set(pin.hashes)


def test_it_knows_licences_but_of_what_is_needed_elsewhere_alone(bill: dict[str, Any]) -> None:
    without = {one["name"] for one in bill["components"] if not one.get("licenses")}
    assert without <= {pin.name for pin in PINS if pin.marker is not None}


def test_everything_is_there_because_something_needs_it(bill: dict[str, Any]) -> None:
    needs = {one["ref"]: one.get("dependsOn", []) for one in bill["dependencies"]}
    reached, ahead = set[str](), ["draftsman"]
    while ahead:
        if (one := ahead.pop()) not in reached:
            reached.add(one)
            ahead += needs[one]
    assert reached == {"draftsman"} | {pin.name for pin in PINS}
    assert "cryptography" in needs["pyjwt"]  # by its extra


def test_it_is_about_one_wheel_and_the_same_each_time(bill: dict[str, Any]) -> None:
    ours = bill["metadata"]["component"]
    assert (ours["name"], ours["version"], len(ours["hashes"])) == ("draftsman", __version__, 1)
    assert json.loads(sbom(__version__, reversed(PINS), made_at=WHEN, wheel=WHEEL)) == bill


@pytest.mark.parametrize(("name", "version"), [("redis", "0.0.1"), ("not-installed-at-all", "1.0")])
def test_another_environment_than_the_locks_is_said(name: str, version: str) -> None:
    with pytest.raises(SbomError, match="make venv"):
        sbom("1.0", [Pinned(name, version, None, ("0" * 64,))], made_at=WHEN)
