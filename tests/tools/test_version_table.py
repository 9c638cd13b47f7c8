"""The table of releases is in order and complete, and its refresher reads what the site answers."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from orchestrator.planning import version_table, versions
from tools.version_table import OLDEST, PRODUCTS, RefreshError, main, merge, order, read_rows

TODAY = date(2026, 11, 24)
NODE_ANSWER = {
    "result": {
        "name": "nodejs",
        "releases": [
            {"name": "28", "releaseDate": "2027-04-22", "isLts": False, "eolFrom": "2030-04-30"},
            {"name": "26", "codename": None, "releaseDate": "2026-04-22", "isLts": True, "eolFrom": "2029-04-30"},
            {"name": "24", "codename": "Krypton", "releaseDate": "2025-05-06", "isLts": True, "eolFrom": "2028-05-01"},
            {"name": "0.12", "releaseDate": "2015-02-06", "isLts": False, "eolFrom": "2016-12-31"},
            {"name": "iojs'\"", "releaseDate": "2015-02-06", "isLts": False, "eolFrom": "2016-12-31"},
        ],
    }
}


@contextmanager
def site(answers: Mapping[str, object]) -> Iterator[str]:
    """Serve these answers, by product, where the refresher asks for them."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            product = self.path.removeprefix("/api/v1/products/").rstrip("/")
            self.send_response(200 if product in answers else 404)
            self.end_headers()
            self.wfile.write(json.dumps(answers.get(product, {})).encode())

        def log_message(self, *args: object) -> None:
            """Print nothing: a request is no news in a test."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize("name", PRODUCTS)
def test_table_is_sorted_with_each_version_once_and_no_gap(name: str) -> None:
    found = [order(row[0]) for row in getattr(version_table, name)]
    assert found == sorted(set(found), reverse=True)
    majors = {one[0] for one in found}
    if name == "NODE":  # odd majors before 18 are in nobody's range
        assert majors >= set(range(18, max(majors) + 1))
    for major in majors if len(found[0]) > 1 else ():
        minors = [one[1] for one in found if one[0] == major]
        assert minors == list(range(max(minors), min(minors) - 1, -1))


@pytest.mark.parametrize("name", PRODUCTS)
def test_default_is_in_the_table_and_supported(name: str) -> None:
    default = getattr(versions, f"{name}_DEFAULT")
    release = versions.find(getattr(versions, name), default)
    assert release is not None
    assert release.version == default
    assert release.supported
    assert release.lts


def test_answer_becomes_rows_of_what_is_out() -> None:
    assert read_rows(NODE_ANSWER, OLDEST["NODE"], TODAY) == [
        ("26", "2029-04-30", True, ""),
        ("24", "2028-05-01", True, "krypton"),
    ]


def test_a_release_that_the_site_drops_is_kept() -> None:
    old, new = ("14", "2023-04-30", True, "fermium"), ("26", "2029-04-30", True, "")
    assert merge([("26", "2027-01-01", False, ""), old], [new]) == [new, old]


@pytest.mark.parametrize("answer", [{}, {"result": []}, {"result": {"releases": "none"}}, {"result": {"releases": []}}])
def test_answer_of_another_form_is_refused(answer: dict[str, object]) -> None:
    with pytest.raises(RefreshError):
        read_rows(answer, "1.0", TODAY)


@pytest.mark.services
def test_refresh_writes_a_module_that_holds_old_and_new(tmp_path: Path) -> None:
    output = tmp_path / "version_table.py"
    plain = {"result": {"releases": [{"name": "9.1", "releaseDate": "2026-01-01", "eolFrom": "2030-01-01"}]}}
    answers = {product: NODE_ANSWER if product == "nodejs" else plain for product in PRODUCTS.values()}
    with site(answers) as address:
        assert main(["--site", address, "--output", str(output)]) == 0
    module: dict[str, object] = {}
    exec(output.read_text(), module)
    assert module["PYTHON"] == (("9.1", "2030-01-01", True, ""), *version_table.PYTHON)
    assert ("24", "2028-05-01", True, "krypton") in module["NODE"]  # type: ignore[operator]
    assert module["__doc__"] == version_table.__doc__


@pytest.mark.services
def test_refresh_that_fails_writes_nothing_and_says_why(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "version_table.py"
    with site({}) as address:
        assert main(["--site", address, "--output", str(output)]) == 1
    assert not output.exists()
    assert "did not answer as it should" in capsys.readouterr().err
