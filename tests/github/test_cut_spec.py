"""The cut of GitHub's descriptions: nothing that judges is lost, nothing that talks is kept."""

import pytest

from tests.github.cut_spec import components, cut, with_null_types, without_prose


def test_null_becomes_a_type() -> None:
    assert with_null_types({"type": "string", "nullable": True}) == {"type": ["string", "null"]}
    assert with_null_types({"type": "string", "enum": ["a"], "nullable": True})["enum"] == ["a", None]
    composed = with_null_types({"allOf": [{"type": "object"}], "nullable": True})
    assert composed == {"anyOf": [{"allOf": [{"type": "object"}]}, {"type": "null"}]}


def test_prose_goes_and_fields_of_the_same_name_stay() -> None:
    schema = {"description": "words", "example": 1, "properties": {"description": {"type": "string", "example": "x"}}}
    assert without_prose(schema) == {"properties": {"description": {"type": "string"}}}


def test_components_are_followed() -> None:
    link = "#/components/schemas/"
    description = {
        "components": {"schemas": {"a": {"items": {"$ref": f"{link}b"}}, "b": {"type": "string"}, "c": {}}},
    }
    assert components(description, {"$ref": f"{link}a"})["schemas"].keys() == {"a", "b"}


def test_misspelt_operation_is_named() -> None:
    description = {"openapi": "3.0.3", "info": {"title": "t", "version": "1"}, "paths": {}}
    with pytest.raises(ValueError, match="apps/gte"):
        cut(description, frozenset({"apps/gte"}))
