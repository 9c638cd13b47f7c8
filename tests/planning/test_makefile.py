"""What `make X` and `just X` run."""

from __future__ import annotations

import pytest

from orchestrator.planning.justfile import Justfile
from orchestrator.planning.makefile import Makefile, called_targets

MAKEFILE = """\
PYTHON ?= python3
FLAGS = -q
FLAGS += -x
FILES := $(shell find . -name '*.py')
ifdef WINDOWS
SLASH = b
endif
include more.mk

.PHONY: test
test: lint | build  ## all of it
\t@echo "testing $@"
\t$(PYTHON) -m pytest $(FLAGS) \\
\t    tests
\t-rm -rf tmp
\tcd web && npm test

lint: ; ruff check .
build: src/a.c
loop:
\tfor x in a b; do ./$$x; done
unknown:
\tgo test $(FILES)
\tfoo $(SLASH) $(more)
sub:
\t$(MAKE) -s lint
a: b
b: a
\trun b
foreign: export X=1
foreign:
\trun foreign
test-%:
\ttox -e $@ $*
define body
\trm x
endef
none:
"""


@pytest.mark.parametrize(
    ("target", "commands", "whole"),
    [
        ("test", [("ruff check .", ""), ("python3 -m pytest -q -x tests", ""), ("npm test", "web")], True),
        ("lint", [("ruff check .", "")], True),
        ("loop", [], False),
        ("unknown", [], False),
        ("sub", [("ruff check .", "")], True),
        ("a", [("run b", "")], True),
        ("foreign", [("run foreign", "")], True),
        ("none", [], True),
    ],
)
def test_recipes_with_their_prerequisites(target: str, commands: list[tuple[str, str]], *, whole: bool) -> None:
    recipe = Makefile("Makefile", MAKEFILE).recipe(target)
    assert recipe is not None
    assert [(one.text, one.folder) for one in recipe.commands] == commands
    assert recipe.whole is whole


def test_lines_and_beginnings() -> None:
    makefile = Makefile("Makefile", MAKEFILE)
    test, unknown, pattern = (makefile.recipe(name) for name in ("test", "unknown", "test-unit"))
    assert test is not None
    assert unknown is not None
    assert pattern is not None
    assert (test.line, [one.line for one in test.commands]) == (11, [18, 13, 16])
    assert unknown.begun == ("go test", "foo")
    assert pattern.begun == ("tox -e test-unit",)
    assert makefile.recipe("absent") is None
    assert not makefile.runs_something("none")


def test_other_shells_are_not_read() -> None:
    for first in ("SHELL = python3", ".ONESHELL:"):
        recipe = Makefile("Makefile", f"{first}\ntest:\n\tcd a\n\tpytest\n").recipe("test")
        assert recipe is not None
        assert not recipe.whole


@pytest.mark.parametrize(
    ("command", "targets"),
    [
        ("make test", ["test"]),
        ("make -j4 --silent lint test", ["lint", "test"]),
        ("make", []),
        ("make -C web test", []),
        ("make test V=1", []),
        ("cmake test", []),
    ],
)
def test_calls(command: str, targets: list[str]) -> None:
    assert called_targets(command) == targets


JUSTFILE = """\
set shell := ["bash", "-c"]
tests := "tests/unit"
version := `git describe`
alias t := test

# all of it
[group('x')]
@test: lint && after
    pytest {{tests}} -q
    just fmt
lint:
    @ruff check .
after:
    -true
fmt:
    ruff format --check .
release name="x":
    publish {{name}}
tagged:
    run {{version}}
program:
    #!/usr/bin/env python
    print(1)
"""


@pytest.mark.parametrize(
    ("recipe", "commands", "whole"),
    [
        ("lint", ["ruff check ."], True),
        ("t", ["ruff check .", "pytest tests/unit -q", "ruff format --check ."], False),
        ("release", [], False),
        ("tagged", [], False),
        ("program", [], False),
    ],
)
def test_just_recipes(recipe: str, commands: list[str], *, whole: bool) -> None:
    found = Justfile("justfile", JUSTFILE).recipe(recipe)
    assert found is not None
    assert [one.text for one in found.commands] == commands
    assert found.whole is whole


def test_other_shells_of_just_are_not_whole() -> None:
    found = Justfile("justfile", 'set shell := ["nu", "-c"]\ntest:\n    pytest\n').recipe("test")
    assert found is not None
    assert not found.whole
