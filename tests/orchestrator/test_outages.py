"""What tools print when a registry or the network fails them is told apart from what their user did wrong.

The files are what the tools printed against a server that answered so; the texts were taken from their sources and
issue trackers.
"""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from draftsman.domain.errors import BuildError, HostError
from draftsman.domain.retry import Cause
from orchestrator.engine import EngineRefusedError
from orchestrator.images.base_images import pull_failure
from orchestrator.images.failure import layer_failure, no_fault
from orchestrator.outages import outage_in

SAMPLES = Path(__file__).parent / "outage_samples"
REGISTRY, NETWORK = Cause.REGISTRY, Cause.NETWORK


def sample(name: str) -> str:
    return (SAMPLES / f"{name}.txt").read_text("utf-8")


@pytest.mark.parametrize(
    ("name", "cause", "tool", "line"),
    [
        ("npm-503", REGISTRY, "npm", "npm error code E503"),
        ("npm-429", REGISTRY, "npm", "npm error code E429"),
        ("npm-reset", NETWORK, "npm", "failed, reason: read ECONNRESET"),
        ("npm-close", NETWORK, "npm", "failed, reason: socket hang up"),
        ("npm-hang", NETWORK, "npm", "npm error network timeout at: http://127.0.0.1:18602/left-pad"),
        ("pip-reset", NETWORK, "pip", "Connection reset by "),
        ("pip-hang", NETWORK, "pip", "Read timed out"),
        ("pip-close", NETWORK, "pip", "RemoteDisconnected"),
        ("uv-503", REGISTRY, "uv", "cause: HTTP status server error (503 Service Unavailable)"),
        ("uv-reset", NETWORK, "uv", "cause: Connection reset by peer (os error 104)"),
        ("cargo-503", REGISTRY, "cargo", "got 503"),
        ("cargo-reset", NETWORK, "cargo", "[56] Failure when receiving data from the peer"),
        (
            "apt-503",
            REGISTRY,
            "apt-get",
            "W: Failed to fetch http://127.0.0.1:18503/debian/dists/bookworm/InRelease  503",
        ),
        ("apt-reset", NETWORK, "apt-get", "Connection failed"),
        ("git-503", REGISTRY, "git", "The requested URL returned error: 503"),
        ("git-reset", NETWORK, "git", "Recv failure: Connection reset by peer"),
    ],
)
def test_an_outage_is_seen_with_the_line_that_tells_of_it(name: str, cause: Cause, tool: str, line: str) -> None:
    found = outage_in(sample(name))
    assert found is not None
    assert (found.cause, found.tool) == (cause, tool)
    assert line in found.line
    assert found.evidence == f"{tool} said: {found.line}"


@pytest.mark.parametrize(
    "name",
    [
        "npm-404",
        "npm-dns",
        "npm-refused",
        "pip-404",
        "pip-dns",
        "uv-404",
        "uv-dns",
        "cargo-404",
        "cargo-dns",
        "apt-404",
        "git-404",
        "git-dns",
        "curl-reset",
    ],
)
def test_what_is_not_there_and_a_host_that_nobody_knows_are_no_outage(name: str) -> None:
    """Nor is a service of the repository's own that does not run, nor a server that may be one."""
    assert outage_in(sample(name)) is None


@pytest.mark.parametrize(
    ("said", "cause"),
    [
        ("npm ERR! code EAI_AGAIN\nnpm ERR! request to https://registry.npmjs.org/x failed, reason: getaddrinfo EAI_AGAIN registry.npmjs.org", NETWORK),  # noqa: E501
        ("npm error code ENOTFOUND\nnpm error network request to https://registry.npmjs.org/left-pad failed, reason: getaddrinfo ENOTFOUND registry.npmjs.org", NETWORK),  # noqa: E501
        ('error An unexpected error occurred: "https://registry.yarnpkg.com/left-pad: ETIMEDOUT".', NETWORK),
        ('error Error: https://registry.yarnpkg.com/left-pad: Request failed "503 Service Unavailable"', REGISTRY),
        ("error Error: getaddrinfo EAI_AGAIN registry.yarnpkg.com", NETWORK),
        ("➤ YN0035: │   Response Code: 503 (Service Unavailable)", REGISTRY),
        ("➤ YN0001: │ RequestError: connect ETIMEDOUT 104.16.0.35:443", NETWORK),
        (" ERR_PNPM_FETCH_503  GET https://registry.npmjs.org/left-pad: Service Unavailable - 503", REGISTRY),
        (" ERR_PNPM_META_FETCH_FAIL  GET https://registry.npmjs.org/x: request to https://registry.npmjs.org/x failed, reason: getaddrinfo EAI_AGAIN registry.npmjs.org", NETWORK),  # noqa: E501
        ("error: GET https://registry.npmjs.org/left-pad - 503", REGISTRY),
        ("ERROR: HTTP error 503 while getting https://files.pythonhosted.org/packages/x.whl", REGISTRY),
        ("ERROR: Could not install packages due to an OSError: HTTPSConnectionPool(host='files.pythonhosted.org', port=443): Max retries exceeded with url: /x (Caused by ResponseError('too many 503 error responses'))", REGISTRY),  # noqa: E501
        ("ERROR: Could not install packages due to an OSError: HTTPSConnectionPool(host='files.pythonhosted.org', port=443): Max retries exceeded with url: /x (Caused by NewConnectionError('<x>: Failed to establish a new connection: [Errno -3] Temporary failure in name resolution'))", NETWORK),  # noqa: E501
        ("pip._vendor.urllib3.exceptions.ReadTimeoutError: HTTPSConnectionPool(host='files.pythonhosted.org', port=443): Read timed out.", NETWORK),  # noqa: E501
        ("WARNING: Retrying (Retry(total=0, connect=None, read=None, redirect=None, status=None)) after connection broken by 'NameResolutionError(\"<x>: Failed to resolve 'pypi.org' ([Errno -2] Name or service not known)\")': /simple/x/\nERROR: Could not find a version that satisfies the requirement x (from versions: none)", NETWORK),  # noqa: E501
        ("  503 Server Error: Service Unavailable for url: https://pypi.org/simple/x/", REGISTRY),
        ("All attempts to connect to pypi.org failed.", NETWORK),
        ("E: Failed to fetch http://deb.debian.org/debian/pool/main/g/git/git_2.39.deb  Temporary failure resolving 'deb.debian.org'", NETWORK),  # noqa: E501
        ("E: Failed to fetch http://deb.debian.org/debian/dists/bookworm/Packages.xz  Hash Sum mismatch", REGISTRY),
        ("W: Failed to fetch http://deb.debian.org/debian/dists/bookworm/InRelease  Could not resolve 'deb.debian.org'\nE: Package 'git' has no installation candidate", NETWORK),  # noqa: E501
        ("WARNING: fetching https://dl-cdn.alpinelinux.org/alpine/v3.20/main: temporary error (try again later)\nERROR: unable to select packages:\n  git (no such package):", NETWORK),  # noqa: E501
        ("  - Curl error (28): Timeout was reached for https://mirrors.fedoraproject.org/metalink [Operation too slow]", NETWORK),  # noqa: E501
        ("  [6] Could not resolve hostname (Could not resolve host: index.crates.io)", NETWORK),
        ('go: golang.org/x/text@v0.3.0: Get "https://proxy.golang.org/golang.org/x/text/@v/v0.3.0.mod": dial tcp: lookup proxy.golang.org on 127.0.0.53:53: server misbehaving', NETWORK),  # noqa: E501
        ('go: github.com/pkg/errors@v0.9.1: Get "https://proxy.golang.org/github.com/pkg/errors/@v/v0.9.1.mod": net/http: TLS handshake timeout', NETWORK),  # noqa: E501
        ("go: github.com/pkg/errors@v0.9.1: reading https://proxy.golang.org/github.com/pkg/errors/@v/v0.9.1.mod: 503 Service Unavailable", REGISTRY),  # noqa: E501
        ("Could not reach host index.rubygems.org. Check your network connection and try again.", NETWORK),
        ("Gem::RemoteFetcher::FetchError: bad response Service Unavailable 503 (https://rubygems.org/gems/rake-13.gem)", REGISTRY),  # noqa: E501
        ("Gem::RemoteFetcher::FetchError: too many connection resets (https://rubygems.org/gems/rake-13.gem)", NETWORK),
        ("fatal: unable to access 'https://github.com/a/b/': Could not resolve host: github.com", NETWORK),
        ("error: RPC failed; curl 92 HTTP/2 stream 5 was not closed cleanly\nfatal: early EOF", NETWORK),
        ("curl: (6) Could not resolve host: nodejs.org", NETWORK),
        ("\x1b[31mnpm error code E503\x1b[0m", REGISTRY),
    ],
)  # fmt: skip
def test_the_words_of_other_tools_are_known(said: str, cause: Cause) -> None:
    found = outage_in(f"some output before\n{said}\nand some behind\n")
    assert found is not None
    assert found.cause is cause


@pytest.mark.parametrize(
    "said",
    [
        "",
        "npm error code ERESOLVE\nnpm error Could not resolve dependency:",
        "npm error code ETARGET\nnpm error notarget No matching version found for left-pad@99.",
        "npm error code E403\nnpm error 403 Forbidden - GET https://registry.npmjs.org/x",
        'error Error: https://registry.yarnpkg.com/nope: Request failed "404 Not Found"',
        'error Couldn\'t find package "nope" on the "npm" registry.',
        " ERR_PNPM_FETCH_404  GET https://registry.npmjs.org/nope: Not Found - 404",
        " ERR_PNPM_NO_MATCHING_VERSION  No matching version found for left-pad@99",
        "info There appears to be trouble with your network connection. Retrying...\n"
        "error Your lockfile needs to be updated",
        # A try that was repeated with success, and then a version that does not exist.
        "WARNING: Retrying (Retry(total=4, connect=None)) after connection broken by 'ReadTimeoutError'\n"
        "ERROR: Could not find a version that satisfies the requirement x==9 (from versions: 1.0, 2.0)",
        "WARNING: Retrying (Retry(total=0, connect=None)) after connection broken by 'ConnectionResetError'\n"
        "ERROR: Could not find a version that satisfies the requirement x==9 (from versions: 1.0, 2.0)",
        "ERROR: HTTP error 404 while getting https://files.pythonhosted.org/packages/x.whl",
        "E: Unable to locate package nope",
        "E: Failed to fetch http://deb.debian.org/debian/pool/x.deb  404  Not Found [IP: 1.2.3.4 80]",
        "go: github.com/acme/nope@v1.0.0: reading https://proxy.golang.org/x: 404 Not Found",
        "go: golang.org/x/text: dial tcp 127.0.0.1:3000: connect: connection refused",
        "Could not find gem 'nope' in rubygems repository https://rubygems.org/ or installed locally.",
        "remote: Repository not found.\nfatal: repository 'https://github.com/acme/nope/' not found",
        "Error: connect ECONNREFUSED 127.0.0.1:5432",
        "curl: (7) Failed to connect to localhost port 8080 after 0 ms: Connection refused",
        "curl: (22) The requested URL returned error: 503",
        "FAILED tests/test_http.py::test_it - assert 503 == 200",
        "requests.exceptions.ConnectionError: HTTPConnectionPool(host='localhost', port=8000): Max retries exceeded "
        "with url: / (Caused by NewConnectionError('<x>: [Errno 111] Connection refused'))",
    ],
)
def test_what_its_user_did_wrong_is_no_outage(said: str) -> None:
    assert outage_in(f"some output before\n{said}\nand some behind\n") is None


def test_what_fails_again_wins_over_an_outage_of_another_tool() -> None:
    assert outage_in(sample("npm-503") + sample("npm-404")) is None
    assert outage_in(sample("uv-503") + "ERROR: HTTP error 404 while getting https://x/y.whl\n") is None


def test_only_the_end_of_the_output_counts() -> None:
    assert outage_in(sample("npm-503") + "compiling\n" * 20_000 + "SyntaxError\n") is None


@pytest.mark.parametrize(
    "seed",
    [
        "npm error network request to a ",
        "error https://a: ",
        "go: dial tcp: ",
        'go: Get "https://a": ',
        "ERROR: HTTPConnectionPool(host='",
        "WARNING: Retrying (Retry(total=0, Connection ",
        "\t: reading https://a",
        "E: Failed to fetch a  ",
        "➤ YN0001: RequestError: ",
        "\x1b[",
        " ",
    ],
)
def test_hostile_output_is_read_in_linear_time(seed: str) -> None:
    begin = time.process_time()
    outage_in("\n".join([(seed * 5_000)[:5_000]] * 2_000))
    assert time.process_time() - begin < 10


@pytest.mark.parametrize(
    ("message", "cause"),
    [
        ("toomanyrequests: You have reached your pull rate limit.", REGISTRY),
        ("received unexpected HTTP status: 503 Service Unavailable", REGISTRY),
        ('Get "https://registry-1.docker.io/v2/": net/http: TLS handshake timeout', NETWORK),
        ('Get "https://registry-1.docker.io/v2/": dial tcp 1.2.3.4:443: i/o timeout', NETWORK),
        ("dial tcp 127.0.0.1:5000: connect: connection refused", NETWORK),
        ("dial tcp: lookup registry-1.docker.io on 10.0.0.1:53: no such host", NETWORK),
        ("failed to register layer: write /x: no space left on device", Cause.DISK),
        ("dial tcp: lookup registry.exmaple.org on 10.0.0.1:53: no such host", None),
        ("unauthorized: authentication required", None),
        ("tls: failed to verify certificate: x509: certificate signed by unknown authority", None),
    ],
)
def test_a_pull_says_why_it_failed(message: str, cause: Cause | None) -> None:
    error = pull_failure("python:3.13-slim", message)
    assert isinstance(error, HostError)
    assert error.cause is cause


def test_an_image_that_is_not_there_is_not_pulled_again() -> None:
    error = pull_failure("python:9.99-slim", "manifest for python:9.99-slim not found: manifest unknown")
    assert isinstance(error, BuildError)
    assert error.cause is None


def test_a_build_that_a_registry_failed_is_not_its_authors_fault() -> None:
    said = "The image did not build: line 3 of Dockerfile, `RUN npm ci`, exited 1."
    error = no_fault(BuildError(said, f"RUN npm ci\n{sample('npm-503')}"))
    assert error is not None
    assert error.cause is REGISTRY
    assert str(error) == (
        "a registry did not answer as it should: the image did not build: line 3 of Dockerfile, `RUN npm ci`, exited 1."
    )
    assert error.detail.startswith("npm said: npm error code E503\n\nRUN npm ci\n")
    full = no_fault(BuildError(said, "write error: No space left on device"))
    assert full is not None
    assert full.cause is Cause.DISK
    assert no_fault(BuildError(said, "SyntaxError")) is None
    assert no_fault(BuildError(said, sample("npm-404"))) is None


def test_a_runner_layer_whose_packages_cannot_be_had_is_tried_again() -> None:
    assert layer_failure(BuildError("x", sample("apt-503"))).cause is REGISTRY
    assert layer_failure(BuildError("x", sample("apt-404"))).cause is None


@pytest.mark.parametrize(
    ("status", "message", "cause"),
    [
        (500, "write /var/lib/docker/x: no space left on device", Cause.DISK),
        (500, 'connection error: desc = "transport: error while dialing: dial unix containerd.sock"', Cause.ENGINE),
        (400, "invalid containerd reference", None),
        (500, 'OCI runtime create failed: exec: "sh": executable file not found in $PATH', None),
        (404, "No such image: x", None),
    ],
)
def test_an_engine_that_refuses_is_asked_again_where_it_comes_or_goes(
    status: int, message: str, cause: Cause | None
) -> None:
    assert EngineRefusedError(status, message).cause is cause
