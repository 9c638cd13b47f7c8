"""The rules of Go repositories."""

from __future__ import annotations

from orchestrator.planning.rule import Rule

MODULE = Rule("go.project.module", "A `go.mod` or a `go.work` makes a Go project; loose `.go` files do not.")
GO_VERSION_FILE = Rule("go.version.go-version", "`.go-version` names the Go exactly.")
TOOL_FILES = Rule("go.version.tool-files", "`.tool-versions` and `mise.toml` name the Go exactly.")
TOOLCHAIN = Rule("go.version.toolchain", "The `toolchain` line of `go.work` or `go.mod` names the Go exactly.")
WORKFLOW_VERSION = Rule(
    "go.version.workflow",
    "Of the versions that workflows test with: the default, else the newest; never below the floor of `go.mod`.",
)
WORKFLOW_FILE = Rule(
    "go.version.workflow-file", "Where workflows read their Go from `go.mod`, its `go` line is the one to test with."
)
FLOOR = Rule(
    "go.version.floor",
    "The `go` line is a floor for users: the default where that is enough, else the oldest that is.",
)
DOWNLOAD = Rule("go.setup.download", "Modules are downloaded before the checks, so that a missing one fails the setup.")
VENDORED = Rule("go.setup.vendored", "With `vendor/modules.txt` the modules are in the repository: no download.")
VET = Rule("go.fast.vet", "`go vet` checks all packages.")
GOFMT = Rule("go.fast.gofmt", "Formatting is checked where a workflow checks it, vendored files apart.")
GOLANGCI = Rule(
    "go.fast.golangci",
    "golangci-lint runs as the workflow runs it, in place of `go vet`; its configuration alone runs nothing.",
)
GOLANGCI_RELEASE = Rule(
    "go.image.golangci-release",
    "The image gets the golangci-lint that the workflow names, if that is new enough for the plan's Go.",
)
TESTS = Rule("go.full.tests", "`_test.go` files are run by `go test`, those of vendored and nested modules apart.")
WORKSPACE = Rule("go.full.workspace", "`go.work` decides which modules are checked.")
WORKFLOW_TESTS = Rule(
    "go.full.workflow", "The workflow's `go test` decides flags and packages, without coverage, benchmarks and reports."
)
PARTS = Rule(
    "go.full.parts", "Where several commands of workflows test parts of the module, one command tests all of these."
)
MAKE = Rule(
    "go.full.make", "`make test` runs where a workflow runs it and the recipe is `go test` with nothing to install."
)
NATIVE = Rule("go.image.native", "Modules that bind to C libraries get these as Debian packages.")
