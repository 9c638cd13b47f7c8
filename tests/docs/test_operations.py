"""What docs/operations.md tells an administrator to type, to let through and to expect is what the code needs."""

from __future__ import annotations

import re
import shutil
import subprocess
from configparser import ConfigParser
from pathlib import Path

import pytest
import typer

from draftsman.cli.main import app
from draftsman.settings import Settings, environment_names
from tests.docs.engine_calls import engine_calls

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/operations.md").read_text("utf-8")
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
OPERATIONS = [ROOT / "docs/operations.md", *sorted((ROOT / "docs/alerts").glob("*.md"))]
UNITS = sorted((ROOT / "packaging/systemd").glob("*.service"))


def test_the_calls_that_a_socket_proxy_lets_through_are_those_that_the_code_makes() -> None:
    (section,) = re.findall(r"^### A socket proxy$(.*?)^###? ", PAGE, re.MULTILINE | re.DOTALL)
    table = "".join(line for line in section.splitlines(keepends=True) if line.startswith("|"))
    said = set(re.findall(r"`((?:GET|POST|PUT|DELETE|HEAD) /[^`]*)`", table))
    assert said == engine_calls()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_default_that_a_page_names_is_the_settings(page: Path) -> None:
    fields = {name: field for field, name in environment_names().items()}
    for name, said in re.findall(r"`((?:DRAFTSMAN|GITHUB)_[A-Z_]+)` \((\d+)\)", page.read_text("utf-8")):
        assert Settings.model_fields[fields[name]].default == int(said), f"{name} in {page.name}"


def commands() -> dict[str, set[str]]:
    """Return each command of the program, subcommands with a space, and its options."""
    found: dict[str, set[str]] = {}

    def walk(command: object, path: str) -> None:
        found[path] = {option for one in getattr(command, "params", ()) for option in one.opts}
        for name, child in getattr(command, "commands", {}).items():
            walk(child, f"{path} {name}".strip())

    walk(typer.main.get_command(app), "")
    return found


@pytest.mark.parametrize("page", OPERATIONS, ids=lambda page: page.name)
def test_a_command_that_a_page_names_is_there(page: Path) -> None:
    known = commands()
    code = re.findall(r"```.*?```|`[^`\n]+`", page.read_text("utf-8"), re.DOTALL)
    for typed in re.findall(r"(?:^|[ `/])draftsman ([a-z][^`\n|;&…#]*)", "\n".join(code), re.MULTILINE):
        words = typed.split()
        path = next((" ".join(words[:count]) for count in (2, 1) if " ".join(words[:count]) in known), None)
        assert path is not None, f"draftsman {typed}"
        unknown = {word for word in words if word.startswith("--")} - known[path]
        assert not unknown, f"draftsman {typed}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_link_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text("utf-8")):
        path, _, anchor = target.partition("#")
        if "://" in path:
            continue
        file = page if not path else (page.parent / path).resolve()
        assert file.exists(), f"{page.name} leads to {target}"
        if anchor and file.suffix == ".md":
            assert anchor in anchors(file), f"{page.name} leads to {target}"


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, made as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.MULTILINE)
    texts = (re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading) for heading in headings)
    return {re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-") for text in texts}


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_a_unit_starts_at_boot_with_a_command_that_is_there(unit: Path) -> None:
    said = ConfigParser(strict=False, interpolation=None)
    said.optionxform = str  # type: ignore[assignment,method-assign]
    said.read_string(unit.read_text("utf-8"))
    assert set(said) == {"DEFAULT", "Unit", "Service", "Install"}
    assert said["Install"]["WantedBy"] == "multi-user.target"
    program, *words = said["Service"]["ExecStart"].split()
    if program.endswith("/draftsman"):
        assert {word for word in words if word.startswith("--")} <= commands()[words[0]]
        # Its data folder may be written, and nothing else.
        assert said["Service"]["ProtectSystem"] == "strict"
        assert f"DRAFTSMAN_HOME=/var/lib/{said['Service']['StateDirectory']}" in said["Service"]["Environment"]
    else:
        assert [program, *words[:2]] == ["/usr/bin/docker", "compose", "up"]


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_systemd_takes_a_unit_as_it_is(unit: Path, tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        return  # a Mac, or a container: the test above has read it
    text = re.sub(r"^(Exec\w+=)\S+", r"\1/bin/true", unit.read_text("utf-8"), flags=re.MULTILINE)
    (tmp_path / unit.name).write_text(text)
    (tmp_path / "docker.service").write_text("[Service]\nExecStart=/bin/true\n")
    order = ["systemd-analyze", "verify", str(tmp_path / unit.name)]
    done = subprocess.run(order, env={"SYSTEMD_UNIT_PATH": f"{tmp_path}:"}, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


def test_no_unit_is_forgotten() -> None:
    assert [unit.name for unit in UNITS] == ["draftsman-compose.service", "draftsman.service"]
    for unit in UNITS:
        assert f"packaging/systemd/{unit.name}" in PAGE
