"""Makes the plan of a commit: what its files say, what the profile says instead, and the image for both."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from draftsman.domain.errors import PlanError
from draftsman.domain.plan import Plan, Profile, ProfileOverrides, Toolchain, Tree
from draftsman.domain.profile_rules import DEPENDENCY_MANAGERS
from orchestrator.planning import any_rules, own_dockerfile
from orchestrator.planning.command_words import called_programs
from orchestrator.planning.dockerfile import Ingredients, render_dockerfile
from orchestrator.planning.dockerfile_fitness import Versions
from orchestrator.planning.ecosystems import ECOSYSTEMS
from orchestrator.planning.folders import (
    MAX_FOLDERS,
    at_top,
    note_unchecked,
    placed,
    project_folders,
    relocate,
    relocated,
    under,
    workflows_under,
)
from orchestrator.planning.own_dockerfile import OwnDockerfile
from orchestrator.planning.owner import Claim, owner_of
from orchestrator.planning.part import Ecosystem, Part, Question
from orchestrator.planning.repo_file import Said, join
from orchestrator.planning.submodules import note_submodules
from orchestrator.planning.system_packages import COMMAND_NEEDS, needed
from orchestrator.planning.task_runners import TaskChecks, task_runner_checks, warn_of_services
from orchestrator.planning.trail import Trail, show
from orchestrator.planning.versions import DEBIAN_IMAGE
from orchestrator.planning.workflows import Workflows, is_workflow, read_workflows

EXACT = re.compile(r"[a-z]{0,10}[-@]?v?[0-9]+(\.[0-9]+){0,2}")
"""A version as files such as `.python-version` name it; a range is none."""

NUMBER = re.compile(r"[0-9]{1,4}(\.[0-9]{1,4}){0,2}")
BESIDE = re.compile(r"(?:jruby|truffleruby|mruby|pypy|graalpy|head|nightly|dev|main)")
"""Other implementations, and what is not released."""

ANY_PATCH = re.compile(r"(?:\.[x*])+$")


BROUGHT = {"rust": frozenset({"cargo", "rustc"}), "node": frozenset({"nodejs", "npm"})}
"""Debian packages that a part asks for and that another part's toolchain stands for."""


@dataclass(frozen=True, slots=True)
class Inferred:
    """An ecosystem's part, with the trail that led to it. `forced` says that the profile needs it."""

    ecosystem: Ecosystem
    part: Part
    trail: Trail
    forced: bool


def make_plan(
    tree: Tree,
    *,
    repo: str,
    overrides: ProfileOverrides,
    templates: Mapping[str, str],
    image_prefix: str = "",
    ca_bundle: bool = False,
    without: frozenset[str] = frozenset(),
) -> Plan:
    """Return the plan of a commit, with the evidence for each decision.

    Fields of the profile that a person set (`overrides`) win one by one. `templates` maps the names in
    `dockerfiles/templates/` to their texts; `image_prefix` is the mirror that base images come from;
    `ca_bundle` says that `draftsman-ca.crt` will be in the build context. `without` names rules, by their ids,
    that do not apply. Raises PlanError for a malformed hint or profile, with file and line.
    """
    trail = Trail(without)
    _check_manager(overrides)
    said = join(tree, overrides, trail)
    overrides = said.overrides
    own = own_dockerfile.given(tree, said, trail)
    workflows = read_workflows(tree, trail)
    found = _infer(tree, workflows, overrides, trail)
    tasks = _tasks(tree, workflows, found, overrides, trail)
    primary = _primary(found, tree, workflows, overrides, trail)
    ordered = sorted(found, key=lambda one: one is not primary)
    own = own or own_dockerfile.infer(tree, overrides, _versions(ordered, workflows), trail)
    profile = _profile(ordered, tasks, overrides, own)
    if profile.full:
        warn_of_services(workflows, trail)
    evidence = _evidence(trail, ordered, said, profile)
    shown = evidence if own is None else trail.fresh()
    toolchains = _place(ordered, shown)
    packages = [*_command_packages(profile, shown), *tasks.apt]
    ingredients = _gather(ordered, toolchains, profile, repo, packages)
    generated = own_dockerfile.stamped(
        render_dockerfile(ingredients, templates, image_prefix=image_prefix, ca_bundle=ca_bundle)
    )
    edited = overrides.generated_dockerfile if own is None else None
    if edited is not None:
        own_dockerfile.warn_if_moved_on(edited, generated, evidence)
    dockerfile = generated if edited is None else edited
    if own is not None:
        dockerfile, toolchains = own.text, own_dockerfile.carried(own, toolchains)
    return Plan(
        profile=profile,
        toolchains=toolchains,
        dockerfile=dockerfile,
        fallback=None if dockerfile is generated else generated,
        inferred_dockerfile=own is not None and own.inferred,
        caches=_caches(ordered, profile),
        evidence=evidence.evidence,
        warnings=evidence.warnings,
    )


def _versions(found: list[Inferred], workflows: Workflows) -> dict[str, Versions]:
    """Return the ecosystems, each with its version where a file names exactly that one, else with those tested."""
    versions: dict[str, Versions] = {}
    for one in found:
        name = one.ecosystem.name
        chosen = next((seen for seen in one.trail.evidence if seen.decides == f"{name} version"), None)
        named = chosen is not None and chosen.file is not None and not is_workflow(chosen.file)
        is_exact = named and chosen is not None and EXACT.fullmatch(chosen.value)
        texts = (ANY_PATCH.sub("", seen.text) for seen in workflows.versions_of(name))
        tested = tuple(text for text in texts if not BESIDE.match(text))
        known = tested if all(map(NUMBER.fullmatch, tested)) else ()
        versions.setdefault(name, Versions(one.part.toolchain.version if is_exact else None, known))
    return versions


def _check_manager(overrides: ProfileOverrides) -> None:
    manager = overrides.dependency_manager
    if manager is not None and manager not in DEPENDENCY_MANAGERS:
        raise PlanError(
            f"The profile's dependency_manager {show(manager)!r} is not one that Draftsman knows: "
            f"{', '.join(DEPENDENCY_MANAGERS)}."
        )


def _infer(tree: Tree, workflows: Workflows, overrides: ProfileOverrides, trail: Trail) -> list[Inferred]:
    """Return the parts of all ecosystems that have something to run, or the only one there is."""
    note_submodules(tree, trail, are_fetched=bool(overrides.submodules))
    folders = project_folders(tree.paths)
    found = _infer_at_top(tree, workflows, folders, overrides, trail)
    if folders and not any(one.part.full or one.forced for one in found) and trail.applies(any_rules.PROJECT_IN_FOLDER):
        found += _infer_in_folders(tree, workflows, folders, trail)
    elif trail.applies(any_rules.SUB_PROJECT):
        for folder in folders[:MAX_FOLDERS]:
            note_unchecked(folder, workflows, trail)
    useful = [one for one in found if one.forced or one.part.fast or one.part.full]
    useful = [one for one in found if one in useful or (useful and one.part.needed)]
    if not trail.applies(any_rules.USELESS_PART):
        useful = found
    for one in found:
        if useful and one not in useful:
            rule = f"a {one.ecosystem.name} project with nothing to check: not used"
            trail.note("image", one.part.toolchain.image, rule, by=any_rules.USELESS_PART)
    if not found and trail.applies(any_rules.NO_ECOSYSTEM):
        looked = "; ".join(ecosystem.looked_for for ecosystem in ECOSYSTEMS)
        trail.note("image", DEBIAN_IMAGE, f"no ecosystem was found; looked for {looked}", by=any_rules.NO_ECOSYSTEM)
    return useful or found


def _infer_at_top(
    tree: Tree, workflows: Workflows, folders: list[str], overrides: ProfileOverrides, trail: Trail
) -> list[Inferred]:
    programs = _override_programs(overrides)
    found = []
    for ecosystem in ECOSYSTEMS:
        mine = overrides.dependency_manager in ecosystem.managers
        forced = mine or bool(programs & ecosystem.words)
        manager = overrides.dependency_manager if mine else None
        own = trail.fresh()
        top = at_top(tree, folders, ecosystem.name) if trail.applies(any_rules.PROJECT_IN_FOLDER) else tree
        part = ecosystem.infer(Question(top, workflows, overrides, manager, forced), own)
        if part is not None:
            found.append(Inferred(ecosystem, part, own, forced))
        else:
            _copy(own, trail)
    return found


def _infer_in_folders(tree: Tree, workflows: Workflows, folders: list[str], trail: Trail) -> list[Inferred]:
    """Return the parts of projects in folders; those in which the workflows run something come first."""
    run_in = {seen.folder for job in workflows.jobs for seen in job.commands}
    ordered = sorted(folders, key=lambda folder: folder not in run_in)
    found = []
    for folder in ordered[:MAX_FOLDERS]:
        inner = under(tree, folder)
        for ecosystem in ECOSYSTEMS:
            own = trail.fresh()
            question = Question(inner, workflows_under(workflows, folder), ProfileOverrides(), None, False)
            try:
                part = ecosystem.infer(question, own)
            except PlanError as error:
                raise relocated(error, tree, folder) from error
            if part is not None and (part.fast or part.full):
                own.note("project", folder, f"a {ecosystem.name} project", by=any_rules.PROJECT_IN_FOLDER)
                found.append(Inferred(ecosystem, placed(part, folder), relocate(own, tree, folder), False))
    for folder in ordered[MAX_FOLDERS:]:
        trail.note("project", folder, f"not checked: more than {MAX_FOLDERS} projects", by=any_rules.PROJECT_IN_FOLDER)
    return found


def _tasks(
    tree: Tree, workflows: Workflows, found: list[Inferred], overrides: ProfileOverrides, trail: Trail
) -> TaskChecks:
    """Return what task runners check, where no ecosystem and no person brings tests."""
    if overrides.full is not None or any(one.part.full for one in found):
        return TaskChecks()
    there = frozenset(word for one in found for word in one.ecosystem.words)
    checks = task_runner_checks(tree, workflows, trail, there)
    return replace(checks, fast=()) if any(one.part.fast for one in found) else checks


def _override_programs(overrides: ProfileOverrides) -> frozenset[str]:
    return called_programs([overrides.setup or "", *(overrides.fast or ()), *(overrides.full or ())])


def _primary(
    found: list[Inferred], tree: Tree, workflows: Workflows, overrides: ProfileOverrides, trail: Trail
) -> Inferred | None:
    """Return the ecosystem that owns the tests; the profile's manager decides first."""
    asked = [one for one in found if one.part.manager == overrides.dependency_manager]
    tested = [one for one in asked or found if one.part.full]
    useful = [one for one in asked or found if one.part.fast]
    ranked = tested or useful or asked or found
    if not tested:
        return ranked[0] if ranked else None
    claims = {
        one.ecosystem.name: Claim(one.ecosystem.name, one.ecosystem.words, one.trail.evidence, one.part.needed)
        for one in reversed(tested)
    }
    owner = owner_of(list(reversed(claims.values())), tree, workflows, trail)
    return next(one for one in tested if one.ecosystem.name == owner)


def _profile(
    ordered: list[Inferred], tasks: TaskChecks, overrides: ProfileOverrides, own: OwnDockerfile | None
) -> Profile:
    parts = [one.part for one in ordered]
    inferred = Profile(
        dockerfile=None,
        dependency_manager=parts[0].manager if parts else "none",
        setup=" && ".join([*(command for part in parts for command in part.setup), *tasks.setup]),
        fast=tuple(command for part in parts for command in part.fast) or tasks.fast,
        full=tuple(command for part in parts for command in part.full) or tasks.full,
    )
    return Profile(
        dockerfile=None if own is None else own.path,
        dependency_manager=overrides.dependency_manager or inferred.dependency_manager,
        setup=inferred.setup if overrides.setup is None else overrides.setup,
        fast=inferred.fast if overrides.fast is None else overrides.fast,
        full=inferred.full if overrides.full is None else overrides.full,
        dockerfile_target=None if own is None else overrides.dockerfile_target,
        build_args=() if own is None else overrides.build_args,
        allow_failure=overrides.allow_failure or (),
        artifacts=overrides.artifacts or (),
        limits=overrides.limits,
        paths=overrides.paths or (),
        paths_ignore=overrides.paths_ignore or (),
        submodules=bool(overrides.submodules),
        lfs=bool(overrides.lfs),
    )


def _evidence(trail: Trail, ordered: list[Inferred], said: Said, profile: Profile) -> Trail:
    """Return one trail: what was set comes first, and nothing inferred for a field that was."""
    joined = trail.fresh()
    overrides = said.overrides
    set_by_person = {
        "dependency_manager": overrides.dependency_manager,
        "setup": overrides.setup,
        "fast": overrides.fast,
        "full": overrides.full,
    }
    fields = {name for name, value in set_by_person.items() if value is not None}
    for name in (name for name in set_by_person if name in fields):
        value = getattr(profile, name)
        said.note(joined, name, value if isinstance(value, str) else "; ".join(value))
    if profile.dockerfile is not None and profile.dockerfile == overrides.dockerfile:
        fields |= {"image", *(f"{one.ecosystem.name} version" for one in ordered)}
    for source in (trail, *(one.trail for one in ordered)):
        _copy(source, joined, frozenset(fields))
    for tier, commands in (("setup", (profile.setup,)), ("fast", profile.fast), ("full", profile.full)):
        if tier not in fields and not any(commands):
            joined.note(tier, "", _nothing_found(tier))
    return joined


def _nothing_found(tier: str) -> str:
    looked_for = {
        "setup": "nothing to install: no manifest, lock or requirement file",
        "fast": "nothing to run: looked for linters, type checkers and scripts such as lint or typecheck",
        "full": "nothing to run: looked for pytest, unittest and Django tests, for a script, a make target and a just "
        "recipe named test, and for scripts/test and its like",
    }
    return looked_for[tier] + ". Set it in the profile if there is something"


def _copy(source: Trail, target: Trail, hidden: frozenset[str] = frozenset()) -> None:
    for one in source.evidence:
        if one.decides not in hidden:
            target.note(one.decides, one.value, one.rule, file=one.file, line=one.line, by=one.rule_id)
    for sentence in source.warnings:
        target.warn(sentence)


def _place(ordered: list[Inferred], trail: Trail) -> tuple[Toolchain, ...]:
    """Return the toolchains: the image's base (the tests' own, unless another one cannot be copied), those that are
    copied into it, those that its steps install.
    """
    first: dict[str, Inferred] = {}
    for one in ordered:
        kept = first.setdefault(one.ecosystem.name, one).part.toolchain
        if kept != one.part.toolchain:
            trail.warn(
                f"Two projects ask for {one.ecosystem.name} {kept.version} and {one.part.toolchain.version}: one image "
                f"has one of each, and {kept.version} it is."
            )
    rooted = [first[one.name] for one in ECOSYSTEMS if one.name in first and not one.portable]
    ranked = sorted(first.values(), key=lambda one: one is not (rooted or ordered)[0])
    for position, one in enumerate(ranked):
        image = one.part.toolchain.image
        if position:
            trail.note("image", image, f"{one.ecosystem.name} is copied from its official image")
        else:
            trail.note("image", image, f"the base: the official image of {one.ecosystem.name}")
    placed = tuple(one.part.toolchain for one in ranked)
    installed = {also.ecosystem: also for one in reversed(ordered) for also in one.part.also}
    return placed + tuple(installed.values())


def _command_packages(profile: Profile, trail: Trail) -> list[str]:
    """Return the Debian packages that the commands need."""
    packages: list[str] = []
    if trail.applies(any_rules.COMMAND_PACKAGES):
        programs = called_programs([profile.setup, *profile.fast, *profile.full])
        for program, apt in needed(programs, COMMAND_NEEDS).items():
            packages += apt
            rule = f"Debian packages for `{program}`, which a command calls"
            trail.note("image", " ".join(apt), rule, by=any_rules.COMMAND_PACKAGES)
    return packages


def _gather(
    ordered: list[Inferred], toolchains: tuple[Toolchain, ...], profile: Profile, repo: str, packages: list[str]
) -> Ingredients:
    """Return what the Dockerfile is made of."""
    needs = [*packages, *(package for one in ordered for package in one.part.apt)]
    brought = {package for one in toolchains for package in BROUGHT.get(one.ecosystem, ())}
    return Ingredients(
        repo=repo,
        profile=profile,
        base=toolchains[0] if toolchains else None,
        copied=tuple(one for one in toolchains[1:] if one.image),
        apt=tuple(package for package in needs if package not in brought),
        uv=_uses_uv(profile),
        steps=tuple(step for one in ordered for step in one.part.steps),
        env=tuple(variable for one in ordered for variable in one.part.env),
        programs=tuple(program for one in ordered for program in one.part.programs),
    )


def _uses_uv(profile: Profile) -> bool:
    programs = called_programs([profile.setup, *profile.fast, *profile.full])
    return bool(programs & {"uv", "uvx"}) or profile.dependency_manager == "uv"


def _caches(ordered: list[Inferred], profile: Profile) -> tuple[str, ...]:
    """Return the managers whose caches are mounted: the profile's, and those of all parts."""
    names = [cache for one in ordered for cache in one.part.caches]
    if profile.dependency_manager not in ("none", *(one.part.manager for one in ordered)):
        names = [profile.dependency_manager, *names]
    names += ["uv"] if _uses_uv(profile) else []
    return tuple(dict.fromkeys(names))
