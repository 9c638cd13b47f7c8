"""Webhook payload templates: GitHub's own examples, repaired, with placeholders where names and addresses stood.

Refresh them with three files of npm packages (versions as in the command)::

    npm pack @octokit/webhooks-examples@7.6.1 @octokit/openapi-webhooks@12.1.0 @octokit/openapi@23.0.2
    python -m tests.github.cut_payloads \\
        webhooks-examples/api.github.com/index.json \\
        openapi-webhooks/generated/api.github.com.json openapi/generated/api.github.com.json

GitHub's examples are older than its description: most lack fields that the description requires. Those are
filled in here, once, so that what the stand-in sends is valid (`tests/github/test_payloads.py`).
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "payloads"

PLACEHOLDERS = (
    ("https://api.github.com", "%API%"),
    ("https://github.com", "%WEB%"),
    ("git@github.com:Codertocat/Hello-World", "git@%HOST%:%REPO%"),
    ("git://github.com", "git://%HOST%"),
    ("Codertocat/Hello-World", "%REPO%"),
    ("Codertocat", "%LOGIN%"),
    ("/pull/2", "/pull/%NUMBER%"),
    ("/pulls/2", "/pulls/%NUMBER%"),
    ("/issues/2", "/issues/%NUMBER%"),
    ("ec26c3e57ca3a959ca5aad62de7213c562f8c821", "%SHA%"),
    ("https://avatars1.githubusercontent.com/u/21031067?v=4", "%WEB%/avatars/%LOGIN%"),
)

# Template name -> (event, index of the example, key inside it, fields that the stand-in composes itself).
TEMPLATES = {
    "account": ("pull_request", 14, "sender", ()),
    "repository": ("pull_request", 14, "repository", ("owner",)),
    "pull_request": ("pull_request", 14, "pull_request", ("user", "head", "base")),
}

# Template name -> schemas (description, pointer) whose required fields it must have.
SCHEMAS = {
    "account": (("webhooks", "simple-user"), ("rest", "simple-user")),
    "repository": (("webhooks", "repository-webhooks"), ("rest", "full-repository"), ("rest", "repository")),
    "pull_request": (("rest", "pull-request"),),
}


def with_required(value: Any, schema: Mapping[str, Any], document: Mapping[str, Any]) -> Any:
    """The value with every field that the schema requires and the value lacks, null where null is allowed."""
    schema = resolve(schema, document)
    if isinstance(value, dict):
        filled = dict(value)
        for part in [schema, *(resolve(part, document) for part in schema.get("allOf", ()))]:
            for name, inner in part.get("properties", {}).items():
                if name in filled:
                    filled[name] = with_required(filled[name], inner, document)
                elif name in part.get("required", ()):
                    filled[name] = smallest(inner, document)
        return filled
    return value


def smallest(schema: Mapping[str, Any], document: Mapping[str, Any]) -> Any:
    """The plainest value that the schema allows."""
    schema = resolve(schema, document)
    for choice in [*schema.get("anyOf", ()), *schema.get("oneOf", ())]:
        if resolve(choice, document).get("type") == "null":
            return None
    if schema.get("nullable") or "null" in types(schema):
        return None
    if "enum" in schema:
        return schema["enum"][0]
    kind = next(iter(types(schema)), "object")
    if kind == "object":
        return with_required({}, schema, document)
    if kind == "string":
        return "%API%" if schema.get("format") == "uri" else ""
    return {"array": [], "integer": 0, "number": 0, "boolean": False}[kind]


def types(schema: Mapping[str, Any]) -> Sequence[str]:
    kind = schema.get("type", ())
    return [kind] if isinstance(kind, str) else list(kind)


def resolve(schema: Mapping[str, Any], document: Mapping[str, Any]) -> Mapping[str, Any]:
    while "$ref" in schema:
        node: Any = document
        for part in schema["$ref"].removeprefix("#/").split("/"):
            node = node[part]
        schema = node
    return schema


def with_placeholders(node: Any) -> Any:
    if isinstance(node, dict):
        return {key: with_placeholders(value) for key, value in node.items()}
    if isinstance(node, list):
        return [with_placeholders(item) for item in node]
    if isinstance(node, str):
        for text, placeholder in PLACEHOLDERS:
            node = node.replace(text, placeholder)
    return node


def main() -> None:
    parser = argparse.ArgumentParser(description="Cut GitHub's webhook examples to the stand-in's templates.")
    parser.add_argument("examples", type=Path)
    parser.add_argument("webhooks", type=Path)
    parser.add_argument("rest", type=Path)
    paths = parser.parse_args()
    examples = {e["name"]: e["examples"] for e in json.loads(paths.examples.read_text(encoding="utf-8"))}
    documents = {name: json.loads(getattr(paths, name).read_text(encoding="utf-8")) for name in ("webhooks", "rest")}
    FOLDER.mkdir(exist_ok=True)
    for name, (event, index, key, composed) in TEMPLATES.items():
        template = {k: v for k, v in examples[event][index][key].items() if k not in composed}
        for document, schema in SCHEMAS[name]:
            reference = {"$ref": f"#/components/schemas/{schema}"}
            template = with_required(template, reference, documents[document])
        # People and labels of the example are nobody's here.
        template |= {key: [] for key, value in template.items() if isinstance(value, list)}
        for field in composed:
            template.pop(field, None)
        text = json.dumps(with_placeholders(template), indent=1, sort_keys=True)
        (FOLDER / f"{name}.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
