"""What the wheel installs, as a CycloneDX bill of materials: from the lock, with licences and who needs what.

The lock is of every platform. What depends on what, and under which licence, is read from the environment of this
checkout, which holds the versions of the lock; of a package that is only needed elsewhere the licence is left out.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from email.message import Message
from importlib.metadata import PackageNotFoundError, distribution
from uuid import NAMESPACE_URL, uuid5

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import ExternalReference, ExternalReferenceType, HashAlgorithm, HashType, Property, XsUri
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import License
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tools.lock import PLATFORMS, PYTHONS, Pinned

_OSI = "License :: OSI Approved :: "


class SbomError(Exception):
    """The bill cannot be made; the sentence says what to do."""


def sbom(version: str, pins: Iterable[Pinned], *, made_at: datetime, wheel: bytes | None = None) -> str:
    """Return the bill in JSON, the same for the same lock, time and wheel. Raises SbomError."""
    locked = {pin.name: pin for pin in pins}
    ours = _our_component(version, wheel)
    components = {name: _component(pin) for name, pin in locked.items()}
    said = repr((version, sorted((pin.line, pin.hashes) for pin in locked.values())))
    bill = Bom(components=components.values(), serial_number=uuid5(NAMESPACE_URL, said))
    bill.metadata.component = ours
    bill.metadata.timestamp = made_at.astimezone(UTC)
    bill.register_dependency(ours, [components[name] for name in _needed("draftsman", (), locked)])
    extras = _extras(locked)
    for name, component in components.items():
        needed = _needed(name, extras.get(name, ()), locked)
        bill.register_dependency(component, [components[one] for one in needed])
    return JsonV1Dot6(bill).output_as_string(indent=2) + "\n"


def _our_component(version: str, wheel: bytes | None) -> Component:
    hashes = [] if wheel is None else [HashType(alg=HashAlgorithm.SHA_256, content=hashlib.sha256(wheel).hexdigest())]
    return Component(
        name="draftsman",
        version=version,
        type=ComponentType.APPLICATION,
        bom_ref="draftsman",
        licenses=[LicenseFactory().make_from_string("Apache-2.0")],
        hashes=hashes,
    )


def _component(pin: Pinned) -> Component:
    purl = PackageURL("pypi", name=pin.name, version=pin.version)
    metadata = _metadata(pin)
    return Component(
        name=pin.name,
        version=pin.version,
        type=ComponentType.LIBRARY,
        bom_ref=pin.name,
        purl=purl,
        licenses=[] if metadata is None else list(_licences(metadata)),
        properties=[] if pin.marker is None else [Property(name="draftsman:needed-where", value=str(pin.marker))],
        external_references=[
            ExternalReference(
                type=ExternalReferenceType.DISTRIBUTION,
                url=XsUri(str(purl)),
                comment="the files that may be installed",
                hashes=[HashType(alg=HashAlgorithm.SHA_256, content=one) for one in pin.hashes],
            )
        ],
    )


def _metadata(pin: Pinned) -> Message | None:
    """Return what the installed package says of itself, None where it is not needed on this machine."""
    try:
        found = distribution(pin.name)
    except PackageNotFoundError:
        if pin.marker is None or pin.marker.evaluate():
            raise SbomError(f"{pin.name} is not installed: `make venv`.") from None
        return None
    if found.version != pin.version:
        raise SbomError(f"{pin.name} {found.version} is installed, the lock says {pin.version}: `make venv`.")
    return found.metadata  # type: ignore[return-value]


def _licences(metadata: Message) -> Iterator[License]:
    make = LicenseFactory()
    expression, text = metadata.get("License-Expression"), str(metadata.get("License") or "")
    if expression:
        yield make.make_from_string(str(expression))
    elif named := [one for one in metadata.get_all("Classifier", []) if one.startswith(_OSI)]:
        yield from (make.make_from_string(one.removeprefix(_OSI)) for one in named)
    elif 0 < len(text) <= 60 and "\n" not in text:
        yield make.make_from_string(text)


def _requirements(name: str) -> list[Requirement]:
    try:
        return [Requirement(one) for one in distribution(name).requires or ()]
    except PackageNotFoundError:
        return []


def _extras(locked: dict[str, Pinned]) -> dict[str, tuple[str, ...]]:
    """Return the extras of each package that anybody asks for."""
    asked: dict[str, set[str]] = {}
    for name in ("draftsman", *locked):
        for one in _requirements(name):
            asked.setdefault(canonicalize_name(one.name), set()).update(one.extras)
    return {name: tuple(sorted(extras)) for name, extras in asked.items() if extras}


def _needed(name: str, extras: tuple[str, ...], locked: dict[str, Pinned]) -> list[str]:
    """Return which packages of the lock this one needs, anywhere that Draftsman runs, or on Windows."""
    needed = {
        canonicalize_name(one.name)
        for one in _requirements(name)
        if one.marker is None or any(one.marker.evaluate(where) for where in _environments(extras))
    }
    return sorted(needed & locked.keys() - {name})


def _environments(extras: tuple[str, ...]) -> Iterator[dict[str, str]]:
    systems = [(one.sys_platform, one.machine) for one in PLATFORMS] + [("win32", "AMD64")]
    for extra in ("", *extras):
        for sys_platform, machine in systems:
            for python in PYTHONS:
                yield {
                    "extra": extra,
                    "sys_platform": sys_platform,
                    "platform_machine": machine,
                    "platform_system": {"linux": "Linux", "darwin": "Darwin", "win32": "Windows"}[sys_platform],
                    "os_name": "nt" if sys_platform == "win32" else "posix",
                    "python_version": python,
                    "python_full_version": f"{python}.0",
                }
