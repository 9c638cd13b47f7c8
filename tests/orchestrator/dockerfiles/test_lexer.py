"""Dockerfiles are read as BuildKit's own parser reads them (the `dockerfile` package is that parser)."""

from __future__ import annotations

import contextlib
import time

import dockerfile
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from draftsman.domain.errors import BuildError
from orchestrator.dockerfiles.lexer import read_instructions

Read = tuple[str, tuple[str, ...], int]

SAMPLES = (
    "FROM a\nRUN cat<<EOF\nADD b c\nEOF\n",
    "FROM a\nRUN echo it's <<EOF\nADD b c\nEOF\n",
    'FROM a\nRUN echo "<<EOF"\nADD b c\nEOF\n',
    'FROM a\nRUN cat <<"E F"\nADD b c\nE F\nADD d e\n',
    "FROM a\nRUN cat <<''\nADD b c\n\nADD d e\n",
    "FROM a\nRUN cat <<E\\ F\nADD b c\nE F\nADD d e\n",
    "FROM a\nRUN cat <<E'O'F\nADD b c\nEOF\nADD d e\n",
    "FROM a\nRUN cat <<EOF <<-EOF2 3<<X\nA\nEOF\nB\n\tEOF2\nADD b c\nX\nADD d e",
    "FROM a\r\nRUN cat <<EOF\r\nADD b c\r\nEOF\r\nADD d e\r\n",
    'FROM a\nRUN ["a", "<<EOF"] x <<EOF\nADD b c\nEOF\n',
    'FROM a\nRUN ["a", "<<EOF"\nADD b c\nEOF\n',
    "FROM a\nONBUILD RUN cat <<EOF\nADD b c\nEOF\nADD d e\n",
    'FROM a\nONBUILD RUN ["a"] <<EOF\nADD b c\nEOF\n',
    "FROM a\nENV x=<<EOF\nADD b c\n",
    "FROM a\nRUN echo $((1<<2)) <<<x\nADD b c\n",
    "FROM a\nRUN cat <<EOF > ${X:-y}/z\nADD b c\nEOF\nADD d e\n",
    "# escape=`\nFROM a\nRUN x `\n y\nADD b \\\nADD c d\n",
    "# syntax=docker/dockerfile:1\n# Escape = ` \nFROM a\nRUN x `\n y\n",
    "# a comment\n# escape=`\nFROM a\nRUN x `\n y\n",
    "\n# escape=`\nFROM a\nRUN x `\n y\n",
    "# check=skip=all\n# escape=`\nFROM a\nRUN x `\n y\n",
    "# foo=bar\n# escape=`\nFROM a\nRUN x `\n y\n",
    "#!x\n# escape=`\nFROM a\nRUN x `\n y\n",
    "\ufeff# escape=`\nFROM a\nRUN x `\n y\n",
    "FROM a\n\\\nADD b c\n",
    "FROM a\n\\\n\nADD b c\n",
    "FROM a\nRUN x \\\\\nADD b c\n",
    "FROM a\nRUN x \\\\\\\nADD b c\n",
    "FROM a\nRUN x \\ \t\n  # c \\\n\n  y\nADD b c\n",
    "FROM a\nRUN x \\\u00a0\nADD b c\n",
    "FROM a\n# c \\\nADD b c\n",
    "FROM a\n\u3000ADD b c\n",
    "FROM a\nADD\u3000b c\n",
    "FROM a\nADD\tb\vc\n",
    "FROM a\x0bRUN b\n",
    "FROM a\nRUN x\x85y\u2028ADD b c\x1cADD b c\rADD d e\n",
    "from a\nadd b c\nAdD --checksum=x d e\n",
    "FROM a\nRUN --mount=type=\"a b\",x --network='none' --s\\x y\n",
    'FROM a\nADD --chown="a\nRUN x"\n',
    "FROM a\nADD -- --from=x x y\n",
    "FROM a\nADD --a -- --from=x -- z x y\n",
    'FROM a\nADD --"" b\nADD "--x" b\nADD --x\\\n',
    "FROM a\nADD --é=à b\n",
    "FROM a\nADD --x\u00a0--y b\n",
)

PIECES = (
    *(
        "FROM",
        "RUN",
        "ADD",
        "COPY",
        "ENV",
        "ONBUILD",
        "a",
        "b",
        "#",
        "\\",
        "`",
        "'",
        '"',
        "$",
        "{",
        "}",
        ":-",
        "[",
        "]",
        ",",
    ),
    *(
        "<<",
        "<<-",
        "EOF",
        "<<EOF",
        "<<-EOF\n",
        "\n",
        "\nEOF\n",
        "\n\tEOF\n",
        "\r\n",
        " ",
        "\t",
        "\v",
        "\r",
        "--",
        "--x=",
        "=",
        "--network=host",
    ),
    *(
        "# escape=`\n",
        "# escape=\\\n",
        "\\\n",
        "\\\\\n",
        "`\n",
        "\u00a0",
        "\u3000",
        "\x85",
        "\u2028",
        "é",
        "\nADD x y\n",
        "\nRUN ",
        '["a"]',
    ),
)


def ours(text: str) -> list[Read]:
    return [(one.name, one.flags, one.line) for one in read_instructions(text)]


def oracle(text: str) -> list[Read] | None:
    """Return what BuildKit reads, None where it refuses the text."""
    try:
        commands = dockerfile.parse_string(text)
    except (dockerfile.GoParseError, dockerfile.GoIOError):
        return None
    return [(one.cmd.upper(), one.flags, one.start_line) for one in commands if one.cmd]


@pytest.mark.parametrize("text", SAMPLES)
def test_as_buildkit_reads_it(text: str) -> None:
    expected = oracle(text)
    assert expected is not None
    assert ours(text) == expected


@settings(max_examples=1500, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=25).map("".join))
@example("RUN <<EOF\nADD b c\n\tEOF\nEOF\nADD d e\n")
def test_any_text_is_read_as_buildkit_reads_it_or_refused(text: str) -> None:
    expected = oracle(f"FROM a\n{text}\n")
    try:
        found = ours(f"FROM a\n{text}\n")
    except BuildError:
        return
    if expected is not None:
        assert found == expected


@settings(max_examples=500, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=12).map("".join))
def test_any_beginning_is_read_as_buildkit_reads_it_or_refused(text: str) -> None:
    expected = oracle(text)
    try:
        found = ours(text)
    except BuildError:
        return
    if expected is not None:
        assert found == expected


@pytest.mark.parametrize(
    "unit", ["RUN x \\\n", "RUN <<EOF\n", "RUN --x ", "\\\n", "# a\n", 'RUN "', "RUN [[", "RUN ${x:-", "ADD <<$"]
)
def test_the_time_is_bounded(unit: str) -> None:
    began = time.process_time()
    with contextlib.suppress(BuildError):
        read_instructions(unit * (512 * 1024 // len(unit)))
    assert time.process_time() - began < 30
