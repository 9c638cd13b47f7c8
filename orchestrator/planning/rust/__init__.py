"""Planning of Rust repositories."""

from __future__ import annotations

import re

from draftsman.domain.errors import PlanError
from draftsman.domain.plan import Toolchain, Tree
from orchestrator.planning.documents import malformed, read_toml, table, text_of
from orchestrator.planning.folders import relocate, relocated, under
from orchestrator.planning.part import Ecosystem, Part, Question
from orchestrator.planning.rule import rules_in
from orchestrator.planning.rust import rules
from orchestrator.planning.rust.checks import choose_fast, choose_full, components
from orchestrator.planning.rust.python_build import MAX_MEMBERS, python_build, python_member, read_parts
from orchestrator.planning.rust.version import (
    TOOLCHAIN_FILES,
    ToolchainFile,
    choose_rust,
    is_channel,
    note_channel,
    read_toolchain_file,
)
from orchestrator.planning.system_packages import RUST_NEEDS, needed
from orchestrator.planning.trail import Trail
from orchestrator.planning.versions import RUST_DEFAULT

READ = (
    "Cargo.toml",
    "Cargo.lock",
    *TOOLCHAIN_FILES,
    "rustfmt.toml",
    ".rustfmt.toml",
    "pyproject.toml",
)
LOCKED = re.compile(r'^name = "([A-Za-z0-9_-]{1,100})"$', re.MULTILINE)
CONFLICT = re.compile(r"^(?:<<<<<<<|>>>>>>>)", re.MULTILINE)


def reads(paths: frozenset[str]) -> list[str]:
    """Return the files that planning reads of a Rust repository, and of Python packages that are built from Rust."""
    at_top = [path for path in READ if path in paths and ("Cargo.toml" in paths or path != "pyproject.toml")]
    folders = [path.removesuffix("/Cargo.toml") for path in paths if path.endswith("/Cargo.toml")]
    built = sorted(folder for folder in folders if f"{folder}/pyproject.toml" in paths and folder.count("/") < 3)
    names = ("pyproject.toml", "Cargo.toml", "Cargo.lock", *TOOLCHAIN_FILES)
    inside = (f"{folder}/{name}" for folder in built[:MAX_MEMBERS] for name in names)
    return [
        *at_top,
        *(["pyproject.toml"] if built and "pyproject.toml" in paths else []),
        *filter(paths.__contains__, inside),
    ]


def infer(question: Question, trail: Trail) -> Part | None:
    """Return what Rust brings to the plan, or None where the commit has no Cargo.toml at its top.

    Raises PlanError where a Rust hint is malformed.
    """
    tree = question.tree
    present = "Cargo.toml" in tree.paths
    if not question.forced and not (present and trail.applies(rules.CARGO)):
        return _for_member(tree, question, trail)
    manifest = read_toml(tree, "Cargo.toml")
    toolchain = read_toolchain_file(tree, trail)
    version = choose_rust(tree, manifest, toolchain, question.workflows, trail)
    channel = is_channel(version)
    if question.manager is None:
        trail.note(
            "dependency_manager", "cargo", "a Cargo.toml", file="Cargo.toml" if present else None, by=rules.CARGO
        )
    extension = python_build(tree) or python_member(tree, trail)
    fast = choose_fast(tree, manifest, channel, question.workflows, trail) if present else ()
    full = choose_full(manifest, tree, python_build(tree), question.workflows, trail) if present else ()
    if channel:
        note_channel(version, trail)
    return Part(
        toolchain=Toolchain("rust", version, f"rust:{RUST_DEFAULT if channel else version}-slim"),
        manager="cargo",
        setup=_setup(tree, trail) if present and (fast or full) else (),
        fast=fast,
        full=full,
        caches=("cargo",),
        apt=_system_packages(tree, trail),
        steps=_steps(version, toolchain, components(fast), trail),
        needed=extension is not None,
    )


def _for_member(tree: Tree, question: Question, trail: Trail) -> Part | None:
    """Return Rust for a Python workspace, one of whose members is built from it; None where none is."""
    built = python_member(tree, trail)
    if built is None or f"{built.folder}/Cargo.toml" not in tree.contents:
        return None
    inner = under(read_parts(tree), built.folder)
    own = trail.fresh()
    try:
        manifest = read_toml(inner, "Cargo.toml")
        toolchain = read_toolchain_file(inner, own)
        version = choose_rust(inner, manifest, toolchain, question.workflows, own)
        apt = _system_packages(inner, own)
    except PlanError as error:
        raise relocated(error, read_parts(tree), built.folder) from error
    steps = _steps(version, toolchain, (), own, f"/workspace/{built.folder}")
    moved = relocate(own, read_parts(tree), built.folder)
    for one in moved.evidence:
        trail.note(one.decides, one.value, one.rule, file=one.file, line=one.line, by=one.rule_id)
    for sentence in moved.warnings:
        trail.warn(sentence)
    rule = "a member that is built from Rust"
    trail.note("image", built.folder, rule, file=built.file, line=built.line, by=rules.MEMBER)
    image = f"rust:{RUST_DEFAULT if is_channel(version) else version}-slim"
    return Part(Toolchain("rust", version, image), "cargo", (), (), (), ("cargo",), apt, steps, needed=True)


def _setup(tree: Tree, trail: Trail) -> tuple[str, ...]:
    if not trail.applies(rules.FETCH):
        return ()
    if "Cargo.lock" in tree.paths and trail.applies(rules.LOCKED):
        trail.note("setup", "--locked", "the lock decides the versions", file="Cargo.lock", by=rules.LOCKED)
        return ("cargo fetch --locked",)
    rule = "no lock: versions are resolved anew in each run"
    trail.note("setup", "cargo fetch", rule, file="Cargo.toml", by=rules.FETCH)
    return ("cargo fetch",)


def _system_packages(tree: Tree, trail: Trail) -> tuple[str, ...]:
    text = text_of(tree, "Cargo.lock") or ""
    if conflict := CONFLICT.search(text):
        line = text.count("\n", 0, conflict.start()) + 1
        raise malformed("Cargo.lock", line, "a merge conflict stands here. Resolve it, and run `cargo update -w`.")
    names = set(LOCKED.findall(text))
    if not text:
        manifest = read_toml(tree, "Cargo.toml")
        names = {*table(manifest, "dependencies"), *table(manifest, "dev-dependencies")}
    packages: list[str] = []
    for name, apt in needed(names, RUST_NEEDS).items() if trail.applies(rules.NATIVE) else ():
        packages += apt
        file = "Cargo.lock" if text else "Cargo.toml"
        trail.note("image", " ".join(apt), f"Debian packages that {name} needs", file=file, by=rules.NATIVE)
    return tuple(dict.fromkeys(packages))


def _steps(
    version: str, toolchain: ToolchainFile, used: tuple[str, ...], trail: Trail, folder: str = "/workspace"
) -> tuple[str, ...]:
    """Return the commands of rustup that make the image's Rust complete, and the only one that runs."""
    channel = is_channel(version)
    wanted = tuple(dict.fromkeys([*used, *toolchain.components])) if trail.applies(rules.COMPONENTS) else ()
    steps = []
    if channel and trail.applies(rules.NIGHTLY):
        steps.append(" ".join(["rustup toolchain install", version, "--profile minimal"]))
        steps.append(f"rustup default {version}")
    for kind, names in (("component", wanted), ("target", toolchain.targets)):
        if names and trail.applies(rules.COMPONENTS):
            steps.append(f"rustup {kind} add {' '.join(names[:30])}")
            trail.note("image", " ".join(names), f"{kind}s of Rust", file=toolchain.file, by=rules.COMPONENTS)
    if toolchain.file is not None and trail.applies(rules.OVERRIDE):
        installed = f"{version}*" if channel else "1.*"
        steps.append(f"rustup toolchain link image /usr/local/rustup/toolchains/{installed}")
        steps.append(f"rustup override set image --path {folder}")
        rule = "the image's Rust runs, and the file downloads no other"
        trail.note("image", toolchain.file, rule, file=toolchain.file, by=rules.OVERRIDE)
    return tuple(steps)


ECOSYSTEM = Ecosystem(
    name="rust",
    managers=("cargo",),
    words=frozenset({"cargo", "rustc", "rustup", "rustfmt"}),
    portable=True,
    looked_for="Cargo.toml",
    reads=reads,
    infer=infer,
    rules=rules_in(rules),
)
