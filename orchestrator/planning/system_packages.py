"""The Debian packages that dependencies need to build or to run, and those that commands need."""

from __future__ import annotations

from collections.abc import Iterable

COMPILER = ("gcc", "libc6-dev")

PYTHON_NEEDS: dict[str, tuple[str, ...]] = {
    "psycopg2": ("libpq-dev", *COMPILER),
    "psycopg-c": ("libpq-dev", *COMPILER),
    "psycopg": ("libpq5",),
    "mysqlclient": ("default-libmysqlclient-dev", "pkg-config", *COMPILER),
    "pycairo": ("libcairo2-dev", "pkg-config", *COMPILER),
    "python-ldap": ("libldap2-dev", "libsasl2-dev", *COMPILER),
    "xmlsec": ("libxmlsec1-dev", "pkg-config", *COMPILER),
    "uwsgi": COMPILER,
    "pygraphviz": ("graphviz", "libgraphviz-dev", *COMPILER),
    "pylibmc": ("libmemcached-dev", "zlib1g-dev", *COMPILER),
    "pyodbc": ("unixodbc",),
    "python-magic": ("libmagic1",),
    "weasyprint": ("libpango-1.0-0", "libpangoft2-1.0-0"),
    "opencv-python": ("libgl1", "libglib2.0-0"),
}
"""By normalised distribution name."""

NODE_NEEDS: dict[str, tuple[str, ...]] = {
    "canvas": ("python3", "make", "g++", "pkg-config", "libcairo2-dev", "libpango1.0-dev", "libjpeg-dev"),
    "pg-native": ("python3", "make", "g++", "libpq-dev"),
    "libpq": ("python3", "make", "g++", "libpq-dev"),
    "node-gyp": ("python3", "make", "g++"),
    "node-sass": ("python3", "make", "g++"),
}

COMMAND_NEEDS: dict[str, tuple[str, ...]] = {
    "make": ("make",),
    "cmake": ("cmake", "make", "g++"),
    "gcc": COMPILER,
    "cc": COMPILER,
    "g++": ("g++",),
    "shellcheck": ("shellcheck",),
    "unzip": ("unzip",),
    "ssh": ("openssh-client",),
}
"""By the first words of commands that the profile sets."""


def needed(names: Iterable[str], needs: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """Return the known needs of the named dependencies, by name and in order of name."""
    return {name: needs[name] for name in sorted(set(names)) if name in needs}
