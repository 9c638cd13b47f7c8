"""GitHub's own examples of webhook payloads, as the community collected them (`examples/README.md`).

    for event, payload in all_examples():
        ...

Refresh them with `api.github.com/index.json` of the npm package `@octokit/webhooks-examples`::

    npm pack @octokit/webhooks-examples@7.6.1
    tar xzf octokit-webhooks-examples-7.6.1.tgz
    python -m tests.github.examples package/api.github.com/index.json
"""

import argparse
import functools
import json
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "examples"

EVENTS = (
    "check_run",
    "check_suite",
    "installation",
    "installation_repositories",
    "issue_comment",
    "merge_group",
    "ping",
    "pull_request",
    "push",
    "repository",
)


def examples(event: str) -> list[dict[str, Any]]:
    """The example payloads of an event, every action of it; each call gives copies of its own."""
    found: list[dict[str, Any]] = json.loads(text(event))
    return found


def all_examples() -> list[tuple[str, dict[str, Any]]]:
    """Every example with the name of its event."""
    return [(event, payload) for event in EVENTS for payload in examples(event)]


@functools.cache
def text(event: str) -> str:
    if event not in EVENTS:
        raise ValueError(f"there are no examples of {event!r}; there are those of {', '.join(EVENTS)}")
    return (FOLDER / f"{event}.json").read_text(encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description="Keep the examples of the events that Draftsman looks at.")
    parser.add_argument("index", type=Path, help="api.github.com/index.json of @octokit/webhooks-examples")
    found = json.loads(parser.parse_args().index.read_text(encoding="utf-8"))
    bodies = {entry["name"]: entry["examples"] for entry in found}
    FOLDER.mkdir(exist_ok=True)
    for event in EVENTS:
        compact = json.dumps(bodies[event], separators=(",", ":"), sort_keys=True, ensure_ascii=False)
        (FOLDER / f"{event}.json").write_text(compact + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
