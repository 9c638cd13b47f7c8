"""The variables that workflows set for their commands, and which of them a command may need elsewhere."""

from __future__ import annotations

import re
from collections.abc import Mapping

from orchestrator.planning.documents import Document, table
from orchestrator.planning.folder_path import WORKSPACE
from orchestrator.planning.workflows.expressions import Scope, interpolated

MAX_ENV = 10
ENV_VALUE = re.compile(r"[A-Za-z0-9 ._/:=,@+-]{1,100}")
ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,60}")
ENV_OF_CI = re.compile(
    r"(?:CI|TERM|FORCE_COLOR|NO_COLOR|PY_COLORS|CLICOLOR.*|CARGO_TERM_.*|CARGO_INCREMENTAL|PIP_.*|UV_.*|POETRY_.*"
    r"|(?:GITHUB|RUNNER|ACTIONS|COVERALLS|CODECOV|CC|NODE_AUTH|TURBO|NX|SCCACHE|RUSTC_WRAPPER|npm_config)_?.*"
    r"|.*(?:TOKEN|SECRET|PASSWORD|CACHE|API_KEY|ACCESS_KEY|USERNAME).*|PATH|HOME|SHELL|BASH_ENV|LD_.*)",
    re.IGNORECASE,
)


def set_env(holder: Document, scope: Scope) -> dict[str, str]:
    """Return the variables that an `env:` sets, those too whose values cannot be told (as `UNTOLD`)."""
    items = list(table(holder, "env").items())[:50]
    return {str(name): interpolated(value[:500], scope) for name, value in items if isinstance(value, str)}


def kept_env(env: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that a command may need here: plain ones, and none that only CI knows."""
    kept = {
        name: value
        for name, value in env.items()
        if ENV_NAME.fullmatch(name)
        and ENV_VALUE.fullmatch(value)
        and not ENV_OF_CI.fullmatch(name)
        and WORKSPACE not in value
    }
    return dict(list(kept.items())[:MAX_ENV])
