"""The Debian packages that dependencies need to build or to run, and those that commands need."""

from __future__ import annotations

from collections.abc import Iterable

COMPILER = ("gcc", "libc6-dev")

PYTHON_NEEDS: dict[str, tuple[str, ...]] = {
    "cairocffi": ("libcairo2",),
    "cairosvg": ("libcairo2",),
    "dbus-python": ("libdbus-1-dev", "libglib2.0-dev", "pkg-config", *COMPILER),
    "fuse-python": ("libfuse-dev", "pkg-config", *COMPILER),
    "gdal": ("g++", "libgdal-dev", *COMPILER),
    "graphviz": ("graphviz",),
    "gssapi": ("libkrb5-dev", *COMPILER),
    "jpype1": ("default-jre-headless",),
    "krb5": ("libkrb5-dev", *COMPILER),
    "librabbitmq": COMPILER,
    "misaka": COMPILER,
    "mpi4py": ("libopenmpi-dev", "openmpi-bin", *COMPILER),
    "mysqlclient": ("default-libmysqlclient-dev", "pkg-config", *COMPILER),
    "netifaces": COMPILER,
    "opencv-python": ("libgl1", "libglib2.0-0"),
    "pdf2image": ("poppler-utils",),
    "psycopg": ("libpq5",),
    "psycopg-c": ("libpq-dev", *COMPILER),
    "psycopg2": ("libpq-dev", *COMPILER),
    "pyaudio": ("portaudio19-dev", *COMPILER),
    "pycairo": ("libcairo2-dev", "pkg-config", *COMPILER),
    "pycrypto": COMPILER,
    "pycups": ("libcups2-dev", *COMPILER),
    "pyenchant": ("libenchant-2-2",),
    "pygobject": ("libcairo2-dev", "libgirepository-2.0-dev", "libgirepository1.0-dev", "pkg-config", *COMPILER),
    "pygraphviz": ("graphviz", "libgraphviz-dev", *COMPILER),
    "pylibmc": ("libmemcached-dev", "zlib1g-dev", *COMPILER),
    "pyodbc": ("unixodbc",),
    "pyscard": ("libpcsclite-dev", "swig", *COMPILER),
    "pytesseract": ("tesseract-ocr",),
    "python-ldap": ("libldap2-dev", "libsasl2-dev", *COMPILER),
    "python-magic": ("libmagic1",),
    "python-poppler": ("libpoppler-cpp-dev", "pkg-config", *COMPILER),
    "pyzbar": ("libzbar0",),
    "sounddevice": ("libportaudio2",),
    "systemd-python": ("libsystemd-dev", "pkg-config", *COMPILER),
    "uwsgi": COMPILER,
    "weasyprint": ("libpango-1.0-0", "libpangoft2-1.0-0"),
    "xmlsec": ("libxmlsec1-dev", "pkg-config", *COMPILER),
}
"""By normalised distribution name."""

NODE_NEEDS: dict[str, tuple[str, ...]] = {
    "canvas": ("python3", "make", "g++", "pkg-config", "libcairo2-dev", "libpango1.0-dev", "libjpeg-dev"),
    "better-sqlite3": ("python3", "make", "g++"),
    "sqlite3": ("python3", "make", "g++"),
    "bcrypt": ("python3", "make", "g++"),
    "isolated-vm": ("python3", "make", "g++"),
    "node-pty": ("python3", "make", "g++"),
    "re2": ("python3", "make", "g++"),
    "zeromq": ("python3", "make", "g++", "cmake"),
    "kerberos": ("python3", "make", "g++", "libkrb5-dev"),
    "serialport": ("python3", "make", "g++", "libudev-dev"),
    "usb": ("python3", "make", "g++", "libudev-dev"),
    "pg-native": ("python3", "make", "g++", "libpq-dev"),
    "libpq": ("python3", "make", "g++", "libpq-dev"),
    "node-gyp": ("python3", "make", "g++"),
    "node-sass": ("python3", "make", "g++"),
}

RUBY_NEEDS: dict[str, tuple[str, ...]] = {
    "charlock_holmes": ("libicu-dev",),
    "curb": ("libcurl4-openssl-dev",),
    "ethon": ("libcurl4-openssl-dev",),
    "gpgme": ("libgpgme-dev",),
    "idn-ruby": ("libidn-dev",),
    "mini_magick": ("imagemagick",),
    "mysql2": ("default-libmysqlclient-dev",),
    "pg": ("libpq-dev",),
    "rmagick": ("imagemagick", "libmagickwand-dev"),
    "rugged": ("cmake", "libssl-dev"),
    "ruby-filemagic": ("libmagic-dev",),
    "ruby-ldap": ("libldap2-dev", "libsasl2-dev"),
    "ruby-vips": ("libvips-tools",),
    "snappy": ("cmake", "libsnappy-dev"),
    "sqlite3": ("libsqlite3-dev",),
    "tiny_tds": ("freetds-dev",),
}
"""By gem, beside the compiler that every Gemfile gets. The names are the same in all suites of Debian."""

RUBY_COMPILER = ("build-essential", "libyaml-dev", "pkg-config")
"""What a gem with an extension in C is built with: the slim image has none of it, nearly every lock has such a gem."""

GO_NEEDS: dict[str, tuple[str, ...]] = {
    "fyne.io/fyne": ("libgl1-mesa-dev", "xorg-dev"),
    "github.com/coreos/go-systemd": ("libsystemd-dev",),
    "github.com/davidbyttow/govips": ("libvips-dev",),
    "github.com/ebitengine/oto": ("libasound2-dev",),
    "github.com/go-gl/glfw": ("libgl1-mesa-dev", "xorg-dev"),
    "github.com/google/gopacket": ("libpcap-dev",),
    "github.com/h2non/bimg": ("libvips-dev",),
    "github.com/hajimehoshi/ebiten": ("libasound2-dev", "libgl1-mesa-dev", "xorg-dev"),
    "github.com/libgit2/git2go": ("libgit2-dev",),
    "github.com/pebbe/zmq4": ("libzmq3-dev",),
    "github.com/proglottis/gpgme": ("libgpgme-dev",),
    "github.com/seccomp/libseccomp-golang": ("libseccomp-dev",),
    "github.com/veandco/go-sdl2": ("libsdl2-dev",),
    "gopkg.in/gographics/imagick": ("libmagickwand-dev",),
}
"""By module, without its major version; the official image has gcc, make and pkg-config."""

RUST_NEEDS: dict[str, tuple[str, ...]] = {
    "alsa-sys": ("libasound2-dev", "pkg-config"),
    "aws-lc-sys": ("cmake", "g++", "make"),
    "clang-sys": ("clang", "libclang-dev"),
    "cmake": ("cmake", "g++", "make"),
    "glib-sys": ("libglib2.0-dev", "pkg-config"),
    "gtk-sys": ("libgtk-3-dev", "pkg-config"),
    "gtk4-sys": ("libgtk-4-dev", "pkg-config"),
    "hidapi": ("libudev-dev", "pkg-config"),
    "libdbus-sys": ("libdbus-1-dev", "pkg-config"),
    "libpulse-sys": ("libpulse-dev", "pkg-config"),
    "librocksdb-sys": ("clang", "g++", "libclang-dev", "make"),
    "libsqlite3-sys": ("libsqlite3-dev", "pkg-config"),
    "libssh2-sys": ("libssl-dev", "pkg-config"),
    "libudev-sys": ("libudev-dev", "pkg-config"),
    "libusb1-sys": ("libusb-1.0-0-dev", "pkg-config"),
    "link-cplusplus": ("g++",),
    "mysqlclient-sys": ("default-libmysqlclient-dev", "pkg-config"),
    "openssl-src": ("make", "perl"),
    "openssl-sys": ("libssl-dev", "pkg-config"),
    "pcap": ("libpcap-dev",),
    "pq-sys": ("libpq-dev", "pkg-config"),
    "prost-build": ("protobuf-compiler",),
    "rdkafka-sys": ("g++", "make", "zlib1g-dev"),
    "tikv-jemalloc-sys": ("make",),
    "webkit2gtk-sys": ("libwebkit2gtk-4.1-dev", "pkg-config"),
    "x11": ("libx11-dev", "pkg-config"),
    "yeslogic-fontconfig-sys": ("libfontconfig1-dev", "pkg-config"),
}
"""By crate; the official slim image has gcc and a C library."""

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
