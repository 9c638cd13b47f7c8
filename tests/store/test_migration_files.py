"""What every migration is held to, so that workers of the version before go on while it runs and after it."""

from __future__ import annotations

import re

import pytest

from draftsman.store.migrate import OUTSIDE, available, statements_of

BUSY = "attempts|audit_events|artifacts|check_runs|deliveries|findings|log_chunks|run_refs|runs|steps|tasks"
"""Tables with very many rows, or that everything waits for."""

TAKES_AWAY = {
    "drops a table or column that the version before reads": r"\bDROP\s+(TABLE|COLUMN)\b",
    "renames what the version before calls by its old name": r"\bRENAME\b",
    "changes a type, which the version before may not send": r"\bALTER\s+COLUMN\b.*\bTYPE\b",
    "demands what the version before does not write": r"\bSET\s+NOT\s+NULL\b",
    "demands a column that the version before does not write": (
        r"\bADD\s+COLUMN\s+(?:IF\s+NOT\s+EXISTS\s+)?\w+\s+(?![^,]*\bDEFAULT\b)[^,]*\bNOT\s+NULL\b"
    ),
}

PLAIN_INDEX = re.compile(
    rf"CREATE\s+(?:UNIQUE\s+)?INDEX\s+(?!CONCURRENTLY)\w+\s+ON\s+(?P<table>{BUSY})\b", re.IGNORECASE
)


def complaints(sql: str) -> list[str]:
    """What is wrong with a migration."""
    found = []
    for statement in statements_of(sql):
        made = re.search(r"\bCREATE\s+TABLE\b", statement, re.IGNORECASE)
        for what, pattern in TAKES_AWAY.items():
            if not made and re.search(pattern, statement, re.IGNORECASE | re.DOTALL):
                found.append(f"it {what}: {statement}")
    for paragraph in sql.split("\n\n"):
        for line in paragraph.splitlines():
            plain = PLAIN_INDEX.match(line)
            is_new = plain and re.search(rf"CREATE\s+TABLE\s+{plain['table']}\b", sql, re.IGNORECASE)
            if plain and not is_new and not paragraph.strip().startswith("--"):
                found.append(f"it keeps writers away while it builds an index, and does not say why: {line}")
    return found


@pytest.mark.parametrize(("name", "sql"), available(), ids=[name for name, _ in available()])
def test_a_migration_takes_nothing_away(name: str, sql: str) -> None:
    assert re.fullmatch(r"\d{4}_[a-z0-9_]+", name)
    # Before them there was no version that anybody ran.
    if name >= "0007":
        assert complaints(sql) == []


def test_what_is_outside_a_transaction_can_be_done_twice() -> None:
    outside = [(name, sql) for name, sql in available() if sql.startswith(OUTSIDE)]
    assert outside, "nothing would be tested here"
    for name, sql in outside:
        for statement in statements_of(sql):
            again = re.match(r"CREATE (UNIQUE )?INDEX CONCURRENTLY IF NOT EXISTS ", statement)
            assert again, f"{name}: what is broken off here is begun again: {statement}"


@pytest.mark.parametrize(
    ("sql", "number"),
    [
        ("ALTER TABLE attempts DROP COLUMN title;", 1),
        ("DROP TABLE tasks;", 1),
        ("ALTER TABLE runs RENAME COLUMN subject TO what;", 1),
        ("ALTER TABLE attempts ALTER COLUMN number TYPE BIGINT;", 1),
        ("ALTER TABLE attempts ADD COLUMN a TEXT NOT NULL;", 1),
        ("ALTER TABLE attempts ADD COLUMN a TEXT NOT NULL DEFAULT '', ADD COLUMN b INT;", 0),
        ("ALTER TABLE attempts\n    ADD COLUMN a TEXT,\n    ADD COLUMN b INT;", 0),
        ("ALTER TABLE attempts ADD COLUMN a TEXT NOT NULL, ADD COLUMN b INT DEFAULT 0;", 1),
        ("CREATE TABLE new (a TEXT NOT NULL);\nCREATE INDEX new_by_a ON new (a);", 0),
        ("CREATE INDEX runs_by_x ON runs (x);", 1),
        ("-- A hundred rows have it: it is built in no time.\nCREATE INDEX runs_by_x ON runs (x) WHERE y;", 0),
        ("-- outside a transaction\nCREATE INDEX CONCURRENTLY IF NOT EXISTS runs_by_x ON runs (x);", 0),
    ],
)
def test_the_rules_find_what_they_are_for(sql: str, number: int) -> None:
    assert len(complaints(sql)) == number


def test_statements_are_told_apart_by_lines_that_end_in_a_semicolon() -> None:
    sql = "-- outside a transaction\nCREATE INDEX a ON t (x)\n    WHERE y = ';';\n\n-- why\nCREATE INDEX b ON t (z);\n"
    assert statements_of(sql) == ["CREATE INDEX a ON t (x)\n    WHERE y = ';'", "CREATE INDEX b ON t (z)"]
