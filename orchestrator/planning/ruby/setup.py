"""Which Gemfile a repository is installed by, and how."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from draftsman.domain.plan import Tree
from orchestrator.planning import grammar
from orchestrator.planning.command_flags import joined, words_of
from orchestrator.planning.ruby import rules
from orchestrator.planning.ruby.bundle import GEMFILES, Bundle, named_gems
from orchestrator.planning.trail import Trail
from orchestrator.planning.workflows import Workflows

GROUPS = re.compile(r"[A-Za-z_]{1,40}(?:[: ][A-Za-z_]{1,40}){0,10}")
OUR_PLATFORM = re.compile(r"ruby|(?:x86_64|aarch64)-linux(?:-gnu)?")


@dataclass(frozen=True, slots=True)
class BundleSetup:
    """How the bundle is installed. `variables` stand before each command that uses it; `command` may be empty."""

    command: str
    variables: str


def choose_gemfile(tree: Tree, workflows: Workflows, trail: Trail) -> str | None:
    """Return the path of the Gemfile: at the top, else as a workflow names it, else the last of `gemfiles/`."""
    for path in GEMFILES:
        if path in tree.paths and trail.applies(rules.GEMFILE):
            trail.note("dependency_manager", "bundler", f"a `{path}`", file=path, by=rules.GEMFILE)
            return path
    if trail.applies(rules.BUNDLE_GEMFILE):
        for seen in workflows.commands:
            path = dict(seen.env).get("BUNDLE_GEMFILE", "")
            if path in tree.paths and grammar.is_tree_path(path):
                rule = "`BUNDLE_GEMFILE` of the workflow, and no Gemfile at the top"
                trail.note("dependency_manager", path, rule, file=seen.file, line=seen.line, by=rules.BUNDLE_GEMFILE)
                return path
    if trail.applies(rules.GEMFILES_FOLDER):
        found = [path for path in tree.paths if path.startswith("gemfiles/") and path.endswith((".gemfile", ".rb"))]
        for path in sorted(filter(grammar.is_tree_path, found), reverse=True)[:1]:
            rule = "no Gemfile at the top: the last one in `gemfiles/`"
            trail.note("dependency_manager", path, rule, file=path, by=rules.GEMFILES_FOLDER)
            return path
    return None


def asked_groups(workflows: Workflows) -> frozenset[str]:
    """Return the optional groups that workflows install."""
    values = [value for seen in workflows.commands for name, value in seen.env if name == "BUNDLE_WITH"]
    return frozenset(group for value in values if GROUPS.fullmatch(value) for group in re.split("[: ]", value))


def compile_step(bundle: Bundle, workflows: Workflows, trail: Trail) -> str:
    """Return the task that compiles a gem's own extension, empty where no workflow runs it."""
    for seen in workflows.commands if bundle.gemfile is not None and trail.applies(rules.COMPILE) else ():
        if words_of(seen) in (["bundle", "exec", "rake", "compile"], ["rake", "compile"]):
            trail.note(
                "setup", seen.text, "a workflow compiles it first", file=seen.file, line=seen.line, by=rules.COMPILE
            )
            return "bundle exec rake compile"
    return ""


def decide_install(bundle: Bundle, groups: frozenset[str], trail: Trail) -> BundleSetup:
    """Return how the bundle is installed: frozen to its lock where there is one for this platform."""
    if bundle.gemfile is None:
        return BundleSetup("", "")
    variables = "" if bundle.default else f"BUNDLE_GEMFILE={bundle.gemfile} "
    install = variables
    if groups and bundle.optional:
        variables += f"BUNDLE_WITH={':'.join(sorted(groups))} "
        install = variables
    ours = not bundle.platforms or any(map(OUR_PLATFORM.fullmatch, bundle.platforms))
    if bundle.lock is None:
        rule = "no lock: versions are resolved anew in each run"
        trail.note("setup", "bundle install", rule, file=bundle.gemfile, by=rules.FROZEN)
    elif not ours and trail.applies(rules.LOCK_PLATFORMS):
        shown = ", ".join(sorted(bundle.platforms)[:5])
        trail.note(
            "setup", shown, "the lock is for other platforms: not frozen", file=bundle.lock, by=rules.LOCK_PLATFORMS
        )
        trail.warn(
            f"{bundle.lock} is for {shown} only, so versions may differ: run `bundle lock --add-platform x86_64-linux`."
        )
    elif trail.applies(rules.FROZEN):
        trail.note("setup", "BUNDLE_FROZEN=true", "the lock decides the versions", file=bundle.lock, by=rules.FROZEN)
        install += "BUNDLE_FROZEN=true "
    return BundleSetup(f"{install}bundle install", variables)


def loose_setup(tree: Tree, bundle: Bundle, full: Iterable[str], trail: Trail) -> str:
    """Return what installs gems without a Gemfile: those that the gemspec names, and RSpec for specs."""
    gems: dict[str, str] = {}
    for file in bundle.gemspecs[:1] if bundle.gemfile is None and trail.applies(rules.GEMSPEC_GEMS) else ():
        gems = dict(named_gems(tree, file))
        for name, requirement in gems.items():
            rule = "no Gemfile: a gem that the gemspec names"
            trail.note("setup", f"{name} {requirement}".strip(), rule, file=file, by=rules.GEMSPEC_GEMS)
    has_specs = any(command.split()[0] == "rspec" for command in full)
    if has_specs and not {"rspec", "rspec-core"} & set(gems) and trail.applies(rules.ADD_RSPEC):
        trail.note("setup", "rspec", "specs, and no Gemfile that installs RSpec", by=rules.ADD_RSPEC)
        gems["rspec"] = ""
    if not gems:
        return ""
    return joined(["gem", "install", *(":".join(filter(None, one)) for one in gems.items()), "--no-document"])
