"""Whoever is told that something is wrong is told a page, and every page is told of somewhere."""

from __future__ import annotations

import logging
import re
from pathlib import Path

import pytest

from bot.github_error import GitHubError
from draftsman.cli import doctor
from draftsman.cli.logs_setup import AlertFormatter
from draftsman.domain.alert import Alert
from draftsman.domain.errors import DiskFullError, EngineError, HostError
from draftsman.resources import alert_pages
from tests.draftsman.test_command_line import draftsman

ROOT = Path(__file__).parents[2]
HEADINGS = ["Where it shows", "What it means", "What goes on meanwhile", "See more", "Mend it"]


def test_every_alert_has_its_page_and_every_page_its_alert() -> None:
    assert set(alert_pages()) == set(Alert)
    for alert in Alert:
        assert (ROOT / alert.page).is_file()


@pytest.mark.parametrize("name", sorted(alert_pages()))
def test_a_page_says_what_it_means_and_how_to_mend_it(name: str) -> None:
    page = alert_pages()[name]
    assert page.startswith("# ")
    assert re.findall(r"^## (.+)$", page, re.MULTILINE) == HEADINGS
    assert max(map(len, page.splitlines())) <= 120


@pytest.mark.parametrize("alert", list(Alert))
def test_every_page_is_named_by_the_product(alert: Alert) -> None:
    files = [path for folder in ("draftsman", "bot", "orchestrator") for path in (ROOT / folder).rglob("*.py")]
    naming = [path for path in files if f"Alert.{alert.name}" in path.read_text("utf-8")]
    assert naming, f"nothing tells anybody of {alert.page}"


@pytest.mark.parametrize("alert", list(Alert))
def test_every_page_is_in_the_table_of_operations(alert: Alert) -> None:
    assert f"(alerts/{alert}.md)" in (ROOT / "docs/operations.md").read_text("utf-8")


def test_every_look_of_doctor_has_its_page() -> None:
    assert set(doctor.USUAL) == set(doctor.LOOKS)


def line(message: str, *args: object, **extra: object) -> str:
    record = logging.LogRecord("here", logging.WARNING, __file__, 1, message, args, None)
    record.__dict__.update(extra)
    return AlertFormatter("%(levelname)s %(message)s").format(record)


def test_a_line_of_the_log_names_the_page_of_what_it_tells() -> None:
    assert line("away: %s", "x", **Alert.REDIS_AWAY.extra) == "WARNING away: x [docs/alerts/redis-away.md]"
    assert line("upkeep: %s", EngineError("gone")) == "WARNING upkeep: gone [docs/alerts/engine-away.md]"
    assert line("%s", HostError("something")) == "WARNING something"
    assert line("nothing wrong") == "WARNING nothing wrong"


@pytest.mark.parametrize(
    ("error", "alert"),
    [
        (DiskFullError("/data"), Alert.DISK_NEARLY_FULL),
        (GitHubError("limit", status=403, retry_after=60), Alert.RATE_LIMIT),
        (GitHubError("away"), Alert.GITHUB_AWAY),
        (GitHubError("no", status=404), Alert.GITHUB_REFUSES),
    ],
)
def test_an_error_knows_its_page(error: HostError, alert: Alert) -> None:
    assert error.alert is alert


def test_the_command_shows_pages_where_there_is_no_checkout(tmp_path: Path) -> None:
    listed = draftsman(tmp_path, "alerts")
    assert listed.returncode == 0
    assert [shown.split()[0] for shown in listed.stdout.splitlines()] == list(Alert)
    for name in ("engine-away", "docs/alerts/engine-away.md"):
        assert draftsman(tmp_path, "alerts", name).stdout == alert_pages()["engine-away"]
    unknown = draftsman(tmp_path, "alerts", "tea-cold")
    assert (unknown.returncode, "Traceback" in unknown.stderr) == (3, False)
    assert "draftsman alerts" in unknown.stderr


def test_an_error_of_a_command_names_its_page(tmp_path: Path) -> None:
    said = draftsman(tmp_path, "doctor", "--only", "private-key")
    assert "(see docs/alerts/private-key-wrong.md)" in said.stdout
    said = draftsman(tmp_path, "run", str(ROOT), "--json", DOCKER_HOST="unix:///nowhere")
    assert (said.returncode, "Traceback" in said.stderr) == (3, False)
    assert "(see docs/alerts/engine-away.md)" in said.stderr
