"""Planning of Ruby repositories."""

from __future__ import annotations

from collections.abc import Iterable

from draftsman.domain.plan import Toolchain, Tree
from orchestrator.planning.part import Ecosystem, Part, Question
from orchestrator.planning.ruby import rules
from orchestrator.planning.ruby.bundle import GEMFILES, Bundle, lock_of, read_bundle
from orchestrator.planning.ruby.linters import choose_fast
from orchestrator.planning.ruby.preparation import choose_preparation
from orchestrator.planning.ruby.setup import asked_groups, choose_gemfile, compile_step, decide_install, loose_setup
from orchestrator.planning.ruby.suites import RAKEFILES, choose_full
from orchestrator.planning.ruby.version import choose_ruby
from orchestrator.planning.rule import rules_in
from orchestrator.planning.system_packages import RUBY_COMPILER, RUBY_NEEDS, needed
from orchestrator.planning.trail import Trail

READ = (".ruby-version", "config/database.yml", *GEMFILES, *map(lock_of, GEMFILES), *RAKEFILES)

SITE_TOOLS = frozenset(
    {"jekyll", "github-pages", "minima", "just-the-docs", "html-proofer", "webrick", "wdm", "kramdown", "liquid"}
    | {"tzinfo", "tzinfo-data", "http_parser.rb", "csv", "base64", "bigdecimal", "faraday-retry", "logger", "rouge"}
    | {"fastlane", "cocoapods", "xcpretty", "activesupport", "concurrent-ruby", "ffi", "xcodeproj", "rexml", "abbrev"}
    | {"danger", "nokogiri", "mutex_m", "benchmark"}
)
"""Gems that a Gemfile for a site or for a mobile app's tools holds, and nothing else."""

SITE_PREFIXES = ("jekyll-", "fastlane-plugin-", "cocoapods-", "kramdown-", "danger-")


def reads(paths: frozenset[str]) -> list[str]:
    """Return the files that planning reads of a Ruby repository."""
    specified = sorted(path for path in paths if "/" not in path and path.endswith(".gemspec"))
    gemfiles = sorted(path for path in paths if path.rpartition("/")[2].startswith("Gemfile") and path.count("/") < 2)
    others = sorted((path for path in paths if path.startswith("gemfiles/")), reverse=True)
    return [*(path for path in READ if path in paths), *specified[:3], *gemfiles[:6], *others[:4]]


def infer(question: Question, trail: Trail) -> Part | None:
    """Return what Ruby brings to the plan, or None where the commit is no Ruby project.

    Raises PlanError where a Ruby hint is malformed.
    """
    tree = question.tree
    own = trail.fresh()
    gemfile = choose_gemfile(tree, question.workflows, own)
    if not question.forced and not _may_be_project(tree, gemfile, trail):
        return None
    bundle = read_bundle(tree, gemfile, trail)
    if not question.forced and _is_decoy(tree, bundle, trail):
        return None
    for one in own.evidence:
        trail.note(one.decides, one.value, one.rule, file=one.file, line=one.line, by=one.rule_id)
    version = choose_ruby(tree, bundle, question.workflows, trail)
    groups = asked_groups(question.workflows)
    setup = decide_install(bundle, groups, trail)
    full = choose_full(tree, bundle, groups, question.workflows, trail)
    compiled = compile_step(bundle, question.workflows, trail)
    prepared = choose_preparation(tree, bundle, groups, question.workflows, trail)
    installs = (
        setup.command or loose_setup(tree, bundle, full, trail),
        setup.variables + compiled if compiled else "",
        *(one if one.startswith("cp ") else setup.variables + one for one in prepared.setup),
    )
    tests = _prefixed(setup.variables, full)
    if tests:
        tests = (" && ".join([*_prefixed(setup.variables, prepared.before_tests), tests[0]]), *tests[1:])
    return Part(
        toolchain=Toolchain("ruby", version, f"ruby:{version}-slim"),
        manager="bundler",
        setup=tuple(filter(None, installs)),
        fast=_prefixed(setup.variables, choose_fast(tree, bundle, groups, question.workflows, trail)),
        full=tests,
        caches=("bundler",),
        apt=_system_packages(tree, bundle, trail),
        steps=_steps(bundle, version, trail),
    )


def _may_be_project(tree: Tree, gemfile: str | None, trail: Trail) -> bool:
    if gemfile is not None:
        return True
    tests = sorted(path for path in tree.paths if path.endswith(("_spec.rb", "_test.rb")))
    at_top = [path for path in tests if path.startswith(("spec/", "test/"))]
    manifests = [path for path in tree.paths if "/" not in path and (path.endswith(".gemspec") or path in RAKEFILES)]
    if at_top and manifests and trail.applies(rules.WITHOUT_GEMFILE):
        trail.note("image", at_top[0], "Ruby tests and no Gemfile", file=at_top[0], by=rules.WITHOUT_GEMFILE)
        return True
    return False


def _is_decoy(tree: Tree, bundle: Bundle, trail: Trail) -> bool:
    """Return whether the Gemfile is for a site's or an app's tools alone."""
    tools = all(name in SITE_TOOLS or name.startswith(SITE_PREFIXES) for name in bundle.named)
    tested = any(path.startswith(("spec/", "test/", "lib/")) and path.endswith(".rb") for path in tree.paths)
    if not bundle.named or not tools or tested or bundle.gemspecs or not trail.applies(rules.DECOY):
        return False
    rule = "seen, not used: its gems are for a site or for tools, and there are no Ruby tests"
    trail.note("image", bundle.gemfile or "", rule, file=bundle.gemfile, by=rules.DECOY)
    return True


def _prefixed(variables: str, commands: Iterable[str]) -> tuple[str, ...]:
    return tuple(variables + command for command in commands)


def _system_packages(tree: Tree, bundle: Bundle, trail: Trail) -> tuple[str, ...]:
    names = bundle.locked or bundle.named
    packages: list[str] = []
    if (names or bundle.gemfile) and trail.applies(rules.COMPILER):
        packages += RUBY_COMPILER
        rule = "Debian packages for gems with an extension in C"
        trail.note("image", " ".join(RUBY_COMPILER), rule, file=bundle.lock or bundle.gemfile, by=rules.COMPILER)
    for name, apt in needed(names, RUBY_NEEDS).items() if trail.applies(rules.NATIVE) else ():
        packages += apt
        rule = f"Debian packages that {name} needs"
        trail.note("image", " ".join(apt), rule, file=bundle.lock or bundle.gemfile, by=rules.NATIVE)
    scripted = "execjs" in names and "package.json" not in tree.paths and "mini_racer" not in names
    if scripted and trail.applies(rules.JAVASCRIPT):
        packages.append("nodejs")
        trail.note("image", "nodejs", "ExecJS runs JavaScript", file=bundle.lock, by=rules.JAVASCRIPT)
    return tuple(dict.fromkeys(packages))


def _steps(bundle: Bundle, version: str, trail: Trail) -> tuple[str, ...]:
    """Return the command that installs an old lock's Bundler, since old Rubies do not fetch it themselves."""
    said = bundle.bundler
    if said is None or tuple(map(int, version.partition("-")[0].split(".")[:2])) >= (3, 1):
        return ()
    if not trail.applies(rules.OLD_BUNDLER):
        return ()
    trail.note("image", f"Bundler {said.text}", "the lock's own", file=said.file, line=said.line, by=rules.OLD_BUNDLER)
    return (f"gem install bundler --version {said.text} --no-document",)


ECOSYSTEM = Ecosystem(
    name="ruby",
    managers=("bundler",),
    words=frozenset({"ruby", "bundle", "bundler", "gem", "rake", "rspec", "rubocop", "standardrb"}),
    portable=False,
    looked_for="Gemfile, gems.rb, gemspecs and Rakefiles with tests",
    reads=reads,
    infer=infer,
    rules=rules_in(rules),
)
