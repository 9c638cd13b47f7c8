"""Findings of a SARIF 2.1.0 log (https://docs.oasis-open.org/sarif/sarif/v2.1.0/): results of a tool, with places.

The log is a stranger's: its size and what it holds are capped, and whatever has another type than the standard gives
it counts as absent.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote

from draftsman.ansi import harmless
from draftsman.domain.finding import Finding, Level
from draftsman.domain.plan import Tier
from orchestrator.findings.places import Places
from orchestrator.findings.text import LONGEST_MESSAGE

LARGEST_SARIF = 10 * 1024 * 1024
"""Bytes. A larger log is not read."""

MOST_VALUES = 1_000_000
"""Objects, lists and values in a log, so that its values fit in memory; strings with brackets and commas count."""

MOST_FINDINGS = 2000
"""Of one log."""

MOST_PLACES = 10
"""Places of one result that are tried, until one is in the repository."""

MOST_BASES = 10
"""Bases that stand on one another."""

LEVELS = {"error": Level.FAILURE, "warning": Level.WARNING, "note": Level.NOTICE, "none": Level.NOTICE}
QUIET_KINDS = ("pass", "notApplicable")
ARGUMENT = re.compile(r"\{(\d{1,3})\}")


def read_sarif(content: bytes, tier: Tier, places: Places) -> tuple[Finding, ...]:
    """Return the findings of a log, `MOST_FINDINGS` at most; none where it is too large or is no SARIF."""
    if len(content) > LARGEST_SARIF or sum(content.count(sign) for sign in (b"{", b"[", b",")) > MOST_VALUES:
        return ()
    try:
        log = json.loads(content.decode("utf-8-sig", "replace"))
    except (ValueError, RecursionError):
        return ()
    findings: list[Finding] = []
    for run in _dicts(_dict(log).get("runs")):
        for finding in _of_run(run, tier, places):
            if len(findings) >= MOST_FINDINGS:
                return tuple(findings)
            findings.append(finding)
    return tuple(findings)


def _of_run(run: Mapping[str, Any], tier: Tier, places: Places) -> Iterator[Finding]:
    driver = _dict(_dict(run.get("tool")).get("driver"))
    tool = harmless(_text(driver.get("name")))[:60].strip().lower() or "sarif"
    rules = list(_dicts(driver.get("rules")))
    extensions = _dicts(_dict(run.get("tool")).get("extensions"))
    by_id = {_text(rule.get("id")): rule for part in (*extensions, driver) for rule in _dicts(part.get("rules"))}
    for result in _dicts(run.get("results")):
        if not _counts(result):
            continue
        index = result.get("ruleIndex", _dict(result.get("rule")).get("index"))
        rule_id = _text(result.get("ruleId")) or _text(_dict(result.get("rule")).get("id"))
        rule = by_id.get(rule_id) or (rules[index] if isinstance(index, int) and 0 <= index < len(rules) else {})
        rule_id = harmless(rule_id or _text(rule.get("id")))
        level = _level(result, rule)
        message = harmless(_message(_dict(result.get("message")), rule))
        title = f"{tool}: {rule_id}" if rule_id else tool
        finding = _placed(result, run, places, tier, level, title, message, tool)
        if finding:
            yield finding


def _counts(result: Mapping[str, Any]) -> bool:
    """Whether the result is a problem: it is no pass, it is still there, and nobody suppressed it."""
    if result.get("kind") in QUIET_KINDS or result.get("baselineState") == "absent":
        return False
    suppressed = _dicts(result.get("suppressions"))
    return not any(each.get("status", "accepted") == "accepted" for each in suppressed)


def _level(result: Mapping[str, Any], rule: Mapping[str, Any]) -> Level:
    told = result.get("level") or _dict(rule.get("defaultConfiguration")).get("level")
    if isinstance(told, str) and told in LEVELS:
        return LEVELS[told]
    return Level.NOTICE if result.get("kind", "fail") != "fail" else Level.WARNING  # the standard's default


def _message(message: Mapping[str, Any], rule: Mapping[str, Any]) -> str:
    """Return the text of a message, with its arguments in place."""
    kept = _dict(_dict(rule.get("messageStrings")).get(_text(message.get("id"))))
    text = (_text(message.get("text")) or _text(kept.get("text")) or _text(message.get("markdown")))[:LONGEST_MESSAGE]
    arguments = message.get("arguments")
    if not isinstance(arguments, list) or not arguments:
        return text

    def argument(match: re.Match[str]) -> str:
        number = int(match[1])
        return _text(arguments[number])[:400] if number < len(arguments) else match[0]

    return ARGUMENT.sub(argument, text)


def _placed(
    result: Mapping[str, Any],
    run: Mapping[str, Any],
    places: Places,
    tier: Tier,
    level: Level,
    title: str,
    message: str,
    tool: str,
) -> Finding | None:
    """Return the finding at the first place of the result that is in the repository."""
    for number, location in enumerate(_dicts(result.get("locations"))):
        if number >= MOST_PLACES:
            break
        physical = _dict(location.get("physicalLocation"))
        path = _path(_dict(physical.get("artifactLocation")), run, places)
        region = _dict(physical.get("region")) or _dict(_dict(physical.get("contextRegion")))
        if path:
            line = _number(region.get("startLine"))
            finding = places.finding(
                tier,
                path,
                1 if line is None else line,
                level,
                title,
                message,
                tool,
                _number(region.get("startColumn")),
                _number(region.get("endLine")),
            )
            if finding:
                return finding
    return None


def _path(location: Mapping[str, Any], run: Mapping[str, Any], places: Places) -> str | None:
    """Return the file of the repository that an artifact is, None where it is none."""
    uri, base = _text(location.get("uri")), _text(location.get("uriBaseId"))
    if not uri:
        artifacts, index = run.get("artifacts"), _number(location.get("index"))
        if isinstance(artifacts, list) and index is not None and index < len(artifacts):
            told = _dict(_dict(artifacts[index]).get("location"))
            uri, base = _text(told.get("uri")), _text(told.get("uriBaseId"))
    if not uri or len(uri) > 4096:
        return None
    bases = _dict(run.get("originalUriBaseIds"))
    whole = uri
    for _ in range(MOST_BASES):
        known = _dict(bases.get(base))
        if _is_absolute(whole) or not known:
            break
        prefix = _text(known.get("uri"))[:4096]
        whole = f"{prefix.rstrip('/')}/{whole}" if prefix else whole
        base = _text(known.get("uriBaseId"))
    # A base may be another machine's folder: then what is below it is looked for in the repository.
    return places.resolve(_plain(whole)) or (places.resolve(_plain(uri)) if not _is_absolute(uri) else None)


def _is_absolute(uri: str) -> bool:
    return uri.startswith("/") or re.match(r"[A-Za-z][A-Za-z0-9+.-]{0,20}:", uri) is not None


def _plain(uri: str) -> str:
    """Return the path of a URI. One that is not a file's stays as it is, and is none of the repository."""
    scheme, separator, rest = uri.partition(":")
    if separator and scheme.lower() == "file":
        if rest.startswith("//"):  # an authority, which is empty or localhost
            host, slash, path = rest[2:].partition("/")
            rest = slash + path if host in ("", "localhost") else uri
        return unquote(rest)
    return unquote(uri)


def _dict(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _dicts(value: object) -> Iterator[Mapping[str, Any]]:
    return (item for item in value if isinstance(item, dict)) if isinstance(value, list) else iter(())


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _number(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
