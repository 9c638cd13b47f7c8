# Works with GNU make 3.81 (macOS) and newer. Each target makes what it needs; `make` alone lists them.
SHELL := /bin/bash
PY := .venv/bin/python
KEEP ?=
TESTS ?=
CHAOS ?=
SMOKE ?=
FAST := not (engine or services or scenario or hostile or chaos or repair or browser or real)

# What the demo and the tests stand on: pulled, or made here where there is no image registry.
IMAGES := busybox debian:bookworm-slim python:3.13-slim python:3.11-slim node:22-slim

# A recipe that starts with this finds the engine and its `docker` command.
ENGINE_ENV = eval "$$("$$(tools/python.sh)" tools/engine.py env)"

.DEFAULT_GOAL := help
.PHONY: help demo test check bench chaos smoke clean engine images venv host release

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' Makefile

demo: venv images ## show the product at work on a sample repository (KEEP=1 leaves it up)
	@echo "== demo"
	@$(ENGINE_ENV) && KEEP=$(KEEP) $(PY) -m tests.demo

test: venv images ## all tests, on a real engine (TESTS="-m engine" and the like choose some)
	@echo "== tests"
	@$(ENGINE_ENV) && $(PY) -m $(if $(TESTS),pytest $(TESTS),tests)

check: venv ## lint, format, types, import contracts, and the tests that start no engine or server
	@echo "== ruff" && $(PY) -m ruff check . && $(PY) -m ruff format --check .
	@echo "== mypy" && $(PY) -m mypy
	@echo "== import contracts" && .venv/bin/lint-imports
	@echo "== fast tests" && $(PY) -m pytest -m "$(FAST)"

bench: venv images ## the figures of docs/performance.md, measured now
	@echo "== bench"
	@$(ENGINE_ENV) && $(PY) -m bench

chaos: venv images ## every fault that must lose nothing, provoked ten times each, in about 40 minutes (CHAOS="--each 3")
	@echo "== chaos"
	@$(ENGINE_ENV) && $(PY) -m tests.chaos $(CHAOS)

smoke: venv images ## the composed product by the README's lines, through crashes, cuts, power loss and upgrade
	@echo "== smoke"
	@$(ENGINE_ENV) && $(PY) -m tests.smoke $(SMOKE)

release: venv ## what a release consists of, into dist/VERSION; uploads nothing (docs/development.md)
	@echo "== release"
	@$(PY) -m tools.release

clean: ## remove the environment, the engine started here, our containers, images, volumes and caches
	@echo "== clean"
	@"$$(tools/python.sh)" tools/clean.py
	@rm -rf .venv

engine: host ## find or start a Docker engine
	@echo "== engine"
	@"$$(tools/python.sh)" tools/engine.py up > /dev/null

images: venv engine ## make the base images present
	@echo "== base images"
	@$(ENGINE_ENV) && $(PY) -m tests.images ensure $(IMAGES)

venv: host ## make the virtual environment
	@echo "== virtual environment"
	@"$$(tools/python.sh)" tools/venv.py

host:
	@"$$(tools/python.sh)" tools/host.py ensure
