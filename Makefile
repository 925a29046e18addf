# The two commands of the README, and all that CI does.
# Everything installs into .venv from the lock files; the only needs are Python >= 3.11 and git.

# The first interpreter that starts and is new enough (a pyenv shim may exist and still not start).
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
# Tests wait for servers, browsers and commands a good part of their time: one more at once than there are processors.
WORKERS ?= $(shell $(PYTHON) -c 'import os; print((os.cpu_count() or 1) + 1)' 2>/dev/null || echo 2)

# Keep what Python compiles also where the environment says not to (images do): each worker of the tests, and
# each command and server that they start, would compile all of it again.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help run dashboard wheel binary test check format lock docs hostile security fuzz fuzz-traces page heartbeats screenshots load slow soak busy bench kill faults clean hosts

help: ## Show the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

.stamps/runtime: requirements/runtime.txt setup.cfg
	@test -n "$(PYTHON)" || { echo "Hefesto needs Python 3.11 or newer: install it, or run make PYTHON=/path/to/python3.11"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/runtime.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@mkdir -p .stamps && touch $@

.stamps/dev: .stamps/runtime requirements/dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@mkdir -p .stamps && touch $@

PAGE := dashboard/build.sh dashboard/build.mjs dashboard/package-lock.json $(wildcard dashboard/src/* dashboard/src/*/*)

# Where nothing can be fetched, the script says so and leaves no stamp: the service has a plain page instead.
.stamps/dashboard: .stamps/runtime $(PAGE)
	sh dashboard/build.sh $(BIN)/python $@

# With what the tests of the page need, and with its types looked at.
.stamps/dashboard-dev: .stamps/dashboard $(PAGE)
	sh dashboard/build.sh $(BIN)/python $@ check

dashboard: .stamps/dashboard ## Build the page at /dashboard (with Node.js, or with one from PyPI)
	@test -f .stamps/dashboard

# What is built is the same for the same commit: no file tells when or where.
export SOURCE_DATE_EPOCH ?= $(shell git log -1 --format=%ct 2>/dev/null || echo 315532800)

wheel: .stamps/dashboard ## Build dist/*.whl and dist/*.tar.gz, with the page inside
	@test -f .stamps/dashboard || { echo "The page is missing: a wheel without it is not for others."; exit 1; }
	$(PYTHON) -m venv --clear build/wheel
	build/wheel/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/build.txt
	build/wheel/bin/python -m build --no-isolation --outdir dist .

binary: .stamps/dashboard ## Build dist/hefesto: one file, which needs no Python
	sh deploy/binary/build.sh "$(PYTHON)"

run: .stamps/runtime .stamps/dashboard ## Set up and serve on http://127.0.0.1:8080, on SQLite
	$(BIN)/hefesto serve

test: .stamps/dev .stamps/dashboard-dev ## Set up and run the tests
	$(BIN)/python -m pytest -n $(WORKERS)

format: .stamps/dev ## Format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix-only --quiet .

check: .stamps/dev .stamps/dashboard-dev ## All of CI, in order of speed
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports
	$(BIN)/mypy
	$(BIN)/python -m pytest -n $(WORKERS)

coverage: .stamps/dev .stamps/dashboard-dev ## Run the tests and tell which lines they pass (a third slower)
	$(BIN)/python -m pytest -n $(WORKERS) --cov --cov-report= --cov-fail-under=0
	$(BIN)/coverage report --fail-under=90

docs: .stamps/dev ## Write the generated pages of the documentation anew
	$(BIN)/python docs/generate.py

hostile: .stamps/dev ## The hostile trees at full size (100,000 files, longer races)
	HEFESTO_TEST_BIG=1 $(BIN)/python -m pytest tests/hostile -p no:randomly --timeout=900

security: .stamps/dev ## Measure all that is promised about access: tokens, limits, audit, secrets, the matrix (an hour; QUICK=--quick for minutes)
	$(BIN)/python -m benchmarks.security $(QUICK)

kill: .stamps/dev ## Kill the service 30 times while it analyses; nothing may be lost, doubled or stuck
	$(BIN)/python -m benchmarks.kill

hosts: .stamps/dev ## Three hosts on PostgreSQL, Redis and Celery: growth, kills, restarts (as root; QUICK=--quick for minutes)
	$(BIN)/python -m benchmarks.hosts $(QUICK)

fuzz: .stamps/dev ## Fuzz every operation of the running service: 10,000 cases, every check, hostile bytes
	$(BIN)/python -m benchmarks.fuzz --cases 10000

fuzz-traces: .stamps/dev ## Fuzz the reading of stack traces: five million texts (an hour), the worst repeated to 256 KB
	$(BIN)/python -m benchmarks.traces --inputs 5000000

page: .stamps/dev .stamps/dashboard-dev ## Load every page of the dashboard in Chromium, on Django and stack traces (minutes)
	$(BIN)/python -m benchmarks.page

heartbeats: .stamps/dev ## Hold the live feed open through nginx for three minutes
	$(BIN)/python -m benchmarks.heartbeats

screenshots: .stamps/dev .stamps/dashboard-dev ## Take the readme's pictures of the dashboard anew (with Chromium)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r benchmarks/screenshots.txt
	$(BIN)/python -m benchmarks.screenshots

load: .stamps/dev ## Load by locust and others: a hundred users, storms, batches, 1,000 reads a second (SECONDS=300 as promised)
	$(BIN)/python -m benchmarks.load --seconds $(or $(SECONDS),60)

slow: .stamps/dev ## A thousand slow clients in every mode of slowhttptest, with and without nginx
	$(BIN)/python -m benchmarks.slow_clients

soak: .stamps/dev ## Half load for an hour (MINUTES=60): memory, threads, files and the log must stay flat
	$(BIN)/python -m benchmarks.soak --minutes $(or $(MINUTES),60)

busy: .stamps/dev ## Ask for ten analyses of Django at once; /health must stay under 50 ms
	$(BIN)/python -m benchmarks.serving_load

bench: .stamps/dev ## Compare the analysis with other tools, whole processes (minutes)
	$(BIN)/python -m benchmarks.analysis

lock: ## Renew the lock files (needs uv)
	uv pip compile setup.cfg --universal --python-version 3.11 --extra postgres --extra redis --generate-hashes --no-emit-index-url --no-emit-find-links --no-header --upgrade --quiet -o requirements/runtime.txt
	uv pip compile requirements/build.in --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-header --upgrade --quiet -o requirements/build.txt
	uv pip compile requirements/binary.in --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-header --upgrade --quiet -o requirements/binary.txt
	uv pip compile setup.cfg --universal --python-version 3.11 --extra dev --generate-hashes --no-emit-index-url --no-emit-find-links --no-header --upgrade --quiet -c requirements/runtime.txt -o requirements/dev.txt

faults: .stamps/dev ## Plant hard faults under the running service: full disk, read-only, damaged page, clock (needs root)
	$(BIN)/python -m benchmarks.faults

clean: ## Remove what was built (never instance/)
	rm -rf $(VENV) .stamps dashboard/node_modules hefesto_api/web/pages/app build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .coverage*
