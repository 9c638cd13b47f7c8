"""Debian packages: installing those of this machine, and reading those of a newer suite.

The second is for programs that this machine's own suite has only in an old version: their packages are
downloaded with a sources file and a list folder of their own and unpacked beside the system, so that
nothing of the system is upgraded.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

Say = Callable[[str], None]

# Option names of a one-line source that a deb822 source spells differently than by capitals (sources.list(5)).
ONE_LINE_OPTIONS = {
    "arch": "Architectures",
    "lang": "Languages",
    "target": "Targets",
    "pdiffs": "PDiffs",
    "by-hash": "By-Hash",
    "signed-by": "Signed-By",
}


class AptError(Exception):
    """A package cannot be had; the text says which, and what apt answered."""


@dataclass(frozen=True)
class AptSource:
    """One entry of the machine's package sources, whichever of the two formats it was written in."""

    uris: tuple[str, ...]
    suites: tuple[str, ...]
    components: tuple[str, ...]
    options: dict[str, str] = field(default_factory=dict)


def parse_one_line(text: str) -> list[AptSource]:
    """The `deb` entries of a `.list` file."""
    sources = []
    for raw in text.splitlines():
        line = raw.split("#", 1)[0].strip()
        if not line.startswith(("deb ", "deb\t")):
            continue
        rest = line[3:].strip()
        options: dict[str, str] = {}
        if rest.startswith("["):
            inside, _, rest = rest[1:].partition("]")
            options = dict(_one_line_option(word) for word in inside.split() if "=" in word)
        words = rest.split()
        if len(words) >= 2:
            sources.append(AptSource((words[0],), (words[1],), tuple(words[2:]), options))
    return sources


def _one_line_option(word: str) -> tuple[str, str]:
    name, _, value = word.partition("=")
    return ONE_LINE_OPTIONS.get(name, name.title()), value.replace(",", " ")


def parse_deb822(text: str) -> list[AptSource]:
    """The enabled `deb` entries of a `.sources` file; a key written into the file is kept with its lines."""
    sources = []
    for fields in _stanzas(text):
        if "deb" not in fields.get("types", "").split():
            continue
        if fields.get("enabled", "yes").lower() in ("no", "false", "0", "off"):
            continue
        named = {"types", "uris", "suites", "components", "enabled"}
        options = {name.title(): value for name, value in fields.items() if name not in named}
        words = {name: tuple(fields.get(name, "").split()) for name in ("uris", "suites", "components")}
        sources.append(AptSource(words["uris"], words["suites"], words["components"], options))
    return sources


def _stanzas(text: str) -> Iterable[dict[str, str]]:
    fields: dict[str, str] = {}
    name = ""
    for line in [*text.splitlines(), ""]:
        if line.startswith("#"):
            continue
        if not line.strip():
            if fields:
                yield fields
            fields, name = {}, ""
        elif line[0] in " \t":
            if name:
                fields[name] += "\n" + line.rstrip()
        else:
            name, _, value = line.partition(":")
            name = name.strip().lower()
            fields[name] = value.strip()


def find_mirror(sources: Iterable[AptSource], codename: str) -> AptSource:
    """The source that serves the main component of `codename` to this machine. Raises AptError."""
    for source in sources:
        names_release = codename in source.suites or "stable" in source.suites
        if names_release and "main" in source.components and not source.uris[0].startswith("cdrom:"):
            return source
    raise AptError(
        f"None of the package sources in /etc/apt serves {codename} main, so the Debian mirror of this machine "
        "is unknown. Add it to /etc/apt/sources.list."
    )


def derive_source(sources: Iterable[AptSource], codename: str, suite: str) -> str:
    """A deb822 source of `suite`'s main component, on the mirror that serves `codename` to this machine.

    Raises AptError when no source of this machine serves `codename`.
    """
    source = find_mirror(sources, codename)
    lines = ["Types: deb", f"URIs: {source.uris[0]}", f"Suites: {suite}", "Components: main"]
    for name, value in source.options.items():
        if name not in ("Architectures", "Languages", "Targets"):
            lines.append(f"{name}:{value}" if value.startswith("\n") else f"{name}: {value}")
    return "\n".join(lines) + "\n"


def machine_sources(folder: Path = Path("/etc/apt")) -> list[AptSource]:
    """All package sources of this machine."""
    found: list[AptSource] = []
    listed = folder / "sources.list"
    if listed.exists():
        found += parse_one_line(listed.read_text(errors="replace"))
    for path in sorted((folder / "sources.list.d").glob("*")):
        if path.suffix == ".list":
            found += parse_one_line(path.read_text(errors="replace"))
        elif path.suffix == ".sources":
            found += parse_deb822(path.read_text(errors="replace"))
    return found


def debian_codename() -> str:
    """This machine's Debian code name, such as `bookworm`; empty when it is not Debian."""
    try:
        release = platform.freedesktop_os_release()
    except OSError:
        return ""
    return release.get("VERSION_CODENAME", "") if release.get("ID") == "debian" else ""


def is_debian_root() -> bool:
    """Whether packages can be installed here: Debian, and we are root."""
    return bool(debian_codename()) and os.geteuid() == 0


def missing_packages(names: Iterable[str]) -> list[str]:
    """Those of `names` that are not installed on this machine."""
    missing = []
    for name in names:
        asked = subprocess.run(["dpkg-query", "-W", "-f", "${db:Status-Status}", name], capture_output=True, text=True)
        if asked.stdout.strip() != "installed":
            missing.append(name)
    return missing


def install(names: Iterable[str], say: Say) -> None:
    """Installs what is missing of `names`, reading the package lists anew only if they do not know it.

    Raises AptError with apt's own last lines.
    """
    missing = missing_packages(names)
    if not missing:
        return
    say(f"installing {', '.join(missing)} (apt)")
    order = [
        *("apt-get", "-o", "DPkg::Lock::Timeout=300", "-qq", "install"),
        *("-y", "--no-install-recommends", *missing),
    ]
    if _apt(order).returncode == 0:
        return
    say("reading the package lists anew (apt-get update)")
    _apt(["apt-get", "-o", "DPkg::Lock::Timeout=300", "-qq", "update"])
    done = _apt(order)
    if done.returncode != 0:
        raise AptError(f"apt-get could not install {' '.join(missing)}:\n{_last_lines(done)}")


def unpack_from_suite(names: Iterable[str], suite: str, folder: Path, into: Path, say: Say) -> None:
    """Unpacks the packages `names` of the Debian suite `suite` into `into`; nothing is installed.

    `folder` holds what is only needed on the way and is emptied again. Raises AptError.
    """
    wanted = list(names)
    source = derive_source(machine_sources(), debian_codename(), suite)
    shutil.rmtree(folder, ignore_errors=True)
    for part in ("lists/partial", "cache/archives/partial", "debs"):
        (folder / part).mkdir(parents=True)
    listed = folder / "suite.sources"
    listed.write_text(source)
    own = [
        *("-qq", "-o", f"Dir::Etc::sourcelist={listed}", "-o", "Dir::Etc::sourceparts=-"),
        *("-o", f"Dir::State::lists={folder / 'lists'}", "-o", f"Dir::Cache={folder / 'cache'}"),
        # The folder is root's own, which apt's download user cannot enter: download as root, without a warning.
        *("-o", "Acquire::Languages=none", "-o", "APT::Sandbox::User=root"),
    ]
    say(f"reading the package list of {suite}")
    _checked(["apt-get", *own, "update", "--error-on=any"], f"read the package list of {suite}")
    say(f"downloading {', '.join(wanted)} of {suite}")
    _checked(["apt-get", *own, "download", *wanted], f"download {' '.join(wanted)}", cwd=folder / "debs")
    shutil.rmtree(into, ignore_errors=True)
    into.mkdir(parents=True)
    for package in sorted((folder / "debs").glob("*.deb")):
        _checked(["dpkg-deb", "-x", str(package), str(into)], f"unpack {package.name}")
    shutil.rmtree(folder, ignore_errors=True)


def _checked(order: list[str], purpose: str, cwd: Path | None = None) -> None:
    done = _apt(order, cwd)
    if done.returncode != 0:
        raise AptError(f"{order[0]} could not {purpose}:\n{_last_lines(done)}")


def _apt(order: list[str], cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"}
    return subprocess.run(
        order,
        cwd=cwd,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )


def _last_lines(done: subprocess.CompletedProcess[str], count: int = 12) -> str:
    return "\n".join(done.stdout.strip().splitlines()[-count:])
