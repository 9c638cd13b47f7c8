"""The repositories that are measured: hints of all kinds, and as many files as asked for."""

from __future__ import annotations

import subprocess
from pathlib import Path

FILES = {
    "pyproject.toml": """[project]
name = "shop"
version = "1"
requires-python = ">=3.11"
dependencies = ["aiohttp", "psycopg2"]
[project.optional-dependencies]
test = ["pytest", "pytest-cov"]
lint = ["ruff", "mypy"]
[tool.ruff]
line-length = 100
[tool.mypy]
strict = true
[tool.pytest.ini_options]
testpaths = ["tests"]
""",
    "package.json": '{"name": "pages", "scripts": {"lint": "eslint .", "build": "vite build"}}',
    "tox.ini": "[tox]\nenvlist = py311,py312\n[testenv]\ncommands = pytest {posargs}\n",
    "Makefile": "test:\n\tpytest\nlint:\n\truff check .\n",
    ".pre-commit-config.yaml": "repos:\n- repo: https://github.com/astral-sh/ruff-pre-commit\n  rev: v0.12.1\n",
}
WORKFLOW = """name: {name}
on: [push, pull_request]
jobs:
  test:
    runs-on: ubuntu-latest
    strategy:
      matrix:
        python-version: ["3.11", "3.12", "3.13"]
    steps:
      - uses: actions/checkout@v4
      - uses: actions/setup-python@v5
        with:
          python-version: ${{{{ matrix.python-version }}}}
      - run: pip install -e .[test,lint]
      - run: ruff check .
      - run: pytest tests
"""


def commit(repository: Path, files: int) -> str:
    """Make a repository of so many files. Returns its commit's SHA."""
    repository.mkdir()
    texts = dict(FILES)
    texts |= {f".github/workflows/{name}.yml": WORKFLOW.format(name=name) for name in ("ci", "lint", "nightly")}
    for number in range(files - len(texts)):
        kind = ("src/shop/part{0}/module{1}.py", "tests/part{0}/test_{1}.py", "pages/part{0}/view{1}.ts")[number % 3]
        texts[kind.format(number // 100, number)] = f"# {number}\n"
    for path, text in texts.items():
        (repository / path).parent.mkdir(parents=True, exist_ok=True)
        (repository / path).write_text(text)
    identity = ["-c", "user.name=bench", "-c", "user.email=bench@example.com"]
    for command in (["init", "--quiet"], ["add", "--all"], [*identity, "commit", "--quiet", "--message", "bench"]):
        subprocess.run(["git", *command], cwd=repository, check=True)
    found = subprocess.run(["git", "rev-parse", "HEAD"], cwd=repository, check=True, capture_output=True, text=True)
    return found.stdout.strip()
