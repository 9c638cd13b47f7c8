"""Planning of Go repositories."""

from __future__ import annotations

from draftsman.domain.plan import Toolchain, Tree
from orchestrator.planning.go import rules
from orchestrator.planning.go.checks import choose_fast, choose_full
from orchestrator.planning.go.golangci import CONFIGS, choose_lint
from orchestrator.planning.go.module import GoModule, read_module
from orchestrator.planning.go.version import choose_go, image_of
from orchestrator.planning.part import Ecosystem, Part, Question
from orchestrator.planning.rule import rules_in
from orchestrator.planning.system_packages import GO_NEEDS, needed
from orchestrator.planning.trail import Trail

READ = ("go.mod", "go.work", ".go-version", "Makefile", *CONFIGS)
MANIFESTS = ("go.work", "go.mod")


def infer(question: Question, trail: Trail) -> Part | None:
    """Return what Go brings to the plan, or None where the commit has no module at its top.

    Raises PlanError where a Go hint is malformed.
    """
    tree = question.tree
    present = [path for path in MANIFESTS if path in tree.paths]
    if not question.forced and not (present and trail.applies(rules.MODULE)):
        for path in sorted(path for path in tree.paths if path.endswith(".go") and "/" not in path)[:1]:
            trail.note("image", path, "seen, not used: no `go.mod` belongs to it", file=path, by=rules.MODULE)
        return None
    module = read_module(tree)
    version = choose_go(tree, module, question.workflows, trail)
    if question.manager is None:
        trail.note("dependency_manager", "go", "a Go module", file=next(iter(present), None), by=rules.MODULE)
    lint = choose_lint(tree, version, question.workflows, trail) if present else None
    fast = choose_fast(tree, module, question.workflows, trail, linted=lint is not None) if present else ()
    return Part(
        toolchain=Toolchain("go", version, image_of(version)),
        manager="go",
        setup=_setup(tree, module, trail),
        fast=(*((lint[0],) if lint else ()), *fast),
        full=choose_full(tree, module, question.workflows, trail) if present else (),
        caches=("go",),
        apt=_system_packages(module, trail),
        programs=(lint[1],) if lint else (),
    )


def _setup(tree: Tree, module: GoModule, trail: Trail) -> tuple[str, ...]:
    if "vendor/modules.txt" in tree.paths and trail.applies(rules.VENDORED):
        rule = "the modules are in the repository: nothing to download"
        trail.note("setup", "vendor/modules.txt", rule, file="vendor/modules.txt", by=rules.VENDORED)
        return ()
    if not (module.requires or module.used) or not trail.applies(rules.DOWNLOAD):
        return ()
    file = next(path for path in MANIFESTS if path in tree.paths)
    trail.note("setup", "go mod download", "`go.sum` decides what may come", file=file, by=rules.DOWNLOAD)
    return ("go mod download",)


def _system_packages(module: GoModule, trail: Trail) -> tuple[str, ...]:
    packages: list[str] = []
    if trail.applies(rules.NATIVE):
        for name, apt in needed(module.requires, GO_NEEDS).items():
            packages += apt
            trail.note("image", " ".join(apt), f"Debian packages that {name} needs", file="go.mod", by=rules.NATIVE)
    return tuple(dict.fromkeys(packages))


ECOSYSTEM = Ecosystem(
    name="go",
    managers=("go",),
    words=frozenset({"go", "gofmt"}),
    portable=True,
    looked_for="go.mod, go.work",
    reads=lambda paths: [path for path in READ if path in paths],
    infer=infer,
    rules=rules_in(rules),
)
