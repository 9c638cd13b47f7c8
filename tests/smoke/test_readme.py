"""The README's own lines are what the smoke test types."""

from __future__ import annotations

import pytest

from tests.smoke import readme
from tests.smoke.story import STEPS, UPGRADE

TEXT = """**Start**

```console
$ cp .env.example .env               # then fill in the GitHub App
$ docker compose up -d
a line of output
```

**Recover**

Some words.

```console
$ docker compose up -d --build  # comments go
```
"""


def test_lines_are_commands_without_comments_and_output() -> None:
    assert readme.lines_of(TEXT, "Start") == ["cp .env.example .env", "docker compose up -d"]
    assert readme.lines_of(TEXT, "Recover") == ["docker compose up -d --build"]


def test_a_caption_that_is_not_there_is_said() -> None:
    with pytest.raises(LookupError, match="Upgrade"):
        readme.lines_of(TEXT, "Upgrade")


def test_the_readme_starts_with_the_plans_lines() -> None:
    text = readme.README.read_text("utf-8")
    start = readme.lines_of(text, readme.START)
    assert start[0] == "cp .env.example .env"
    assert start[1].startswith("docker compose up -d")
    assert readme.lines_of(text, readme.UPGRADE)[0] == "git pull"
    assert readme.lines_of(text, readme.RECOVER)[0].startswith("docker compose up -d")


def test_the_transcript_shows_every_step() -> None:
    page = (readme.README.parent / "docs/smoke.md").read_text("utf-8")
    titles = [line.removeprefix("== ") for line in page.splitlines() if line.startswith("== ")]
    assert titles[2:] == [*(step.title for step in STEPS), UPGRADE]
    assert "Smoke test finished" in page


def test_the_page_of_backups_says_how_to_put_one_back() -> None:
    text = readme.BACKUPS.read_text("utf-8")
    for caption in (readme.RESTORE, readme.MOVE):
        assert any("backup.sh restore" in line for line in readme.lines_of(text, caption))
    assert "backup.sh once" in readme.lines_of(text, readme.BACK_UP)[0]
