# Everything is installed into .venv and node_modules from the pinned, hashed locks.

PYTHON ?= python3
BIN := .venv/bin
UV := $(BIN)/uv
INTO := --quiet --python $(BIN)/python
LOCK := $(UV) pip compile --quiet --upgrade --generate-hashes --no-emit-index-url --universal \
	--python-version 3.11 --custom-compile-command 'make lock'

.DEFAULT_GOAL := help
.PHONY: help setup run browser test check soak lock bench clean

help:  ## say what each target does
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' Makefile | expand -t 16

setup: .venv/.installed node_modules/.installed  ## .venv, the test tools, a local EVM node

$(UV): requirements/uv.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo 'Python 3.11 or newer is needed; name one: make PYTHON=python3.11' >&2; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

.venv/.installed: requirements/test.txt pyproject.toml $(UV)
	$(UV) pip install $(INTO) --require-hashes -r $<
	$(UV) pip install $(INTO) --no-deps --no-build-isolation --editable .
	@touch $@

node_modules/.installed: package-lock.json
	npm ci --ignore-scripts --loglevel=error
	@touch $@

run: setup  ## a sandbox in .local/: made-up money on three networks; Ctrl-C ends it
	@exec $(BIN)/deposit-watcher --config .local/watcher.toml run --sandbox $(ARGS)

browser:
	@.ci/browser

test: setup browser  ## every test: real EVM node, both databases, real browser
	$(BIN)/python -m pytest -n 2 $(ARGS)

check: setup  ## format, lint, types, migrations
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/python -m storage check

soak: setup  ## payments, reorgs, faults and kills by chance, then 1,000 events and 10,000 invoices; an hour at most
	$(BIN)/python -m tests.soak $(ARGS)

lock: $(UV)  ## resolve the dependencies anew
	$(LOCK) pyproject.toml -o requirements/run.txt
	$(LOCK) pyproject.toml --group test -o requirements/test.txt
	echo 'uv' | $(LOCK) - -o requirements/uv.txt

bench: setup  ## the measurements of benchmarks/, one after the other
	@broken=; for each in benchmarks/*.py; do echo "== $$each"; \
		$(BIN)/python -m "benchmarks.$$(basename "$$each" .py)" || broken="$$broken $$each"; done; \
		test -z "$$broken" || { echo "failed:$$broken" >&2; exit 1; }

clean:  ## what was made here, but not the databases of `make run`
	rm -rf .venv node_modules build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
