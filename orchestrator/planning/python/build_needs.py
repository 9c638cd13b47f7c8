"""The Debian packages that a Python project needs to build itself and its dependencies."""

from __future__ import annotations

from orchestrator.planning.documents import line_of, toml_line
from orchestrator.planning.python import rules
from orchestrator.planning.python.project import PythonProject
from orchestrator.planning.system_packages import COMPILER, PYTHON_NEEDS, needed
from orchestrator.planning.trail import Trail

COMPILED_BACKENDS = frozenset(
    {"mesonpy", "scikit_build_core.build", "py_build_cmake.build", "scikit_build_core.setuptools.build_meta"}
)
RUST_BACKENDS = frozenset({"maturin"})


def build_needs(project: PythonProject, install: tuple[str, ...], trail: Trail) -> tuple[str, ...]:
    """Return the packages, with a note on what needs each. `install` are the setup's commands."""
    packages: list[str] = []
    if trail.applies(rules.NEEDS):
        for name, apt in needed(_names(project), PYTHON_NEEDS).items():
            packages += apt
            trail.note("image", " ".join(apt), f"Debian packages that {name} needs", by=rules.NEEDS)
    if not install or project.installable_by is None:
        return tuple(dict.fromkeys(packages))
    if _has_extensions(project) and trail.applies(rules.EXTENSIONS):
        packages += [*COMPILER, "g++"]
        file, line = _place(project)
        sentence = "a compiler, since the project has extensions of its own"
        trail.note("image", " ".join([*COMPILER, "g++"]), sentence, file=file, line=line, by=rules.EXTENSIONS)
    if _has_rust(project) and "Cargo.toml" not in project.tree.paths and trail.applies(rules.RUST):
        packages += [*COMPILER, "cargo"]
        file, line = _place(project)
        sentence = "Rust, since the project is built with it"
        trail.note("image", " ".join([*COMPILER, "cargo"]), sentence, file=file, line=line, by=rules.RUST)
    return tuple(dict.fromkeys(packages))


def _names(project: PythonProject) -> frozenset[str]:
    sets = (*project.extras.values(), *project.groups.values())
    declared = project.dependencies | project.required | project.locked
    return declared.union(*sets) if len(sets) < 20 else declared


def _has_extensions(project: PythonProject) -> bool:
    if project.build_backend in COMPILED_BACKENDS:
        return True
    return project.setup_py.extensions


def _has_rust(project: PythonProject) -> bool:
    return project.build_backend in RUST_BACKENDS or project.setup_py.rust


def _place(project: PythonProject) -> tuple[str, int | None]:
    if "setup.py" in project.tree.paths and (project.setup_py.extensions or project.setup_py.rust):
        return "setup.py", line_of(project.tree.text("setup.py"), r"Extension|cythonize|ext_modules|cffi_modules|rust_")
    return "pyproject.toml", toml_line(project.tree.text("pyproject.toml"), "build-system")
