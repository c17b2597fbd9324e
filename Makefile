# Tremplin. `make` alone lists the targets.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

BIN := .venv/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)
PYTEST := $(BIN)/pytest -q -p no:cacheprovider

.PHONY: help run run-clean test lint format build bench clean setup-run setup-test translations \
	front payload msi suite-fast suite-lab lock

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: setup-run translations front payload ## Start a server and deploy a Jump Client on this machine
	@docs/quickstart/run up

run-clean: ## Remove what `make run` made, on both sides, and stop the server
	@docs/quickstart/run down

test: setup-test ## Lint and every test, side by side
	@$(MAKE) -j3 translations front payload
	@.ci/suites

lint: setup-test ## Check style, types, import contracts, Ansible content and shell scripts
	@.ci/lint

format: setup-test ## Rewrite the Python sources in the house style
	@$(BIN)/ruff format -q . && $(BIN)/ruff check -q --fix .

build: setup-run translations front payload ## Build the pages' scripts and the agent payloads

bench: setup-test payload ## Measure: agents held, reconnects, install to online (prints figures)
	@$(BIN)/python -m tests.bench

msi: setup-test ## Build the Windows installers (MSI, EXE); MSI_OPTIONS go to msi/build.py
	@$(BIN)/python msi/build.py --output .cache/payload $(MSI_OPTIONS)

lock: setup-test ## Resolve the locked requirements anew from setup.cfg
	@.ci/lock

clean: ## Remove what was built and cached here (not .run)
	@rm -rf .cache dist build node_modules server/tremplin_server/console/static/dist \
		.mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	@find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +

setup-run:
	@.ci/setup run

setup-test:
	@.ci/setup test

translations:
	@$(BIN)/pybabel -q compile -d server/tremplin_server/translations 2>&1 | grep -v '^compiling' || true

front:
	@.ci/front

payload:
	@$(BIN)/python agent/build_payload.py --platform all --output .cache/payload
