"""Choosing an engine, and finding the mirror that has a newer one."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tools.apt import AptError, derive_source, parse_deb822, parse_one_line
from tools.clean import ours
from tools.engine_address import candidates, engine_answers, first_answering
from tools.engine_daemon import EnginePlaces, places, running_pid

ROOT = Path(__file__).resolve().parents[2]
HOME = Path("/home/ann")

DEB822 = """\
# the main archive
Types: deb deb-src
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main contrib
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://mirror.example/debian-security
Suites: bookworm-security
Components: main
"""

KEY_INSIDE = """\
Types: deb
URIs: https://mirror.example/debian/
Suites: bookworm
Components: main
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 mQINBFit
 -----END PGP PUBLIC KEY BLOCK-----
Check-Valid-Until: no
"""


def test_an_address_that_was_set_is_the_only_one_asked() -> None:
    assert candidates({"DOCKER_HOST": "tcp://build:2375"}, HOME) == ["tcp://build:2375"]


def test_the_usual_socket_comes_before_docker_desktops() -> None:
    assert candidates({}, HOME) == [
        "unix:///var/run/docker.sock",
        "unix:///home/ann/.docker/run/docker.sock",
    ]
    assert candidates({"DOCKER_HOST": " "}, HOME) == candidates({}, HOME)


def test_the_first_engine_that_answers_is_taken() -> None:
    assert first_answering(["unix:///a", "unix:///b", "unix:///c"], {"unix:///b", "unix:///c"}.__contains__) == (
        "unix:///b"
    )
    assert first_answering(["unix:///a"], lambda _: False) is None


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as server:
        server.bind(str(tmp_path / "s"))
        server.listen()
        yield server


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (b"HTTP/1.0 200 OK\r\n\r\nOK", True),
        (b"HTTP/1.0 500 Internal Server Error\r\n\r\n", False),
        (b"SSH-2.0-OpenSSH_9.2\r\n", False),
        (b"", False),
    ],
)
def test_only_an_engine_counts_as_an_answer(listener: socket.socket, reply: bytes, expected: bool) -> None:
    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(1000)
            connection.sendall(reply)

    server = threading.Thread(target=serve)
    server.start()
    assert engine_answers(f"unix://{listener.getsockname()}") is expected
    server.join()


@pytest.mark.parametrize("address", ["unix:///nowhere/s", "tcp://127.0.0.1:1", "ssh://host", "nonsense"])
def test_no_engine_is_no_answer(address: str) -> None:
    assert not engine_answers(address)


def test_a_wrong_docker_host_is_named() -> None:
    environment = {**os.environ, "DOCKER_HOST": "unix:///nowhere/docker.sock"}
    order = [sys.executable, str(ROOT / "tools/engine.py"), "up"]
    done = subprocess.run(order, env=environment, capture_output=True, text=True)
    assert done.returncode == 1
    assert "DOCKER_HOST is unix:///nowhere/docker.sock, where no engine answers" in done.stderr
    assert done.stdout == ""


def test_the_newer_suite_comes_from_the_mirror_of_a_deb822_source() -> None:
    assert derive_source(parse_deb822(DEB822), "bookworm", "trixie") == (
        "Types: deb\nURIs: http://mirror.example/debian\nSuites: trixie\nComponents: main\n"
        "Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg\n"
    )


def test_a_key_inside_a_source_is_kept() -> None:
    derived = derive_source(parse_deb822(KEY_INSIDE), "bookworm", "trixie")
    (again,) = parse_deb822(derived)
    (original,) = parse_deb822(KEY_INSIDE)
    assert again.options == original.options
    assert again.suites == ("trixie",)


def test_the_newer_suite_comes_from_the_mirror_of_a_one_line_source() -> None:
    text = (
        "# deb http://old.example/debian bookworm main\n"
        "deb cdrom:[Debian 12]/ bookworm main\n"
        "deb-src http://mirror.example/debian bookworm main\n"
        "deb [arch=amd64,arm64 signed-by=/keys/a.gpg trusted=yes] http://mirror.example/debian bookworm main # ours\n"
        "deb http://mirror.example/debian-security bookworm-security main\n"
    )
    assert derive_source(parse_one_line(text), "bookworm", "trixie") == (
        "Types: deb\nURIs: http://mirror.example/debian\nSuites: trixie\nComponents: main\n"
        "Signed-By: /keys/a.gpg\nTrusted: yes\n"
    )


@pytest.mark.parametrize("text", ["", DEB822.replace("bookworm", "sid"), DEB822.replace("main", "local")])
def test_a_machine_without_a_mirror_is_told_what_to_add(text: str) -> None:
    with pytest.raises(AptError, match=r"serves bookworm main.*sources\.list"):
        derive_source(parse_deb822(text), "bookworm", "trixie")


def test_a_source_that_is_switched_off_does_not_count() -> None:
    assert parse_deb822(KEY_INSIDE + "Enabled: no\n") == []


def test_a_pid_file_counts_only_for_the_program_that_wrote_it(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    assert running_pid(pid_file, "dockerd") is None
    pid_file.write_text("not a number")
    assert running_pid(pid_file, "dockerd") is None
    pid_file.write_text("1")
    assert running_pid(pid_file, "dockerd") is None


def test_the_engines_folder_can_be_moved() -> None:
    assert places({"DRAFTSMAN_ENGINE_HOME": "/srv/engine"}) == EnginePlaces(Path("/srv/engine"))
    assert places({}).home == Path("/var/lib/draftsman/engine")


def test_cleaning_takes_only_what_carries_our_label() -> None:
    listing = "a1\tdraftsman.job=7,other=x\nb2\tcom.example=draftsman\nc3\t\nd4\tdraftsman=1\ne5\tdraftsmanlike.x=1\n"
    assert ours(listing) == ["a1", "d4"]
