"""Says what a plan is and why: as JSON for programs, as lines for people."""

from __future__ import annotations

from typing import Any

from draftsman.domain.plan import Evidence, Plan

PROJECTS = "project"
SECTIONS = (
    ("image", "Image", ("version", "image", "dockerfile")),
    ("setup", "Setup", ("dependency_manager", "setup")),
    ("fast", "Fast checks", ("fast",)),
    ("full", "Full checks", ("full",)),
)


def explain(plan: Plan, image_tag: str, *, repo: str = "", sha: str = "") -> dict[str, Any]:
    """Return the stable object that `draftsman plan --json` prints. A toolchain without an image is installed."""
    profile = plan.profile
    return {
        "repo": repo,
        "sha": sha,
        "profile": {
            "dockerfile": profile.dockerfile,
            "dependency_manager": profile.dependency_manager,
            "setup": profile.setup,
            "validation": {"fast": list(profile.fast), "full": list(profile.full)},
        },
        "toolchains": [
            {"ecosystem": one.ecosystem, "version": one.version, "image": one.image or None} for one in plan.toolchains
        ],
        "dockerfile": plan.dockerfile,
        "image_tag": image_tag,
        "evidence": [
            {
                "decides": one.decides,
                "file": one.file,
                "line": one.line,
                "value": one.value,
                "rule": one.rule,
                "rule_id": one.rule_id,
            }
            for one in plan.evidence
        ],
    }


def lines(plan: Plan, image_tag: str) -> list[str]:
    """Return the plan for a terminal, without colours: projects, image, setup, fast, full, each with its evidence."""
    projects = [one for one in plan.evidence if one.decides == PROJECTS]
    written = ["Projects", *(f"  {_why(one)}" for one in projects), ""] if projects else []
    shown = {PROJECTS}
    for section, title, decides in SECTIONS:
        shown |= set(decides)
        mine = [one for one in plan.evidence if _topic(one) in decides]
        written += [title, *(f"  {line}" for line in _values(plan, section, image_tag))]
        written += [f"    {_why(one)}" for one in mine]
        written.append("")
    others = [f"  {one.decides}: {_why(one)}" for one in plan.evidence if _topic(one) not in shown]
    written += ["Other", *others, ""] if others else []
    written += ["Warnings", *(f"  {sentence}" for sentence in plan.warnings), ""] if plan.warnings else []
    return written[:-1]


def _values(plan: Plan, section: str, image_tag: str) -> list[str]:
    profile = plan.profile
    if section == "image":
        source = f"from {profile.dockerfile}" if profile.dockerfile else "from a generated Dockerfile"
        return [
            ", ".join(filter(None, (image_tag, source))),
            *(
                " ".join(filter(None, (one.ecosystem, one.version, f"({one.image or 'installed'})")))
                for one in plan.toolchains
            ),
        ]
    if section == "setup":
        return [profile.setup] if profile.setup.strip() else ["nothing to run"]
    commands = profile.fast if section == "fast" else profile.full
    return list(commands) or ["nothing to run"]


def _topic(one: Evidence) -> str:
    """Return what it decides; `python version` and its like are all `version`."""
    return "version" if one.decides.endswith(" version") else one.decides


def _why(one: Evidence) -> str:
    place = (f"{one.file}:{one.line}" if one.line else one.file) if one.file else ""
    value = one.value if one.value != one.file else ""
    return " - ".join(part for part in (" ".join(filter(None, (place, value))), one.rule) if part)
