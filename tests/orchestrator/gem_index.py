"""A gem index of static files, as a private mirror is one: its gems are built by the image's own `gem`.

The form of the files: https://guides.rubygems.org/rubygems-org-compact-index-api/.
"""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import tarfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class GemIndex:
    """An index that answers at `url`, as jobs reach it, and remembers which paths it was asked for."""

    files: dict[str, bytes]
    url: str = ""
    asked: list[str] = field(default_factory=list)

    @property
    def address(self) -> str:
        """Return the address and port of the index: on this host, which no job reaches unless somebody allows it."""
        return self.url.removeprefix("http://").rstrip("/")

    @property
    def downloads(self) -> list[str]:
        """Return the gems that were downloaded, in order."""
        return [path for path in self.asked if path.startswith("/gems/")]


def build_gem(image: str, name: str, files: dict[str, str]) -> bytes:
    """Return the gem that `gem build` of an image makes of these files."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for path, text in files.items():
            entry = tarfile.TarInfo(path)
            entry.size = len(text.encode())
            archive.addfile(entry, io.BytesIO(text.encode()))
    script = f"mkdir /made && cd /made && tar x && gem build {name}.gemspec >&2 && cat {name}-*.gem"
    order = ["docker", "run", "--rm", "--interactive", "--network", "none", image, "sh", "-c", script]
    done = subprocess.run(order, input=packed.getvalue(), capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def index_of(name: str, gem: bytes) -> GemIndex:
    """Return the index of one gem at version 1.0.0."""
    info = f"---\n1.0.0 |checksum:{hashlib.sha256(gem).hexdigest()}\n".encode()
    digest = hashlib.md5(info, usedforsecurity=False).hexdigest()
    return GemIndex(
        {
            "/names": f"---\n{name}\n".encode(),
            "/versions": f"created_at: 2026-01-01T00:00:00Z\n---\n{name} 1.0.0 {digest}\n".encode(),
            f"/info/{name}": info,
            f"/gems/{name}-1.0.0.gem": gem,
        }
    )


@contextmanager
def served(index: GemIndex) -> Iterator[GemIndex]:
    """Serve the index where jobs reach it: at the gateway of the engine's default network."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            index.asked.append(self.path)
            content = index.files.get(self.path)
            self.send_response(200 if content is not None else 404)
            self.send_header("Content-Length", str(len(content or b"")))
            self.end_headers()
            self.wfile.write(content or b"")

        def log_message(self, *_: object) -> None:
            """Say nothing: what was asked is remembered."""

    server = ThreadingHTTPServer(("0.0.0.0", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    index.url = f"http://{bridge_gateway()}:{server.server_port}"
    try:
        yield index
    finally:
        server.shutdown()
        server.server_close()


def bridge_gateway() -> str:
    """Return the address of this host on the engine's default network."""
    order = ["docker", "network", "inspect", "bridge", "--format", "{{json .IPAM.Config}}"]
    done = subprocess.run(order, capture_output=True, text=True, check=True)
    return str(json.loads(done.stdout)[0]["Gateway"])
