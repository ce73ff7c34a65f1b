# `make run` and `make test` are all that a fresh machine needs; both begin with `make setup`.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
WORKERS ?= auto

.PHONY: setup compiled run test demo bench soak check lock clean

setup: $(VENV)/.ready

$(VENV)/.ready: requirements-dev.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed, this is " + sys.version.split()[0] if sys.version_info < (3, 11) else 0)'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { echo 'venv is missing: install the package python3-venv'; exit 1; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

# As pip does with what it installs; an editable installation is compiled at each start where Python may not write.
compiled: setup
	@$(BIN)/python -m compileall -q domain projections adapters entrypoints

run: compiled
	$(BIN)/storyledger serve

demo: compiled
	$(BIN)/storyledger demo

# Whatever the environment says, what was compiled is kept: the tests start the service and its children many times.
test soak: export PYTHONDONTWRITEBYTECODE :=

test: compiled
	@./.ci/system-packages
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pytest -n $(WORKERS) --dist worksteal

bench: compiled
	$(BIN)/python -m tests.benchmarks

soak: compiled
	$(BIN)/pytest -m soak

# The locked dependencies, for every Python from 3.11 on and every platform, without addresses: what the service
# needs, and with it what its developers do.
LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	--no-emit-index-url pyproject.toml --extra telemetry

lock: setup
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(LOCK) --output-file requirements.lock
	$(LOCK) --group dev --constraint requirements.lock --output-file requirements-dev.lock

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis
