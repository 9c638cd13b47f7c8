"""What tools print when a registry or the network fails them, and when they will fail again. Data; see `outages.py`.

Each pattern is matched at the beginning of a line and has at most one part of unknown length, so that its time is
linear in the length of the line. Warnings of tries that are repeated are no signs: only what a tool ends with.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from draftsman.domain.retry import Cause


@dataclass(frozen=True, slots=True)
class Sign:
    """A line that a tool ends with. It counts only `beside` a line that holds one of these texts, where there are any.

    `of_known_host`: only where the line names a host that everybody fetches from.
    """

    tool: str
    cause: Cause
    line: re.Pattern[str]
    beside: tuple[str, ...] = ()
    of_known_host: bool = False


KNOWN_HOST = re.compile(
    r"\b(?:npmjs\.org|yarnpkg\.com|pypi\.org|pythonhosted\.org|debian\.org|ubuntu\.com|alpinelinux\.org|"
    r"fedoraproject\.org|rubygems\.org|crates\.io|golang\.org|github\.com|githubusercontent\.com|ghcr\.io|"
    r"docker\.io|docker\.com|quay\.io|gcr\.io|mcr\.microsoft\.com|nodejs\.org|anaconda\.org|astral\.sh)\b",
    re.IGNORECASE,
)
"""Hosts that everybody fetches from: where one of them is not found, it is the name server that failed."""

LASTING = re.compile(
    r"npm (?:ERR!|error) code (?:E40\d|E410|ETARGET|ERESOLVE|EBADENGINE|EBADPLATFORM|EUSAGE|EINTEGRITY|E451)\b"
    r"|npm (?:ERR!|error) 404 "
    r"| ?ERR_PNPM_(?:FETCH_40\d|NO_MATCHING_VERSION|OUTDATED_LOCKFILE|TARBALL_INTEGRITY|PACKAGE_NOT_FOUND)"
    r"|error (?:Couldn't find (?:package|any versions)|Your lockfile needs to be updated)"
    r"|error .*: Request failed \\?\"40\d"
    r"|➤ YN0(?:028|035): .*(?:lockfile would have been modified|Response Code: 40\d)"
    r"|error: GET \S{1,300} - 40\d"
    r"|ERROR: Could not find a version that satisfies the requirement .*\(from versions: [^n)]"
    r"|ERROR: HTTP error 4(?:0\d|1\d|51) "
    r"|ERROR: (?:ResolutionImpossible|THESE PACKAGES DO NOT MATCH THE HASHES|Cannot install )"
    r"|\s*(?:×|error:) No solution found"
    r"|\s*(?:cause|Caused by): HTTP status client error \(40\d"
    r"|E: Failed to fetch \S{1,300} {1,4}(?:40\d|410) "
    r"|E: Version '.*' for '"
    r"|go: .*(?:404 Not Found|410 Gone|unknown revision|invalid version)"
    r"|verifying .*: checksum mismatch"
    r"|Could not find (?:gem|compatible versions|\S{1,200} in (?:rubygems|any of the sources))"
    r"|error: (?:no matching package|failed to select a version)"
    r"|\s*failed to get successful HTTP response from .*, got 40\d"
    r"|fatal: (?:repository '.*' not found|Authentication failed|could not read Username)"
    r"|ERROR: Repository not found"
)
"""Lines of what would fail again in the same way."""


def _sign(tool: str, cause: Cause, line: str, *beside: str, of_known_host: bool = False) -> Sign:
    return Sign(tool, cause, re.compile(line), beside, of_known_host)


_NOT_OURS = r"(?!127\.|\[?::1|localhost)"
"""A connection that is refused on the machine itself is a service of the repository's own that does not run."""

_NODE = (
    r"(?:getaddrinfo EAI_AGAIN|(?:read|connect|write) (?:ECONNRESET|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|EPIPE)|"
    rf"socket hang up|[Ss]ocket timeout|Client network socket disconnected|connect ECONNREFUSED {_NOT_OURS}\S)"
)
"""What Node.js says of a connection that broke, and of a name server that did not answer."""

_PYTHON = (
    r"(?:Temporary failure in name resolution|[Tt]imed out|Connection (?:aborted|reset|broken)|ConnectionResetError|"
    r"RemoteDisconnected|Network is unreachable|No route to host|SSLEOFError)"
)
"""What Python's HTTP libraries say of it."""

_GO = (
    r"(?:i/o timeout|connection reset by peer|TLS handshake timeout|server misbehaving|unexpected EOF|"
    r"network is unreachable|Temporary failure in name resolution)"
)
"""What Go's say."""

_APT = r"(?:Temporary failure resolving|Connection (?:failed|timed out|reset)|Could not connect to|Unable to connect)"
_APT_FAILED = r"E: Failed to fetch \S{1,300} {1,4}"
_APT_WARNED = r"[EW]: Failed to fetch \S{1,300} {1,4}"
_NO_PACKAGE = ("E: Unable to locate package", "has no installation candidate")
"""What apt-get says where it installs without the index that it could not fetch."""

_APK_NO_PACKAGE = ("unable to select packages", "errors; ", "error; ")
_PIP_FOUND_NOTHING = ("(from versions: none)",)
_NPM = r"npm (?:ERR!|error) "

SIGNS = (
    _sign("npm", Cause.REGISTRY, _NPM + r"code E(?:5\d\d|429)\b"),
    _sign("npm", Cause.NETWORK, _NPM + r"code (?:E(?:SOCKET)?TIMEDOUT|ECONNRESET|EAI_AGAIN|ERR_SOCKET_TIMEOUT)\b"),
    _sign("npm", Cause.NETWORK, _NPM + rf"(?:network |FetchError: )?request to \S{{1,300}} failed, reason: {_NODE}"),
    _sign("npm", Cause.NETWORK, _NPM + r"network timeout at: "),
    _sign("npm", Cause.NETWORK, _NPM + r"network request to .* getaddrinfo ENOTFOUND", of_known_host=True),
    _sign("yarn", Cause.REGISTRY, r"error .*: Request failed \\?\"(?:5\d\d|429) "),
    _sign("yarn", Cause.NETWORK, rf"error .*(?:{_NODE}|https?://\S{{1,300}}: E(?:SOCKET)?TIMEDOUT)"),
    _sign("yarn", Cause.REGISTRY, r"➤ YN\d{4}: .*Response Code: (?:5\d\d|429)"),
    _sign("yarn", Cause.NETWORK, rf"➤ YN\d{{4}}: .*RequestError: (?:{_NODE}|Timeout awaiting)"),
    _sign("pnpm", Cause.REGISTRY, r" ?ERR_PNPM_FETCH_(?:5\d\d|429)\b"),
    _sign("pnpm", Cause.NETWORK, rf" ?(?:ERR_PNPM_META_FETCH_FAIL|E[A-Z_]{{3,20}}) .*failed, reason: {_NODE}"),
    _sign("bun", Cause.REGISTRY, r"error: GET \S{1,300} - (?:5\d\d|429)\b"),
    _sign("bun", Cause.NETWORK, r"error: (?:ConnectionClosed|ConnectionReset|Timeout) downloading "),
    # pip warns of each try; with total=0 the last one is left. Of an index that answers 503 it does not tell at all.
    _sign("pip", Cause.NETWORK, rf"WARNING: Retrying \(Retry\(total=0,.*{_PYTHON}", *_PIP_FOUND_NOTHING),
    _sign("pip", Cause.NETWORK, r"WARNING: Retrying \(Retry\(total=0,", *_PIP_FOUND_NOTHING, of_known_host=True),
    _sign("pip", Cause.REGISTRY, r"ERROR: HTTP error (?:5\d\d|429) "),
    _sign("pip", Cause.REGISTRY, r"ERROR: .*too many (?:5\d\d|429) error responses"),
    _sign("pip", Cause.NETWORK, rf"ERROR: .*HTTPS?ConnectionPool\(host='{_NOT_OURS}.*{_PYTHON}"),
    _sign("pip", Cause.NETWORK, r"(?:pip\._vendor\.)?urllib3\.exceptions\.(?:ProtocolError|ReadTimeoutError)\b"),
    _sign(
        "Python", Cause.REGISTRY, r"\s*(?:requests\.exceptions\.)?HTTPError:? (?:5\d\d Server Error|429 Client Error)"
    ),
    _sign("Python", Cause.REGISTRY, r"\s*(?:5\d\d Server Error|429 Client Error): .* for url: "),
    _sign("Python", Cause.NETWORK, rf"\s*HTTPS?ConnectionPool\(host='{_NOT_OURS}.*{_PYTHON}"),
    _sign("poetry", Cause.NETWORK, r"\s*(?:- )?All attempts to connect to \S{1,200} failed\."),
    _sign("uv", Cause.REGISTRY, r"\s*(?:cause|Caused by): HTTP status (?:server error \(5\d\d|client error \(429)"),
    _sign(
        "uv",
        Cause.NETWORK,
        r"\s*(?:cause|Caused by): "
        r"(?:Connection reset by peer|operation timed out|.*Temporary failure in name resolution)",
        "error sending request for url",
        "Failed to fetch",
        "Failed to download",
    ),
    _sign("uv", Cause.NETWORK, r"\s*(?:cause|Caused by): error sending request for url", of_known_host=True),
    _sign("apt-get", Cause.REGISTRY, _APT_FAILED + r"(?:5\d\d  ?|429  ?|Hash Sum mismatch|File has unexpected size)"),
    _sign("apt-get", Cause.NETWORK, _APT_FAILED + _APT),
    _sign("apt-get", Cause.NETWORK, _APT_FAILED + r"Could not resolve '", of_known_host=True),
    _sign("apt-get", Cause.REGISTRY, _APT_WARNED + r"(?:5\d\d  ?|429  ?)", *_NO_PACKAGE),
    _sign("apt-get", Cause.NETWORK, _APT_WARNED + _APT, *_NO_PACKAGE),
    _sign("apt-get", Cause.NETWORK, _APT_WARNED + r"Could not resolve '", *_NO_PACKAGE, of_known_host=True),
    _sign(
        "apk",
        Cause.NETWORK,
        r"(?:WARNING|ERROR): .*(?:temporary error \(try again later\)|DNS(?: lookup)? error|network error|"
        r"operation timed out|Connection (?:reset|timed out))",
        *_APK_NO_PACKAGE,
    ),
    _sign("dnf", Cause.NETWORK, r".*Curl error \((?:28|35|52|55|56|92)\): "),
    _sign("dnf", Cause.NETWORK, r".*Curl error \(6\): ", of_known_host=True),
    _sign("cargo", Cause.REGISTRY, r"\s*failed to get successful HTTP response from .*, got (?:5\d\d|429)"),
    _sign("cargo", Cause.NETWORK, r"\s+\[(?:28|35|52|55|56|92)\] "),
    _sign("cargo", Cause.NETWORK, r"\s+\[(?:6|7)\] ", of_known_host=True),
    _sign("go", Cause.REGISTRY, r"(?:go: |\t).*: reading https?://\S{1,300}: (?:5\d\d|429) "),
    _sign("go", Cause.NETWORK, rf"(?:go: |\t).*(?:dial tcp|read tcp|Get \"https?://\S{{1,300}}\"):? .{{0,200}}{_GO}"),
    _sign("go", Cause.NETWORK, r"(?:go: |\t).*: no such host", of_known_host=True),
    _sign(
        "bundler",
        Cause.NETWORK,
        r"(?:ERROR: |Gem::RemoteFetcher::FetchError|Could not fetch specs from|Network error while fetching|Net::|\s).*"
        r"(?:Temporary failure in name resolution|execution expired|Net::OpenTimeout|Net::ReadTimeout|"
        r"Connection reset by peer|Connection timed out|too many connection resets)",
        "rubygems",
        "Gem::RemoteFetcher",
        "Bundler::HTTPError",
    ),
    _sign("bundler", Cause.REGISTRY, r".*bad response .{1,60} (?:5\d\d|429) \(https?://"),
    _sign("bundler", Cause.REGISTRY, r"\s*Net::HTTP(?:ServiceUnavailable|BadGateway|GatewayTimeout|TooManyRequests)\b"),
    _sign("bundler", Cause.NETWORK, r"Could not reach host .*Check your network connection", of_known_host=True),
    _sign("git", Cause.REGISTRY, r"fatal: unable to access '.*': The requested URL returned error: (?:5\d\d|429)"),
    _sign(
        "git",
        Cause.NETWORK,
        r"fatal: unable to access '.*': (?:Recv failure|Send failure|Operation timed out|Connection timed out|"
        r"gnutls_handshake|GnuTLS recv error|OpenSSL SSL_|SSL connection timeout|Empty reply)",
    ),
    _sign(
        "git",
        Cause.NETWORK,
        r"fatal: unable to access '.*': (?:Could not resolve|Failed to connect)",
        of_known_host=True,
    ),
    _sign("git", Cause.NETWORK, r"(?:fatal: early EOF|error: RPC failed; (?:curl|HTTP 5)|fetch-pack: unexpected disc)"),
    # What answers here need not be a registry: only of hosts that everybody fetches from it is certain.
    _sign("curl", Cause.NETWORK, r"curl: \((?:6|7|28|35|52|56)\) ", of_known_host=True),
    _sign("wget", Cause.NETWORK, r"wget: unable to resolve host address", of_known_host=True),
)
"""In no order: of an output, the last line counts that fits one of them."""
