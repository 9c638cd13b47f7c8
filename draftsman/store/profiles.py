"""Repository profiles: how a repository is set up and checked, set by a person or inferred."""

from __future__ import annotations

from draftsman.domain.plan import Plan, ProfileOverrides
from draftsman.store.database import Database, clean


async def overrides_for(db: Database, repo: str) -> ProfileOverrides:
    """Return what a person set for the repository; everything else is to be inferred."""
    row = await db.fetchrow("SELECT * FROM repo_profiles WHERE repo = lower($1)", repo)
    if row is None:
        return ProfileOverrides()
    explicit = set(row["explicit_fields"])
    return ProfileOverrides(
        dockerfile=row["dockerfile"] if "dockerfile" in explicit else None,
        dependency_manager=row["dependency_manager"] if "dependency_manager" in explicit else None,
        setup=row["setup_command"] if "setup_command" in explicit else None,
        fast=tuple(row["validation_fast"]) if "validation_fast" in explicit else None,
        full=tuple(row["validation_full"]) if "validation_full" in explicit else None,
    )


async def keep_inferred(db: Database, repo: str, plan: Plan, dockerfile_hash: str) -> None:
    """Write what was inferred from the default branch, leaving every field that a person set as it is."""
    await db.execute(
        """
        INSERT INTO repo_profiles AS p (repo, generated_dockerfile, dockerfile_hash, dependency_manager,
                                        setup_command, validation_fast, validation_full)
        VALUES (lower($1), $2, $3, $4, $5, $6, $7)
        ON CONFLICT (repo) DO UPDATE SET
            generated_dockerfile = excluded.generated_dockerfile, dockerfile_hash = excluded.dockerfile_hash,
            dependency_manager = CASE WHEN 'dependency_manager' = ANY(p.explicit_fields)
                THEN p.dependency_manager ELSE excluded.dependency_manager END,
            setup_command = CASE WHEN 'setup_command' = ANY(p.explicit_fields)
                THEN p.setup_command ELSE excluded.setup_command END,
            validation_fast = CASE WHEN 'validation_fast' = ANY(p.explicit_fields)
                THEN p.validation_fast ELSE excluded.validation_fast END,
            validation_full = CASE WHEN 'validation_full' = ANY(p.explicit_fields)
                THEN p.validation_full ELSE excluded.validation_full END,
            updated_at = now()
        """,
        clean(repo),
        clean(plan.dockerfile) if plan.profile.dockerfile is None else None,
        dockerfile_hash,
        plan.profile.dependency_manager,
        clean(plan.profile.setup),
        [clean(command) for command in plan.profile.fast],
        [clean(command) for command in plan.profile.full],
    )
