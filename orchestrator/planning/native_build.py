"""Projects that are configured and built before they are tested (C, C++): as a workflow does it, else by convention."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from draftsman.domain.plan import Tree
from orchestrator.planning import any_rules, grammar
from orchestrator.planning.command_flags import joined
from orchestrator.planning.rule import Rule
from orchestrator.planning.system_packages import COMPILER
from orchestrator.planning.trail import Trail
from orchestrator.planning.workflows import Job, Seen, Workflows

AUTOTOOLS = ("autoconf", "automake", "libtool", "pkg-config")
MESON = ("meson", "ninja-build", "pkg-config", *COMPILER)
NEEDS: dict[str, tuple[str, ...]] = {
    "autoreconf": AUTOTOOLS,
    "autoconf": AUTOTOOLS,
    "./autogen.sh": AUTOTOOLS,
    "./bootstrap": AUTOTOOLS,
    "./bootstrap.sh": AUTOTOOLS,
    "./buildconf": AUTOTOOLS,
    "./configure": ("make", "pkg-config", *COMPILER),
    "cmake": ("cmake", "make", "pkg-config", "g++"),
    "meson": MESON,
    "ninja": ("ninja-build",),
}
"""Of what configures and builds, the Debian packages."""

GENERATORS = frozenset(NEEDS) - {"cmake", "meson", "ninja", "./configure"}
"""What makes a `configure` that is not in the tree."""

MAX_COMMANDS = 8
MAX_TESTS = 3
MAX_PACKAGES = 40
TARGETS = frozenset({"check", "test", "tests"})
NOT_BUILT = frozenset({"install", "dist", "distcheck", "clean", "distclean", "uninstall", "package", "docs", "doc"})
OTHER_BUILDS = re.compile(
    r"sanit|[amtu]san(?![a-z])|ubsan|valgrind|fuzz|cover|mingw|cross|android|emscripten|wasm|musl|static|analy[sz]|tidy",
    re.IGNORECASE,
)
"""In the name of a job: builds for another purpose than to test."""

OF_A_RUNNER = re.compile(
    r"-DCMAKE_(?:C|CXX)_COMPILER(?::[A-Z]+)?=.*|-DCMAKE_(?:C|CXX)_COMPILER_LAUNCHER(?::[A-Z]+)?=.*"
    r"|(?:CC|CXX|CPP|AR|LD|NM|RANLIB|STRIP)=.*|--(?:host|build)=.*"
)
"""Words that choose a compiler of the runner; the image has its own."""

RUNNER_VARIABLES = frozenset(
    {"CC", "CXX", "CPP", "AR", "LD", "NM", "RANLIB", "STRIP", "CHOST", "HOST", "ARCH", "JAVA_HOME", "DEVELOPER_DIR"}
)
"""Variables that name the compiler, or the machine, of a runner."""

FOREIGN_HOST = re.compile(r"--host=(?!x86_64|amd64).*|-DCMAKE_TOOLCHAIN_FILE(?::[A-Z]+)?=.*|.*-fsanitize.*")
HEADERS = re.compile(r"[a-z0-9][a-z0-9+.-]{1,60}-dev")
BUILD_TOOLS = frozenset(
    {"autoconf", "autoconf-archive", "automake", "autopoint", "bison", "cmake", "dejagnu", "expect", "flex", "gawk"}
    | {"gettext", "gperf", "libtool", "libtool-bin", "m4", "meson", "nasm", "ninja-build", "perl", "pkg-config"}
    | {"pkgconf", "python3", "tcl", "texinfo", "xxd", "yasm", "zip"}
)
"""Packages that Ubuntu's runners and Debian have by the same name."""

CMAKE_TESTS = re.compile(r"(?im)^[ \t]*+(?:enable_testing[ \t]*+\(|include[ \t]*+\([ \t]*+CTest\b)")
MESON_TESTS = re.compile(r"^[ \t]*+(?:test[ \t]*+\(|subdir[ \t]*+\([ \t]*+'tests?')", re.MULTILINE)
AUTOMAKE_TESTS = re.compile(r"^(?:TESTS\b|check_[A-Z]|check-local:|SUBDIRS\b[^\n]{0,500}\btests?\b)", re.MULTILINE)
MAKE_TESTS = re.compile(r"^(check|test)[ \t]*+:(?!=)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class NativeBuild:
    """Commands that configure and build, one that tests, and the Debian packages that they need besides make's."""

    setup: tuple[str, ...]
    test: str
    apt: tuple[str, ...]
    file: str
    line: int | None
    why: str
    by: Rule


def native_builds(workflows: Workflows, trail: Trail) -> Iterator[list[NativeBuild]]:
    """Yield what the jobs of workflows configure, build and test, each a group; those built only to test come first."""
    if trail.applies(any_rules.NATIVE_WORKFLOW):
        for job in sorted(workflows.jobs, key=lambda job: OTHER_BUILDS.search(f"{job.file} {job.name}") is not None):
            found = list(_of_job(job, trail))
            if found:
                yield found


def conventional_builds(tree: Tree, trail: Trail) -> Iterator[NativeBuild]:
    """Yield what the build files at the top of a commit stand for, where they say that there are tests."""
    folder = "_build" if any(path.startswith("build/") for path in tree.paths) else "build"
    cmake = tree.text("CMakeLists.txt") or ""
    if (match := CMAKE_TESTS.search(cmake)) and trail.applies(any_rules.CMAKE):
        setup = f"cmake -S . -B {folder}", f"cmake --build {folder} -j2"
        test = f"ctest --test-dir {folder} --output-on-failure --no-tests=error"
        yield _conventional(setup, test, NEEDS["cmake"], "CMakeLists.txt", cmake, match, any_rules.CMAKE)
    meson = tree.text("meson.build") or ""
    if (match := MESON_TESTS.search(meson)) and trail.applies(any_rules.MESON):
        setup = f"meson setup {folder}", f"meson compile -C {folder}"
        test = f"meson test -C {folder} --print-errorlogs"
        yield _conventional(setup, test, MESON, "meson.build", meson, match, any_rules.MESON)
    automake = tree.text("Makefile.am") or ""
    generated = "configure" not in tree.paths
    sure = not generated or ("configure.ac" in tree.paths and "bootstrap.conf" not in tree.paths)  # gnulib's is absent
    if sure and (match := AUTOMAKE_TESTS.search(automake)) and trail.applies(any_rules.AUTOTOOLS):
        commands = (*(("autoreconf -fi",) if generated else ()), "./configure", "make -j2")
        apt = (*AUTOTOOLS, *NEEDS["./configure"])
        yield _conventional(commands, "make check", apt, "Makefile.am", automake, match, any_rules.AUTOTOOLS)
    template = "" if automake or generated else tree.text("Makefile.in") or ""
    if (match := MAKE_TESTS.search(template)) and trail.applies(any_rules.AUTOTOOLS):
        test = f"make {match.group(1)}"
        needs = NEEDS["./configure"]
        yield _conventional(
            ("./configure", "make -j2"), test, needs, "Makefile.in", template, match, any_rules.AUTOTOOLS
        )


def _conventional(
    setup: tuple[str, ...], test: str, apt: tuple[str, ...], file: str, text: str, match: re.Match[str], by: Rule
) -> NativeBuild:
    line = text.count("\n", 0, match.start()) + 1
    return NativeBuild(setup, test, apt, file, line, f"`{file}` has tests", by)


def _of_job(job: Job, trail: Trail) -> Iterator[NativeBuild]:
    """Yield the tests of a job that configures before them."""
    setup: list[str] = []
    programs: set[str] = set()
    configured = False
    tests: list[tuple[Seen, str]] = []
    for seen in job.commands:
        words = list(seen.words)
        if seen.via or any(map(FOREIGN_HOST.fullmatch, words)):
            return
        if configured and _tests(words):
            tests.append((seen, _placed(seen, words)))
        elif tests and _builds(words):
            break  # another build, of another cell of the matrix
        elif _builds(words) and len(setup) < MAX_COMMANDS:
            setup.append(_placed(seen, words))
            programs |= {words[0], *({"ninja"} if "Ninja" in words else ())}
            configured = configured or words[0] not in GENERATORS | {"make", "ninja"}
    apt = [package for program in sorted(programs & NEEDS.keys()) for package in NEEDS[program]]
    apt += _installed(job) if tests and trail.applies(any_rules.WORKFLOW_PACKAGES) else []
    for seen, command in tests[:MAX_TESTS]:
        why = "the workflow configures and builds before it"
        packages = tuple(dict.fromkeys(apt))
        yield NativeBuild(tuple(setup), command, packages, seen.file, seen.line, why, any_rules.NATIVE_WORKFLOW)


def _tests(words: list[str]) -> bool:
    program, rest = words[0], words[1:]
    if program in ("make", "ninja"):
        return bool(TARGETS & set(rest)) and not NOT_BUILT & set(rest)
    if program == "cmake":
        return rest[:1] == ["--build"] and bool(TARGETS & set(rest))
    return program == "ctest" or (program == "meson" and rest[:1] == ["test"])


def _builds(words: list[str]) -> bool:
    program, rest = words[0], words[1:]
    if NOT_BUILT & set(rest) or "--version" in rest:
        return False
    if program == "cmake":
        return not rest[:1] or rest[0] not in ("--install", "-E", "-P", "--help")
    if program == "meson":
        return rest[:1] != ["test"]
    return program in NEEDS or program == "make"


def _placed(seen: Seen, words: list[str]) -> str:
    """Return the command with its variables and in its folder, which may be one that is made for the build."""
    kept = [word for word in words if not OF_A_RUNNER.fullmatch(word)]
    variables = [f"{name}={grammar.quoted(value)}" for name, value in own_variables(seen)]
    command = " ".join([*variables, joined(kept)])
    return f"(mkdir -p {seen.folder} && cd {seen.folder} && {command})" if seen.folder else command


def own_variables(seen: Seen) -> tuple[tuple[str, str], ...]:
    """Return the variables of a command that do not choose programs of the runner, which the image may not have."""
    return tuple((name, value) for name, value in seen.env if name not in RUNNER_VARIABLES)


def _installed(job: Job) -> list[str]:
    """Return the headers and build tools among the packages that a job installs."""
    found: dict[str, None] = {}
    for seen in (*job.commands, *job.unfinished):
        words = [word for word in seen.words if word != "sudo"]
        if words[:1] and words[0] in ("apt-get", "apt") and "install" in words:
            found |= dict.fromkeys(word for word in words if word in BUILD_TOOLS or HEADERS.fullmatch(word))
    return list(found)[:MAX_PACKAGES]
