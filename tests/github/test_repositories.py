"""Repositories, commits and pull requests as the API shows them. Every answer is held to the description."""

from pathlib import Path

import pytest

from tests.github.client import Client, git


async def test_answers_show_what_is_there(client: Client) -> None:
    repo = await client.github.create_repository("acme/widgets", files={"a.py": "x = 1\n"})
    sha = await repo.commit({"a.py": "x = 2\n", "b.py": "y\n"}, branch="feature/two", message="Two\n\nMore")
    pull = await repo.open_pull("Two", head="feature/two")
    token = await client.token(repo)

    shown = (await client.call("GET", "/repos/Acme/Widgets", token=token)).json
    assert (shown["full_name"], shown["private"], shown["default_branch"]) == ("acme/widgets", True, "main")
    assert shown["clone_url"] == repo.clone_url
    for ref in (sha, "feature/two", "heads%2Ffeature%2Ftwo"):
        commit = (await client.call("GET", f"/repos/acme/widgets/commits/{ref}", token=token)).json
        assert commit["sha"] == sha
    assert {file["filename"]: file["status"] for file in commit["files"]} == {"a.py": "modified", "b.py": "added"}
    request = (await client.call("GET", f"/repos/acme/widgets/pulls/{pull.number}", token=token)).json
    assert (request["head"]["sha"], request["base"]["ref"], request["mergeable"]) == (sha, "main", True)
    assert (request["commits"], request["changed_files"]) == (1, 2)


async def test_pulls_are_listed_by_state_head_and_base(client: Client) -> None:
    repo = await client.github.create_repository("acme/widgets", files={"a.py": "x = 1\n"})
    for number in range(3):
        await repo.commit({"a.py": f"x = {number + 2}\n"}, branch=f"b{number}")
        await repo.open_pull(f"Pull {number}", head=f"b{number}")
    await repo.pulls[1].close()
    token = await client.token(repo)

    async def numbers(query: str) -> list[int]:
        reply = await client.call("GET", f"/repos/acme/widgets/pulls?{query}", token=token)
        return [pull["number"] for pull in reply.json]

    assert await numbers("") == [3, 2]
    assert await numbers("state=all&direction=asc") == [1, 2, 3]
    assert await numbers("head=acme:b2") == [3]
    assert await numbers("base=other") == []
    assert await numbers("per_page=1&page=2") == [2]
    missing = await client.call("GET", "/repos/acme/widgets/pulls/9", token=token)
    assert missing.status == 404


async def test_conflict_has_no_merge_commit(client: Client) -> None:
    repo = await client.github.create_repository("acme/widgets", files={"a.py": "x = 1\n"})
    await repo.commit({"a.py": "x = 2\n"}, branch="feature")
    pull = await repo.open_pull("Two", head="feature")
    await repo.commit({"a.py": "x = 3\n"})
    shown = await client.call("GET", "/repos/acme/widgets/pulls/1", token=await client.token(repo))
    assert (shown.json["mergeable"], shown.json["mergeable_state"]) == (False, "dirty")
    with pytest.raises(ValueError, match="conflicts with main"):
        await pull.merge()


async def test_push_takes_commits_from_a_checkout(client: Client, tmp_path: Path) -> None:
    await git(tmp_path, "init", "--quiet", ".")
    (tmp_path / "a.py").write_text("x = 1\n")
    await git(tmp_path, "add", "a.py")
    await git(tmp_path, "commit", "--quiet", "-m", "One")
    repo = await client.github.create_repository("acme/widgets")
    sha = await repo.push(tmp_path)
    assert sha == (await git(tmp_path, "rev-parse", "HEAD"))[1].strip()
    assert await repo.git.head("refs/heads/main") == sha


async def test_app_is_shown_its_installations(client: Client) -> None:
    await client.github.create_repository("acme/widgets")
    await client.github.create_repository("globex/reactor")
    listed = (await client.call("GET", "/app/installations")).json
    assert [installation["account"]["login"] for installation in listed] == ["acme", "globex"]
    one = (await client.call("GET", f"/app/installations/{listed[0]['id']}")).json
    assert one["permissions"]["checks"] == "write"
    assert (await client.call("GET", "/app/installations/1")).status == 404


async def test_missing_commit_is_said_to_be_missing(client: Client) -> None:
    repo = await client.github.create_repository("acme/widgets", files={"a": "1"})
    reply = await client.call("GET", "/repos/acme/widgets/commits/nowhere", token=await client.token(repo))
    assert reply.status == 422
    assert "No commit found" in reply.json["message"]
