"""What a failed build means: whose fault it is, where in the Dockerfile it happened, and what to say. Pure."""

from __future__ import annotations

import re

from draftsman.domain.errors import BuildError, DraftsmanError, HostError
from draftsman.domain.retry import Cause
from orchestrator.dockerfiles.lexer import read_instructions
from orchestrator.outages import disk_cause, outage_in

_UNREACHABLE = (
    "Temporary failure resolving",
    "Temporary failure in name resolution",
    "Could not resolve",
    "Failed to fetch",
    "temporary error",
    "Curl error",
    "EAI_AGAIN",
    "ETIMEDOUT",
    "ENETUNREACH",
    "ECONNREFUSED",
    "ECONNRESET",
    "Network is unreachable",
    "network is unreachable",
    "Connection timed out",
    "connect timed out",
    "i/o timeout",
    "no such host",
    "Could not connect to",
    "Failed to establish a new connection",
    "dns error",
)
"""What apt-get, apk, dnf, pip, npm, go and cargo say when what they need cannot be reached."""
_UNTRUSTED = (
    "certificate verify failed",
    "certificate problem",
    "certificate signed by unknown authority",
    "self-signed certificate",
    "self signed certificate",
    "unable to get local issuer certificate",
    "SELF_SIGNED_CERT",
    "UNABLE_TO_VERIFY",
)
"""What tools say of a certificate that they do not trust."""
_CUT = re.compile(r"(?<=<<)|(?<!^RUN )(?=\$)")
"""Where an instruction may go on otherwise in a builder's spelling: what a heredoc says, what a variable holds."""
WITHOUT_CA = (
    "This Dockerfile is built as it is: the host's CA bundle (DRAFTSMAN_CA_BUNDLE) is not part of it. Copy the "
    "certificates in the Dockerfile where its instructions need them."
)


def is_unreachable(error: DraftsmanError) -> bool:
    """Return whether the build failed since something could not be reached: the next one may succeed as it is."""
    said = f"{error}\n{error.detail}"
    return isinstance(error, HostError) or any(sign in said for sign in _UNREACHABLE)


def no_fault(error: BuildError) -> HostError | None:
    """Return the error for a build that a registry, the network or a full disk failed, None where the author's did."""
    outage = outage_in(error.detail)
    if outage is not None:
        return HostError(_since(outage.cause, error), f"{outage.evidence}\n\n{error.detail}", cause=outage.cause)
    full = disk_cause(error.detail)
    return None if full is None else HostError(_since(full, error), error.detail, cause=full)


def _since(cause: Cause, error: BuildError) -> str:
    sentence = str(error)
    return f"{cause.phrase}: {sentence[:1].lower()}{sentence[1:]}"


def own_failure(error: BuildError, *, has_ca: bool) -> BuildError:
    """Return the error for a repository's own Dockerfile; of a refused certificate it says where that may lie."""
    if has_ca and any(sign in f"{error}\n{error.detail}" for sign in _UNTRUSTED):
        return BuildError(str(error), f"{WITHOUT_CA}\n{error.detail}")
    return error


def layer_failure(error: BuildError) -> BuildError | HostError:
    """Return the error for a runner layer that did not build: ours where its packages could not be fetched."""
    if any(sign in error.detail for sign in _UNREACHABLE):
        known = no_fault(error)
        cause = None if known is None else known.cause
        sentence = "git could not be installed in the image: its packages could not be fetched."
        return HostError(sentence, error.detail, cause=cause)
    return BuildError(
        "The image cannot run checks: Draftsman's layer on top of it (a shell, git, certificates) did not build. Use "
        "a base image that has git, or apt-get, apk, dnf or microdnf to install it with.",
        f"{error}\n{error.detail}",
    )


def line_of(dockerfile: str, instruction: str) -> int | None:
    """Return the line at which an instruction begins that a builder names in its own spelling, None if unsure."""
    wanted = _bare(instruction)
    spelled = [(one.line, _bare(f"{one.name} {one.rest}")) for one in read_instructions(dockerfile)]
    found = [line for line, text in spelled if text == wanted]
    if not found:  # the builder put in variables, or shortened a heredoc
        cut = [(line, _CUT.split(text, maxsplit=1)[0]) for line, text in spelled if _CUT.search(text)]
        fitting = [(len(start), line) for line, start in cut if wanted.startswith(start)]
        found = [line for length, line in fitting if length == max(fitting)[0]]
    return found[0] if len(found) == 1 else None


def _bare(text: str) -> str:
    """Return the instruction without what builders spell in their own way: spaces, flags, the name's capitals."""
    name, *words = text.split()[:2000] or [""]
    while words and words[0].startswith("--"):
        words.pop(0)
    return " ".join([name.upper(), *words])
