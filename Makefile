# Needs python3 (3.11 or newer), make and a package index that pip can reach; nothing else.
# `make help` lists the commands.

PYTHON ?= python3
VENV   ?= .venv
HOST   ?= 127.0.0.1
PORT   ?= 8000
ARGS   ?=

LOCK ?= requirements/dev.lock
BIN  := $(VENV)/bin

# The environment is ready when it holds a file named after what it was made from: this folder, the project's
# declarations and the lock. Touching a file changes nothing; changing its content sets the environment up again.
KEY   := $(shell { pwd; cat pyproject.toml $(LOCK); } | cksum | tr ' ' '-')
READY := $(VENV)/ready-$(KEY)

.DEFAULT_GOAL := help
.PHONY: help setup run test check lowest pythons rooms format lint types layers bench servers peers differential ecosystem lock clean

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

# The rooms that touch what other libraries keep private, and annotations, which each Python reads in its own way.
ROOMS := tests/foreign tests/sockets tests/server tests/telemetry tests/middleware/test_http.py \
	tests/engine/runtime/test_pool.py tests/engine/runtime/test_threads.py tests/app tests/engine/entry \
	tests/links/test_websocket.py tests/links/test_delivery.py tests/links/test_inbound.py \
	tests/bots/nonebot/test_websocket_client.py tests/bots/nonebot/test_server.py \
	tests/differential/test_aliases.py tests/differential/test_annotations.py

rooms: $(READY)
	@$(BIN)/python -m pytest -q $(ROOMS) $(ARGS)

lowest: ## the tests of the rooms that touch other libraries, with the oldest releases that are declared
	@$(MAKE) --no-print-directory rooms VENV=.venv-lowest LOCK=requirements/lowest.txt

pythons: ## the same tests on Python 3.12 and 3.13, where they are on PATH or in pyenv
	@for name in python3.12 python3.13; do \
		found=; \
		for each in $$name "$${PYENV_ROOT:-$$HOME/.pyenv}"/versions/*/bin/$$name; do \
			if "$$each" -c pass 2>/dev/null; then found=$$each; fi; \
		done; \
		if [ -z "$$found" ]; then echo "$$name is not here: its tests are left out"; continue; fi; \
		$(MAKE) --no-print-directory rooms PYTHON="$$found" VENV=.venv-$$name || exit 1; \
	done

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

servers: $(READY)
	@$(BIN)/python -m benchmarks.servers $(ARGS)

peers: ## measure whole servers beside those of other frameworks, in an environment of its own (ARGS="--only item")
	@$(MAKE) --no-print-directory servers VENV=.venv-peers LOCK=requirements/peers.lock \
		ARGS="--json benchmarks/results/peers.json $(ARGS)"

differential: $(READY) ## search for differences from FastAPI (ARGS="--requests 50000 --seed 2 --processes 2")
	@$(BIN)/python -m tests.differential $(ARGS)

ecosystem: $(READY) ## run packages that live on FastAPI with slipstream in its place (long; ARGS="-k cadwyn --why")
	@$(BIN)/python -m pip install -qq uv
	@$(BIN)/python -m tests.ecosystem $(ARGS)

lock: $(READY) ## resolve the dependencies anew into requirements/ (ARGS=--upgrade for newer releases)
	@$(BIN)/python -m pip install -qq uv
	@$(BIN)/uv pip compile pyproject.toml --all-extras --group dev --universal --python-version 3.11 \
		--generate-hashes --no-header --quiet --output-file requirements/dev.lock $(ARGS)
	@cp requirements/dev.lock requirements/peers.lock
	@$(BIN)/uv pip compile pyproject.toml --all-extras --group peers --universal --python-version 3.11 \
		--generate-hashes --no-header --quiet --output-file requirements/peers.lock
	@$(BIN)/uv pip compile pyproject.toml --all-extras --python-version 3.11 --resolution lowest-direct \
		--no-header --no-annotate --quiet --output-file requirements/lowest-direct.txt
	@$(BIN)/uv pip compile pyproject.toml --all-extras --group build --group test --python-version 3.11 \
		--constraint requirements/lowest-direct.txt --generate-hashes --no-header --quiet --upgrade \
		--output-file requirements/lowest.txt
	@rm requirements/lowest-direct.txt

clean: ## remove the virtual environment and every cache
	@rm -rf $(VENV) .venv-lowest .venv-peers .venv-python3.* .ecosystem .mypy_cache .ruff_cache .pytest_cache .hypothesis
	@rm -rf .import_linter_cache .coverage* build dist
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
