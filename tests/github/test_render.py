"""A check run in a terminal: readable, and harmless whatever code under test wrote into it."""

from typing import Any

from tests.github.render import render_check_run

TABLE = """\
### What ran
| step | result | time |
|---|:---:|---:|
| `ruff check` | **failed** | 0.2 s |
| `pytest -q` | not run | |

See [the log](https://ci.example.com/1).
```
$ ruff check
a.py:1:1: F821
```
"""


def check_run(**changes: Any) -> dict[str, Any]:
    output = {"title": "1 step failed", "summary": TABLE, "text": None, **changes.pop("output", {})}
    return {
        "name": "Draftsman / fast",
        "status": "completed",
        "conclusion": "failure",
        "head_sha": "0123456789" * 4,
        "output": output,
        **changes,
    }


def test_check_run_reads_like_a_page() -> None:
    annotation = {
        "path": "a.py",
        "start_line": 1,
        "end_line": 1,
        "start_column": 5,
        "annotation_level": "failure",
        "title": "F821",
        "message": "Undefined name `x`\nPerhaps y?",
    }
    assert render_check_run(check_run(), [annotation]) == (
        "✘ Draftsman / fast — failure  (0123456)\n"
        "  1 step failed\n"
        "\n"
        "    What ran\n"
        "    step        result   time\n"
        "    ──────────  ───────  ─────\n"
        "    ruff check  failed   0.2 s\n"
        "    pytest -q   not run\n"
        "\n"
        "    See the log (https://ci.example.com/1).\n"
        "      $ ruff check\n"
        "      a.py:1:1: F821\n"
        "\n"
        "  Annotations (1)\n"
        "    a.py:1:5 failure F821 Undefined name `x`\n"
        "      Perhaps y?\n"
    )


def test_running_check_run_shows_its_status() -> None:
    run = check_run(status="in_progress", conclusion=None, output={"title": None, "summary": None})
    assert render_check_run(run) == "● Draftsman / fast — in progress  (0123456)\n"


def test_nothing_that_a_terminal_obeys_gets_through() -> None:
    evil = "\x1b]0;owned\x07\x9b2J\u202etxt.exe\x08"
    annotation = {"path": evil, "start_line": 1, "end_line": 3, "annotation_level": "notice", "message": evil}
    text = render_check_run(check_run(name=evil, output={"title": evil, "summary": evil}), [annotation])
    assert not any(character in text for character in "\x1b\x07\x9b\u202e\x08")
    assert ":1-3 notice" in text


def test_colour_is_only_there_when_asked_for() -> None:
    assert "\x1b[31m" in render_check_run(check_run(), colour=True)
    assert "\x1b" not in render_check_run(check_run())
