"""What `draftsman doctor` says, before the first start and about a key."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.draftsman.test_command_line import draftsman
from tests.github import GitHubStandIn
from tests.product import scratch_folder

pytestmark = pytest.mark.services

NONSENSE = "-----BEGIN RSA PRIVATE KEY-----\nbm9uc2Vuc2U=\n-----END RSA PRIVATE KEY-----\n"


@pytest.fixture
def home() -> Iterator[Path]:
    with scratch_folder() as folder:
        yield folder


def new_key() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    ).decode()


async def look(home: Path, name: str, **settings: str) -> dict[str, Any]:
    """Return what doctor says about this one thing."""
    done = await asyncio.to_thread(draftsman, home, "doctor", "--json", "--only", name, **settings)
    assert "Traceback" not in done.stderr
    [check] = json.loads(done.stdout)["checks"]
    assert done.returncode == (0 if check["ok"] else 3)
    return dict(check)


@pytest.mark.parametrize("name", ["database", "queue"])
async def test_before_the_first_start_the_embedded_servers_are_as_they_should_be(home: Path, name: str) -> None:
    found = await look(home, name, DATABASE_URL="", REDIS_URL="")
    assert found == {"name": name, "ok": True, "found": "embedded: starts with `draftsman up`", "page": None}


async def test_each_server_is_looked_at_by_itself(home: Path, redis_url: str) -> None:
    given = {"DATABASE_URL": "postgresql://u@127.0.0.1:1/x", "REDIS_URL": redis_url}
    assert (await look(home, "queue", **given))["ok"] is True
    found = await look(home, "database", **given)
    assert found["ok"] is False
    assert "Postgres does not answer" in found["found"]
    assert found["page"] == "docs/alerts/postgres-away.md"


async def test_what_fails_is_shown_with_its_page(home: Path) -> None:
    done = await asyncio.to_thread(draftsman, home, "doctor", "--only", "queue", REDIS_URL=f"unix://{home}/absent")
    assert done.stdout.strip().endswith("(see docs/alerts/redis-away.md)")


async def test_a_database_that_was_not_migrated_has_a_page_of_its_own(home: Path, postgres_url: str) -> None:
    found = await look(home, "database", DATABASE_URL=postgres_url, REDIS_URL="")
    assert found["ok"] is False
    assert found["page"] == "docs/alerts/migrations-pending.md"


async def test_a_redis_that_is_away_is_told(home: Path) -> None:
    found = await look(home, "queue", REDIS_URL=f"unix://{home}/absent")
    assert found["ok"] is False
    assert "Redis does not answer" in found["found"]


async def test_a_key_that_is_the_apps_shows_the_apps_name(home: Path, github: GitHubStandIn) -> None:
    found = await look(
        home,
        "private-key",
        GITHUB_APP_ID=str(github.app.id),
        GITHUB_PRIVATE_KEY=github.app.private_key_pem,
        GITHUB_API_URL=github.api_url,
    )
    assert found["ok"] is True, found
    assert github.app.name in found["found"]


async def test_a_key_of_another_app_is_refused_with_what_to_do(home: Path, github: GitHubStandIn) -> None:
    with github.expect_violations():
        found = await look(
            home,
            "private-key",
            GITHUB_APP_ID=str(github.app.id),
            GITHUB_PRIVATE_KEY=new_key(),
            GITHUB_API_URL=github.api_url,
        )
    assert found["ok"] is False
    assert "GITHUB_APP_ID" in found["found"]
    assert "generate a new private key" in found["found"]


@pytest.mark.parametrize("app_id", ["1", ""])
async def test_a_key_that_cannot_sign_is_none(home: Path, app_id: str) -> None:
    found = await look(home, "private-key", GITHUB_APP_ID=app_id, GITHUB_PRIVATE_KEY=NONSENSE)
    assert found["ok"] is False
    assert "cannot be read" in found["found"]


async def test_a_good_key_without_an_app_names_the_id_that_is_missing(home: Path) -> None:
    found = await look(home, "private-key", GITHUB_PRIVATE_KEY=new_key())
    assert found["ok"] is False
    assert "GITHUB_APP_ID is not set" in found["found"]


async def test_a_github_that_does_not_answer_does_not_make_a_key_bad(home: Path) -> None:
    found = await look(
        home, "private-key", GITHUB_APP_ID="1", GITHUB_PRIVATE_KEY=new_key(), GITHUB_API_URL="http://127.0.0.1:1"
    )
    assert found["ok"] is True
    assert "could not be asked" in found["found"]
