"""What a failed build means."""

from __future__ import annotations

import pytest

from draftsman.domain.errors import BuildError, HostError
from orchestrator.images.failure import is_unreachable, layer_failure, line_of

DOCKERFILE = """\
FROM a AS one
RUN   make \\
    all
RUN make $WHAT
COPY a-$V b-$V /x/
RUN --mount=type=cache,target=/c make cached
RUN <<EOF
make
EOF
RUN twice
RUN twice
"""


@pytest.mark.parametrize(
    ("instruction", "line"),
    [
        ("RUN make all", 2),
        ("RUN make     all", 2),
        ("RUN make $WHAT", 4),
        ("COPY a-1 b-1 /x/", 5),
        ("RUN --mount=type=cache,target=/c,id=draftsman-1 make cached", 6),
        ("RUN <<EOF (make...)", 7),
        ("RUN twice", None),
        ("RUN something else", None),
        ("RUN $X", None),
        ("", None),
    ],
)
def test_the_line_of_an_instruction(instruction: str, line: int | None) -> None:
    assert line_of(DOCKERFILE, instruction) == line


def test_a_network_that_is_away_is_no_fault_of_the_dockerfile() -> None:
    for said in ("Could not resolve host: x", "npm error EAI_AGAIN", "dial tcp: i/o timeout"):
        assert is_unreachable(BuildError("x", said))
        assert isinstance(layer_failure(BuildError("x", "E: Failed to fetch http://x")), HostError)
    assert is_unreachable(HostError("x"))
    assert not is_unreachable(BuildError("x", "SyntaxError"))
    assert isinstance(layer_failure(BuildError("x", "no git")), BuildError)
