"""Small cuts of GitHub's official descriptions: the API operations and the webhooks that Draftsman may use.

Refresh them with the files `generated/api.github.com.json` of the npm packages `@octokit/openapi` and (for
the webhooks) `@octokit/openapi-webhooks`::

    npm pack @octokit/openapi@23.0.2 @octokit/openapi-webhooks@12.1.0
    mkdir rest webhooks
    tar xzf octokit-openapi-23.0.2.tgz -C rest package/generated/api.github.com.json
    tar xzf octokit-openapi-webhooks-12.1.0.tgz -C webhooks package/generated/api.github.com.json
    python -m tests.github.cut_spec rest/package/generated/api.github.com.json \\
        --webhooks webhooks/package/generated/api.github.com.json

The results in `tests/github/spec/` are compact, without prose and examples, and with `nullable: true` turned
into a list of types, so that a JSON Schema validator can read them as they are.
"""

import argparse
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "spec"
CUT = FOLDER / "api.github.com.json"
WEBHOOKS_CUT = FOLDER / "webhooks.json"

# Operation ids as GitHub names them. An operation outside this list is answered 404 by the stand-in.
OPERATIONS = frozenset(
    (
        "apps/get-authenticated",
        "apps/create-from-manifest",
        "apps/list-installations",
        "apps/get-installation",
        "apps/create-installation-access-token",
        "apps/revoke-installation-access-token",
        "apps/get-repo-installation",
        "apps/list-repos-accessible-to-installation",
        "apps/get-webhook-config-for-app",
        "apps/update-webhook-config-for-app",
        "apps/list-webhook-deliveries",
        "apps/get-webhook-delivery",
        "apps/redeliver-webhook-delivery",
        "checks/create",
        "checks/update",
        "checks/get",
        "checks/list-annotations",
        "checks/list-for-ref",
        "checks/rerequest-run",
        "checks/list-suites-for-ref",
        "checks/get-suite",
        "checks/list-for-suite",
        "checks/rerequest-suite",
        "git/get-ref",
        "git/get-commit",
        "git/create-blob",
        "git/create-tree",
        "git/create-commit",
        "git/create-ref",
        "git/update-ref",
        "issues/create-comment",
        "issues/update-comment",
        "issues/delete-comment",
        "issues/get-comment",
        "issues/list-comments",
        "meta/root",
        "pulls/list",
        "pulls/get",
        "pulls/list-files",
        "pulls/create",
        "rate-limit/get",
        "reactions/create-for-issue-comment",
        "reactions/list-for-issue-comment",
        "reactions/delete-for-issue-comment",
        "repos/get",
        "repos/get-branch",
        "repos/get-commit",
        "repos/compare-commits-with-basehead",
        "repos/get-collaborator-permission-level",
        "repos/list-pull-requests-associated-with-commit",
        "search/issues-and-pull-requests",
        "teams/get-membership-for-user-in-org",
        "users/get-authenticated",
    )
)

PROSE = frozenset({"description", "example", "examples", "externalDocs", "summary", "tags", "x-octokit"})


# Webhooks by the names of the description, `<event>-<action>`.
WEBHOOKS = frozenset(
    (
        "check-run-completed",
        "check-run-created",
        "check-run-requested-action",
        "check-run-rerequested",
        "check-suite-completed",
        "check-suite-requested",
        "check-suite-rerequested",
        "installation-created",
        "installation-deleted",
        "installation-new-permissions-accepted",
        "installation-repositories-added",
        "installation-repositories-removed",
        "installation-suspend",
        "installation-unsuspend",
        "issue-comment-created",
        "issue-comment-deleted",
        "issue-comment-edited",
        "merge-group-checks-requested",
        "merge-group-destroyed",
        "ping",
        "pull-request-closed",
        "pull-request-converted-to-draft",
        "pull-request-edited",
        "pull-request-opened",
        "pull-request-ready-for-review",
        "pull-request-reopened",
        "pull-request-synchronize",
        "push",
        "repository-deleted",
        "repository-edited",
        "repository-privatized",
        "repository-publicized",
        "repository-renamed",
        "repository-transferred",
    )
)


def cut(description: Mapping[str, Any], operation_ids: frozenset[str] = OPERATIONS) -> dict[str, Any]:
    """The description with only these operations and the components that they reach.

    Raises `ValueError` naming the operation ids that the description does not have.
    """
    paths: dict[str, Any] = {}
    found: set[str] = set()
    for path, item in description["paths"].items():
        kept = {method: operation for method, operation in item.items() if operation["operationId"] in operation_ids}
        if kept:
            paths[path] = kept
            found |= {operation["operationId"] for operation in kept.values()}
    if missing := operation_ids - found:
        raise ValueError(f"the description has no operation {', '.join(sorted(missing))}; check the spelling")
    small = correct(with_null_types(without_prose(paths)))
    return {**heading(description), "paths": small, "components": corrected(components(description, small))}


def cut_webhooks(description: Mapping[str, Any], names: frozenset[str] = WEBHOOKS) -> dict[str, Any]:
    """The schemas of these webhooks' payloads (key: name) and the components that they reach."""
    if missing := names - description["webhooks"].keys():
        raise ValueError(f"the description has no webhook {', '.join(sorted(missing))}; check the spelling")
    small = {
        name: without_prose(
            description["webhooks"][name]["post"]["requestBody"]["content"]["application/json"]["schema"]
        )
        for name in sorted(names)
    }
    return {**heading(description), "webhooks": small, "components": corrected(components(description, small))}


def correct(paths: dict[str, Any]) -> dict[str, Any]:
    """The paths without a fault of the description.

    It says that the account of a listed installation is a user and an enterprise at once; a single
    installation's is either.
    """
    response = paths.get("/app/installations", {}).get("get", {}).get("responses", {}).get("200")
    if response:
        response["content"]["application/json"]["schema"]["items"] = {"$ref": "#/components/schemas/installation"}
    return paths


def corrected(node: Any) -> Any:
    """The schemas without two more faults of the descriptions.

    They say that the head of a pull request always has a repository (GitHub shows null once it is deleted),
    and some lists of what an App may subscribe to are older than merge queues.
    """
    if isinstance(node, list):
        return [corrected(item) for item in node]
    if not isinstance(node, dict):
        return node
    schema = {key: corrected(value) for key, value in node.items()}
    head = schema.get("properties", {}).get("head", {})
    if "label" in head.get("properties", {}):
        head["properties"]["repo"] = {"anyOf": [head["properties"]["repo"], {"type": "null"}]}
    events = schema.get("enum", ())
    if "check_suite" in events and "merge_group" not in events:
        schema["enum"] = sorted([*events, "merge_group"])
    return schema


def heading(description: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "openapi": description["openapi"],
        "info": {"title": description["info"]["title"], "version": description["info"]["version"]},
    }


def components(description: Mapping[str, Any], start: Any) -> dict[str, dict[str, Any]]:
    """Every component that `start` reaches, by kind and name."""
    reached: dict[str, dict[str, Any]] = {}
    waiting = sorted(set(references(start)))
    while waiting:
        kind, name = waiting.pop().removeprefix("#/components/").split("/")
        if name not in reached.setdefault(kind, {}):
            component = with_null_types(without_prose(description["components"][kind][name]))
            reached[kind][name] = component
            waiting.extend(references(component))
    return reached


def without_prose(node: Any, *, names: bool = False) -> Any:
    """The node without descriptions and examples; `names` says that its keys are names, not keywords."""
    if isinstance(node, dict):
        return {
            key: without_prose(value, names=key in ("properties", "paths") and not names)
            for key, value in node.items()
            if names or key not in PROSE
        }
    if isinstance(node, list):
        return [without_prose(item) for item in node]
    return node


def with_null_types(node: Any) -> Any:
    """The node with OpenAPI 3.0's `nullable: true` said in JSON Schema: null is one of the types."""
    if isinstance(node, list):
        return [with_null_types(item) for item in node]
    if not isinstance(node, dict):
        return node
    schema = {key: with_null_types(value) for key, value in node.items()}
    if schema.get("nullable") is not True:
        return schema
    del schema["nullable"]
    if isinstance(schema.get("type"), str):
        schema["type"] = [schema["type"], "null"]
        if "enum" in schema and None not in schema["enum"]:
            schema["enum"] = [*schema["enum"], None]
        return schema
    return {"anyOf": [schema, {"type": "null"}]}


def references(node: Any) -> Iterator[str]:
    """Every `$ref` inside the node."""
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "$ref" and isinstance(value, str):
                yield value
            else:
                yield from references(value)
    elif isinstance(node, list):
        for item in node:
            yield from references(item)


def main() -> None:
    parser = argparse.ArgumentParser(description="Cut GitHub's descriptions to what Draftsman uses.")
    parser.add_argument("description", type=Path, help="generated/api.github.com.json of @octokit/openapi")
    parser.add_argument("--webhooks", type=Path, help="the same file of @octokit/openapi-webhooks")
    paths = parser.parse_args()
    write(CUT, cut(json.loads(paths.description.read_text(encoding="utf-8"))))
    if paths.webhooks:
        write(WEBHOOKS_CUT, cut_webhooks(json.loads(paths.webhooks.read_text(encoding="utf-8"))))


def write(path: Path, small: dict[str, Any]) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(small, separators=(",", ":"), sort_keys=True) + "\n", encoding="utf-8")
    print(f"{path}: {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
