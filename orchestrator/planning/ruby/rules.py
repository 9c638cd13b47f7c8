"""The rules of Ruby repositories."""

from __future__ import annotations

from orchestrator.planning.rule import Rule

GEMFILE = Rule("ruby.project.gemfile", "A `Gemfile` or `gems.rb` makes a Ruby project.")
DECOY = Rule(
    "ruby.project.decoy",
    "A Gemfile of nothing but tools for sites and apps (Jekyll, fastlane, CocoaPods) and no tests is no Ruby project.",
)
WITHOUT_GEMFILE = Rule(
    "ruby.project.without-gemfile", "Ruby tests without a Gemfile are run with the image's own gems."
)
RUBY_VERSION_FILE = Rule("ruby.version.ruby-version", "`.ruby-version` names the Ruby exactly.")
TOOL_FILES = Rule("ruby.version.tool-files", "`.tool-versions` and `mise.toml` name the Ruby exactly.")
GEMFILE_RUBY = Rule("ruby.version.gemfile", "`ruby` in the Gemfile allows a range of Rubies, or names one.")
GEMFILE_FILE = Rule("ruby.version.gemfile-file", "`ruby file:` in the Gemfile names a file that must be there.")
GEMSPEC_RUBY = Rule("ruby.version.gemspec", "`required_ruby_version` of a gemspec is a range for the gem's users.")
LOCK_RUBY = Rule("ruby.version.lock", "The lock's `RUBY VERSION` is the Ruby that it was made with.")
WORKFLOW_RUBY = Rule(
    "ruby.version.workflow", "Of the Rubies that a range allows, those that workflows test with come first."
)
OTHER_ENGINE = Rule("ruby.version.engine", "JRuby and TruffleRuby are not supported, and the commit is refused.")
BUNDLE_GEMFILE = Rule(
    "ruby.manager.bundle-gemfile", "`BUNDLE_GEMFILE` of a workflow names the Gemfile where there is none at the top."
)
GEMFILES_FOLDER = Rule("ruby.manager.gemfiles-folder", "Without any other Gemfile the last one in `gemfiles/` is used.")
FROZEN = Rule("ruby.setup.frozen", "A committed lock decides the versions, and the install fails where it is outdated.")
LOCK_PLATFORMS = Rule(
    "ruby.setup.lock-platforms", "A lock that was made for other platforms only cannot be frozen: Linux is added to it."
)
CONFLICT = Rule("ruby.setup.conflict", "A lock with a merge conflict in it is refused.")
OPTIONAL_GROUP = Rule(
    "ruby.setup.optional-group", "Gems of an optional group are not installed, unless a workflow sets `BUNDLE_WITH`."
)
COMPILE = Rule("ruby.setup.compile", "Where workflows run `rake compile`, the extension is compiled before the checks.")
COPIED_FILES = Rule(
    "ruby.setup.copied-files",
    "Files of the repository that the workflow copies into place before the tests (`cp config/database.yml.ci "
    "config/database.yml`) are copied by the setup, where the commit has none.",
)
DATABASE = Rule(
    "ruby.setup.database",
    "The setup makes the database as the workflow does before the tests (`db:schema:load`, `db:prepare`...), where it "
    "is a file of SQLite.",
)
ADD_RSPEC = Rule("ruby.setup.rspec", "Specs without a Gemfile get RSpec installed.")
GEMSPEC_GEMS = Rule(
    "ruby.setup.gemspec", "Without any Gemfile the gems that the gemspec names are installed, by their requirements."
)
RUBOCOP = Rule("ruby.fast.rubocop", "`.rubocop.yml` is run by RuboCop where the bundle has it.")
STANDARD = Rule("ruby.fast.standard", "Standard is run where the bundle has it and no `.rubocop.yml` takes its place.")
WORKFLOW_LINT = Rule(
    "ruby.fast.workflow", "A workflow's call of a linter of the bundle decides its flags; only there others are run."
)
WORKFLOW_TESTS = Rule(
    "ruby.full.workflow",
    "The workflow's rspec, rake, rails or ruby command runs the tests, without reports and browsers.",
)
PREPARED = Rule(
    "ruby.full.prepared",
    "A Rake task such as `setup` or `test_app` that the workflow runs before the tests runs in front of them.",
)
RSPEC = Rule("ruby.full.rspec", "`_spec.rb` files are run by RSpec where the bundle has it.")
RAILS = Rule("ruby.full.rails", "The tests of a Rails application are run by `bin/rails test`.")
RAKE = Rule("ruby.full.rake", "Test files are run by the Rakefile's test task.")
TEST_FILES = Rule("ruby.full.test-files", "Test files without a task are loaded by Ruby itself.")
COMPILER = Rule("ruby.image.compiler", "Gems may have extensions in C, so a bundle gets a compiler.")
NATIVE = Rule("ruby.image.native", "Gems that bind to C libraries get these as Debian packages.")
OLD_BUNDLER = Rule(
    "ruby.image.bundler", "Rubies before 3.1 get the lock's own Bundler; later ones fetch it themselves."
)
JAVASCRIPT = Rule("ruby.image.javascript", "ExecJS without a package.json gets Debian's Node to run its scripts.")
