# `make` lists the targets. All that they make lies in .venv and .sandbox, and `make clean` removes it.

# The first of these that is new enough; another one: make PYTHON=/path/to/python3 ...
PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11; do \
    $$python -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' 2>/dev/null && echo $$python && break; \
    done)
BIN := .venv/bin
READY := .venv/ready

.PHONY: help demo up down test lint types unit system dag scheduler faults soak reliability conformance fuzz bench audit golden lock clean

help: ## List the targets
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 12

demo: $(READY) ## Carry audit traffic through the real DAG into a stand-in for Segment, and check what arrived
	@$(BIN)/python -m sandbox demo

up: $(READY) ## Leave Airflow and the stand-ins running for a look, with the DAG in the web UI
	@$(BIN)/python -m sandbox up

down: ## Stop what `make up` started
	@test ! -x $(BIN)/python || $(BIN)/python -m sandbox down

test: lint types unit system faults ## Everything a change has to pass

lint: $(READY) ## Style, formatting, and which module may import which
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/lint-imports --no-logo

types: $(READY) ## Static types
	$(BIN)/mypy

unit: $(READY) ## Tests of one module or stage each, properties included
	$(BIN)/pytest -n 2 tests/unit tests/journeys tests/fuzz tests/conformance

system: $(READY) ## Tests of the whole: command line, the DAG, a whole Airflow, other people's clients
	$(BIN)/pytest -n 2 tests/system
	$(MAKE) --jobs=2 dag scheduler

dag: $(READY) ## Tests of the DAG, in a process of Airflow's
	$(BIN)/pytest tests/airflow

scheduler: $(READY) ## Tests of the DAG in a whole Airflow, driven as the web UI drives it
	$(BIN)/pytest tests/scheduler

faults: $(READY) ## Tests of the command line under faults of every kind
	$(BIN)/pytest -n 2 tests/faults

soak: $(READY) ## What takes too long for every change: days that pass, 24-hour backfills, faults at scale
	SEGMENT_BRIDGE_SOAK=1 $(BIN)/pytest tests/scheduler tests/faults

reliability: $(READY) ## Write docs/reliability.md from the figures of the fault suite
	$(BIN)/python -m tests.faults.report

conformance: $(READY) ## Compare retrying with Segment's own SDK, and write docs/conformance.md
	npm ci --prefix tests/conformance/node --ignore-scripts --no-audit --no-fund
	$(BIN)/python -m tests.conformance.report
	$(BIN)/pytest tests/conformance

SECONDS ?= 60
fuzz: $(READY) ## Fuzz, guided by coverage: make fuzz SECONDS=600, for each of four targets
	@test -x .sandbox/fuzzing/bin/python || { $(BIN)/python -m venv .sandbox/fuzzing && .sandbox/fuzzing/bin/pip install --quiet atheris; }
	PYTHONPATH=.:$$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))') \
	    .sandbox/fuzzing/bin/python -m tests.fuzz --seconds $(SECONDS)

audit: ## Look up what is locked among the known vulnerabilities; fails where no database can be reached
	@test -x .sandbox/audit/bin/pip-audit || { $(PYTHON) -m venv .sandbox/audit && .sandbox/audit/bin/pip install --quiet pip-audit; }
	@.sandbox/audit/bin/pip-audit --strict --disable-pip --require-hashes --progress-spinner off --requirement requirements-dev.txt

bench: $(READY) ## Measure against what else one would run, and write docs/performance.md
	$(BIN)/python -m benchmarks --markdown docs/performance.md

golden: $(READY) ## Rewrite the searches that the tests compare with; read the difference before you commit it
	$(BIN)/python -m tests.unit.golden.update

lock: ## Rewrite the locks from pyproject.toml
	$(PYTHON) -m venv .sandbox/lock && .sandbox/lock/bin/pip install --quiet uv
	for file in requirements-dev requirements; do \
	    group=$$(test $$file = requirements || echo --group dev); \
	    constraint=$$(test $$file != requirements || echo --constraint requirements-dev.txt); \
	    UV_CUSTOM_COMPILE_COMMAND="make lock" .sandbox/lock/bin/uv pip compile --quiet --universal --generate-hashes \
	        --python-version 3.11 --no-emit-index-url --no-emit-find-links $$group $$constraint \
	        --extra airflow --output-file $$file.txt pyproject.toml || exit 1; \
	done

clean: down ## Remove everything that was made
	rm -rf .venv .sandbox .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache

$(READY): requirements-dev.txt pyproject.toml
	@test -n "$(PYTHON)" || { echo "There is no Python 3.11, 3.12 or 3.13 here. Debian and Ubuntu: apt-get install python3 python3-venv; Fedora: dnf install python3.12; macOS: brew install python@3.12. Elsewhere: make PYTHON=/path/to/python3"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "$(PYTHON) cannot make virtual environments. Debian and Ubuntu: apt-get install python3-venv"; exit 1; }
	@echo "Setting up .venv (the first time this takes a minute or two) ..."
	@$(PYTHON) -m venv --clear .venv
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements-dev.txt
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@
