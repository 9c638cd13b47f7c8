"""Planning of Node repositories."""

from __future__ import annotations

from draftsman.domain.plan import Toolchain, Tree
from orchestrator.planning.documents import Document, read_json, table
from orchestrator.planning.node.managers import MANAGERS, decide_install
from orchestrator.planning.node.scripts import Scripts, choose_fast, choose_full
from orchestrator.planning.node.version import choose_node
from orchestrator.planning.part import Ecosystem, Part, Question
from orchestrator.planning.system_packages import NODE_NEEDS, needed
from orchestrator.planning.trail import Trail

READ = (".node-version", ".nvmrc", "package.json", ".npmrc")


def infer(question: Question, trail: Trail) -> Part | None:
    """Return what Node brings to the plan, or None where the commit has no package.json at its top.

    Raises PlanError where a Node hint is malformed.
    """
    tree = question.tree
    if "package.json" not in tree.paths and not question.forced:
        for path in sorted(path for path in tree.paths if path.endswith("/package.json"))[:3]:
            trail.note("image", path, "seen, not used: not at the top of the repository", file=path)
        return None
    manifest = read_json(tree, "package.json")
    version = choose_node(tree, manifest, question.workflows, trail)
    manager, install = decide_install(tree, question.overrides, question.manager, trail)
    commands = {name: command for name, command in table(manifest, "scripts").items() if isinstance(command, str)}
    scripts = Scripts(commands, tree.text("package.json") or "")
    fast = choose_fast(scripts, question.workflows, trail)
    full = choose_full(scripts, question.workflows, trail)
    return Part(
        toolchain=Toolchain("node", version, f"node:{version}-slim"),
        manager=manager.name,
        setup=(install,) if install else (),
        fast=tuple(manager.running(name) for name in fast),
        full=(manager.running(full),) if full else (),
        caches=manager.caches,
        apt=_system_packages(tree, manifest, trail),
    )


def _system_packages(tree: Tree, manifest: Document, trail: Trail) -> tuple[str, ...]:
    names = {*table(manifest, "dependencies"), *table(manifest, "devDependencies")}
    packages: list[str] = []
    for name, apt in needed(names, NODE_NEEDS).items():
        packages += apt
        trail.note("image", " ".join(apt), f"Debian packages that {name} needs", file="package.json")
    return tuple(dict.fromkeys(packages))


ECOSYSTEM = Ecosystem(
    name="node",
    managers=tuple(manager.name for manager in MANAGERS),
    words=frozenset({"node", "npm", "npx", "tsc", "eslint", "prettier"}),
    portable=True,
    looked_for="package.json",
    reads=lambda paths: [path for path in READ if path in paths],
    infer=infer,
)
