"""What happened in the database: each change of an attempt and each write below it, by triggers of the test's own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

BELOW = ("steps", "findings", "log_chunks", "artifacts")
"""Tables of what a worker writes about an attempt."""

_SCHEMA = """
CREATE SCHEMA model;
CREATE TABLE model.changes (
    id BIGINT GENERATED ALWAYS AS IDENTITY, tx BIGINT, at TIMESTAMPTZ, operation JSONB, old JSONB, new JSONB
);
CREATE TABLE model.writes (
    id BIGINT GENERATED ALWAYS AS IDENTITY, tx BIGINT, operation JSONB, relation TEXT, attempt_id UUID
);
CREATE FUNCTION model.operation() RETURNS JSONB LANGUAGE sql AS
    $$ SELECT coalesce(nullif(current_setting('model.operation', true), ''), '{}')::jsonb $$;
CREATE FUNCTION model.changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO model.changes (tx, at, operation, old, new) VALUES (
        pg_current_xact_id()::text::bigint, now(), model.operation(),
        CASE WHEN TG_OP <> 'INSERT' THEN to_jsonb(OLD) END, CASE WHEN TG_OP <> 'DELETE' THEN to_jsonb(NEW) END);
    RETURN NULL;
END $$;
CREATE TRIGGER model_changed AFTER INSERT OR UPDATE OR DELETE ON attempts
    FOR EACH ROW EXECUTE FUNCTION model.changed();
CREATE FUNCTION model.written() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO model.writes (tx, operation, relation, attempt_id) VALUES (
        pg_current_xact_id()::text::bigint, model.operation(), TG_TABLE_NAME,
        CASE WHEN TG_OP = 'DELETE' THEN OLD.attempt_id ELSE NEW.attempt_id END);
    RETURN NULL;
END $$;
""" + "\n".join(
    f"CREATE TRIGGER model_written AFTER INSERT OR UPDATE OR DELETE ON {table} "
    "FOR EACH ROW EXECUTE FUNCTION model.written();"
    for table in BELOW
)

_TABLES = """
SELECT format('%I.%I', schemaname, tablename) FROM pg_tables WHERE schemaname IN ('public', 'model')
AND tablename NOT IN ('schema_migrations', 'instance', 'recovery')
"""


@dataclass(frozen=True, slots=True)
class Change:
    """One change of an attempt's row. `old` is None where it came to be, `at` the time of its transaction."""

    id: int
    tx: int
    at: Any
    operation: Mapping[str, Any]
    old: Mapping[str, Any] | None
    new: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Write:
    """One row that was written below an attempt."""

    id: int
    tx: int
    operation: Mapping[str, Any]
    relation: str
    attempt_id: UUID


@dataclass(frozen=True, slots=True)
class Audited:
    """One row of the audit trail, and the transaction that wrote it."""

    id: int
    tx: int
    action: str
    attempt_id: UUID | None
    detail: Mapping[str, Any]


async def record(db: Any) -> None:
    """Begin to record, once for a database."""
    await db.execute(_SCHEMA)


async def forget(db: Any) -> None:
    """Empty the database, without a trace."""
    tables = [row[0] for row in await db.fetch(_TABLES)]
    async with db.transaction():
        await db.execute("SET LOCAL session_replication_role = replica")
        for table in tables:
            await db.execute(f"DELETE FROM {table}")


async def changes(db: Any, after: int) -> list[Change]:
    """Return the changes behind this id, those of one attempt in their order."""
    rows = await db.fetch("SELECT * FROM model.changes WHERE id > $1 ORDER BY id", after)
    return [Change(**dict(row)) for row in rows]


async def writes(db: Any, after: int) -> list[Write]:
    """Return the writes behind this id."""
    rows = await db.fetch("SELECT * FROM model.writes WHERE id > $1 ORDER BY id", after)
    return [Write(**dict(row)) for row in rows]


async def audited(db: Any, after: int) -> list[Audited]:
    """Return the audit rows behind this id."""
    rows = await db.fetch(
        "SELECT id, xmin::text::bigint AS tx, action, attempt_id, detail FROM audit_events WHERE id > $1 ORDER BY id",
        after,
    )
    return [Audited(**dict(row)) for row in rows]
