# Needs python3 (3.11 or newer), make and a package index that pip can reach; nothing else.
# `make help` lists the commands.

PYTHON ?= python3
VENV   ?= .venv
HOST   ?= 127.0.0.1
PORT   ?= 8000
ARGS   ?=

LOCK := requirements/dev.lock
BIN  := $(VENV)/bin

# The environment is ready when it holds a file named after what it was made from: this folder, the project's
# declarations and the lock. Touching a file changes nothing; changing its content sets the environment up again.
KEY   := $(shell { pwd; cat pyproject.toml $(LOCK); } | cksum | tr ' ' '-')
READY := $(VENV)/ready-$(KEY)

.DEFAULT_GOAL := help
.PHONY: help setup run test check format lint types layers bench ecosystem lock clean

help: ## list the commands
	@grep -E '^[a-z]+:.*## ' Makefile | sed -E 's/:.*## /\t/' | while IFS="$$(printf '\t')" read -r name text; do \
		printf '  make %-9s %s\n' "$$name" "$$text"; done

setup: $(READY) ## make the virtual environment and install the locked dependencies

$(READY):
	@$(PYTHON) scripts/bootstrap.py $(VENV) $(LOCK) $(READY)

run: $(READY) ## serve the tour application on http://127.0.0.1:8000 (HOST=, PORT=)
	@$(BIN)/python -m slipstream run examples/tour/main.py --host $(HOST) --port $(PORT) $(ARGS)

test: $(READY) ## run every test (ARGS="-k name" runs some)
	@sh scripts/ensure_chromium.sh
	@$(BIN)/python -m pytest $(ARGS)

check: lint types layers test ## what must be green before a commit: format, lint, types, layers, tests

format: $(READY) ## format the code and repair what the linter can
	@$(BIN)/ruff check --fix-only --quiet .
	@$(BIN)/ruff format .

lint: $(READY) ## check format and lint
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .

types: $(READY) ## mypy --strict
	@$(BIN)/mypy --strict

layers: $(READY) ## the contracts of .importlinter: who may import whom
	@$(BIN)/lint-imports

bench: $(READY) ## measure slipstream beside FastAPI (ARGS=... go to the benchmark)
	@$(BIN)/python -m benchmarks $(ARGS)

ecosystem: $(READY) ## run packages that live on FastAPI with slipstream in its place (long; ARGS="-k cadwyn --why")
	@$(BIN)/python -m pip install -qq uv
	@$(BIN)/python -m tests.ecosystem $(ARGS)

lock: $(READY) ## resolve the dependencies anew into requirements/dev.lock (ARGS=--upgrade for newer releases)
	@$(BIN)/python -m pip install -qq uv
	@$(BIN)/uv pip compile pyproject.toml --all-extras --group dev --universal --python-version 3.11 \
		--generate-hashes --no-header --quiet --output-file $(LOCK) $(ARGS)

clean: ## remove the virtual environment and every cache
	@rm -rf $(VENV) .ecosystem .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage* build dist
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
