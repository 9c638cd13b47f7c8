"""What a repository's own Dockerfile may not do, in every way of writing it."""

from __future__ import annotations

import contextlib
import time

import pytest

from draftsman.domain.errors import BuildError
from orchestrator.dockerfiles.rules import check_build_args, check_dockerfile, check_triggers

KNOWN = {"TARGETARCH": "amd64", "TARGETPLATFORM": "linux/amd64", "HTTP_PROXY": "http://127.0.0.1:3128"}

ALLOWED = (
    "FROM python:3.13-slim\nWORKDIR /app\nADD . /app\nCOPY a b /c/\n",
    "# syntax=docker/dockerfile:1\nFROM a\n",
    "# syntax=docker/dockerfile:1.7-labs\nFROM a\n",
    "# syntax = docker.io/docker/dockerfile:1.4@sha256:" + "0" * 64 + "\nFROM a\n",
    "# check=skip=all\nFROM a\n",
    "FROM a\n# syntax=evil/frontend\nRUN x\n",
    "ARG V=3.13\nFROM python:${V}-slim\n",
    "FROM base-${TARGETARCH} AS x\nFROM x\n",
    "FROM a AS facade\nFROM facade\nCOPY --from=facade /x /x\nCOPY --from=0 /y /y\n",
    "FROM golang AS build\nFROM scratch\nCOPY --from=build /x /x\nCOPY --from=nginx:1.27 /y /y\n",
    "FROM a\nRUN --mount=type=cache,target=/root/.cache --mount=type=bind,from=b,target=/x make\n",
    "FROM a\nRUN --network=none --security=sandbox make\n",
    "FROM a\nRUN curl http://127.0.0.1:80/ | sh && git clone git@example.com:x\n",
    "FROM a\nRUN <<EOF\nADD http://x /y\nEOF\n",
    "FROM a\nENV URL=http://x\nRUN add \\\n http://x\n",
    "ARG JAR=target/*.jar\nFROM a\nARG JAR=target/*.jar\nADD ${JAR} app.jar\n",
    "FROM a\nARG U=.\nADD $U /y\n",
    "FROM a\nENV D=dist\nADD $D/x.tar.gz /\n",
    "FROM a\nARG V=1\nADD app-${V}.tar.gz dist/$V/x https.tar $UNKNOWN\n",
    "FROM a\nARG V\nADD dist/app-$V.tar.gz /\n",
    "FROM a\nADD <<EOF /x\nhttp://x\nEOF\n",
    'FROM a\nADD ["a b", "/http://x"]\n',
    "FROM a\nADD node_modules/@scope/x /y\n",
    "FROM draftsman-runners/x\n",
    "FROM example.com/my-draftsman-runner/x:1\n",
    "FROM a\nONBUILD ADD . /app\nONBUILD RUN make\n",
    "FROM a\nLABEL x=http://x y='${Z#a}'\nRUN echo ${Z#a}\n",
    "",
)

REFUSED = (
    ("FROM a\nADD http://127.0.0.1:8080/ /x\n", "Line 2 .*`ADD http://127.0.0.1:8080/` is a URL"),
    ("FROM a\nRUN x \\\n y\n\n  aDd \\\n # c\n\n https://x /y\n", "Line 5 "),
    ("FROM a\nADD --checksum=sha256:x --chown=1 HTTP://x /y\n", "Line 2 "),
    ("FROM a\nADD a git@github.com:acme/x.git /y\n", "git repository"),
    ("FROM a\nADD user@host:x /y\n", "git repository"),
    ("FROM a\nADD ssh://git@x/y /y\n", "git repository"),
    ("FROM a\nADD git://x/y#v1 /y\n", "git repository"),
    ('FROM a\nADD "ht"tp://x /y\n', "URL"),
    ("FROM a\nADD h\\ttp://x /y\n", "URL"),
    ("# escape=`\nFROM a\nADD h`ttp:'//'x /y\n", "URL"),
    ('FROM a\nADD ["\\u0068ttp://x", "/y"]\n', "URL"),
    ('FROM a\nADD ["http://x", "/y"] z\n', "URL"),
    ("FROM a\n\u3000ADD http://x /y\n", "URL"),
    ("FROM a\nRUN cat<<EOF\nADD http://x /y\nEOF\n", "Line 3 "),
    ("FROM a\nRUN it's <<EOF\nADD http://x /y\nEOF\n", "Line 3 "),
    ("FROM a\nRUN ${x^^} <<EOF\nADD http://x /y\nEOF\n", "beside a substitution"),
    ("# a comment\n# escape=`\nFROM a\nRUN x `\nADD http://x /y\n", "Line 5 "),
    ("FROM a\nARG U=http://x\nADD $U /y\n", "is a URL"),
    ("ARG U=http://x\nFROM a\nARG U\nADD ${U} /y\n", "is a URL"),
    ("FROM a\nENV S=http\nENV U=$S://\nADD ${U}x /y\n", "is a URL"),
    ("FROM a\nENV U http://x\nADD $U /y\n", "is a URL"),
    ("FROM a AS b\nENV U=http://x\nFROM b\nADD $U /y\n", "is a URL"),
    ("FROM a\nADD ${U:-http://x} /y\n", "may be a URL"),
    ("FROM a\nENV U=\nADD ${U:-http://x} /y\n", "is a URL"),
    ("FROM a\nENV U=1\nADD ${U:+http://x} /y\n", "is a URL"),
    ("FROM a\nADD $U /y\n", "may be a URL"),
    ("FROM a\nADD http$U /y\n", "may be a URL"),
    ("FROM a\nARG U\nADD $U /y\n", "may be a URL"),
    ("FROM a\nENV U=xhttp://x\nADD ${U#x} /y\n", "may be a URL"),
    ("FROM a\nENV N=U\nENV $M=http://x U2=b\nADD $U2 /y\n", "may be a URL"),
    ("FROM a\nARG U=.\nARG U=http://x\nADD $U /y\n", "may be a URL"),
    ("FROM a\nARG HTTP_PROXY=.\nADD $HTTP_PROXY /y\n", "is a URL"),
    ("FROM a\nONBUILD ADD http://x /y\n", "Line 2 .* URL"),
    ("FROM a\nENV U=.\nONBUILD ADD $U /y\n", "may be a URL"),
    ("FROM draftsman-runner/acme/widgets:0123456789ab\n", "Line 1 .*image that Draftsman built"),
    ("FROM --platform=linux/amd64 docker.io/draftsman-base/acme/widgets:1 AS x\n", "Draftsman built"),
    ("FROM localhost/draftsman-base/acme/widgets:1\n", "Draftsman built"),
    ("ARG A=draftsman-run\nARG B\nFROM ${A}ner$B/acme/widgets:1\n", "Draftsman built"),
    ("ARG A\nFROM ${A:-draftsman-runner}/acme/widgets:1\n", "Draftsman built"),
    ("ARG A=xdraftsman-runner\nFROM ${A#x}/acme/widgets:1\n", "cannot be told"),
    (f"FROM r.example.com:5000/team/draftsman-runner/acme/widgets@sha256:{'a' * 64}\n", "Draftsman built"),
    ("FROM a\nCOPY --from=r.example.com/draftsman-runner/acme/widgets:1 /x /x\n", "Line 2 .*Draftsman built"),
    ("FROM sha256:" + "a" * 64 + "\n", "no name"),
    ("FROM 0123456789ab\n", "no name"),
    ("FROM a\nCOPY --from=draftsman-runner/acme/widgets:1 /x /x\n", "Line 2 .*Draftsman built"),
    ('FROM a\nCOPY --chown=1 --from="draftsman-"runner/acme/x:1 /x /x\n', "Draftsman built"),
    ("FROM a\nCOPY --from=0123456789ab /x /x\n", "no name"),
    ("FROM a\nCOPY --from=$X /x /x\n", "a variable"),
    ("FROM a\nRUN --mount=type=bind,from=draftsman-base/acme/x:1,target=/x y\n", "Draftsman built"),
    ("FROM a\nRUN --mount=from=${X},target=/x y\n", "a variable"),
    ("FROM a\nRUN --network=host x\n", "Line 2 .*'--network=host'"),
    ("FROM a\nRUN --network='ho'st x\n", "--network=host"),
    ("FROM a\nRUN --security=insecure x\n", "--security=insecure"),
    ("FROM a\nRUN --device=vendor.com/x=1 x\n", "--device"),
    ("FROM a\nONBUILD RUN --network=host x\n", "--network=host"),
    ("# syntax=evil/frontend:1\nFROM a\n", "Line 1 .*'evil/frontend:1'"),
    ("#syntax=docker/dockerfile-upstream:master\nFROM a\n", "Line 1 "),
    ("# syntax=docker/dockerfile:1 evil\nFROM a\n", "Line 1 "),
    ("# syntax=docker/dockerfile:1evil\nFROM a\n", "Line 1 "),
    ("#!x\n# Syntax = evil\nFROM a\n", "Line 2 "),
    ("\ufeff# escape=\\\n# syntax=evil\nFROM a\n", "Line 2 "),
    ("// syntax=evil\nFROM a\n", "Line 1 "),
    ('{"syntax": "evil"}', "JSON"),
)


@pytest.mark.parametrize("text", ALLOWED)
def test_what_a_build_may_do(text: str) -> None:
    check_dockerfile(text, KNOWN)


@pytest.mark.parametrize(("text", "says"), REFUSED)
def test_what_a_build_may_not_do(text: str, says: str) -> None:
    with pytest.raises(BuildError, match=says):
        check_dockerfile(text, KNOWN)


def test_a_variable_that_the_base_image_sets_counts_for_nothing() -> None:
    text = "FROM a\nARG FILES=.\nADD $FILES /app\n"
    check_dockerfile(text)
    with pytest.raises(BuildError, match="may be a URL"):
        check_dockerfile(text, inherited=frozenset({"FILES"}))
    check_dockerfile("FROM a\nENV FILES=.\nADD $FILES /app\n", inherited=frozenset({"FILES"}))


def test_a_variable_that_doubles_itself_takes_no_memory() -> None:
    doubling = "ENV A=xx\n" + "ENV A=$A$A\n" * 200
    check_dockerfile(f"FROM a\n{doubling}")
    with pytest.raises(BuildError, match="may be a URL"):
        check_dockerfile(f"FROM a\n{doubling}ADD $A /x\n")


@pytest.mark.hostile
@pytest.mark.parametrize(
    "unit",
    [
        "ADD $A /x\n",
        "ENV A${A}=${A:-b}\n",
        "ADD a ",
        "ARG A=$A\n",
        "FROM ${A:-${",
        "# syntax=docker/dockerfile:1 \n",
        'ENV "$A',
    ],
)
def test_the_time_is_bounded(unit: str) -> None:
    began = time.process_time()
    with contextlib.suppress(BuildError):
        check_dockerfile("ARG A=b\nFROM a\nENV A=c\n" + unit * (512 * 1024 // len(unit)))
    assert time.process_time() - began < 30


def test_what_base_images_do_later_is_looked_at_too() -> None:
    check_triggers("python:onbuild", ["RUN pip install tox", "WORKDIR /app", "COPY --from=busybox /bin /bin"])
    for trigger in ("COPY . /usr/src/app", "RUN --mount=target=/x make", "ADD a /b"):
        with pytest.raises(BuildError, match=r"its ONBUILD `.*takes files of the repository"):
            check_triggers("python:onbuild", [trigger])
    with pytest.raises(BuildError, match="a cache that every repository would share"):
        check_triggers("go:onbuild", ["RUN --mount=type=cache,target=/x make"])
    with pytest.raises(
        BuildError, match=r"base image evil:1 cannot be used: its ONBUILD `ADD http://127\.0\.0\.1/ /x`"
    ):
        check_triggers("evil:1", ["RUN x", "ADD http://127.0.0.1/ /x"])


def test_build_arguments_are_those_of_dockerfiles() -> None:
    check_build_args({"VERSION": "1", "http_proxy": "x", "_x9": ""})
    for name in ("BUILDKIT_SYNTAX", "buildkit_context_keep_git_dir", "A B", "", "A\nB", "1A"):
        with pytest.raises(BuildError, match="build argument"):
            check_build_args({name: "evil/frontend"})
