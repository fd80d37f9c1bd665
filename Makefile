# Every target sets up .venv first, if need be; `make help` lists them.

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
ARGS ?=
WORKERS ?= auto

export PYTHON

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-slow coverage lint types format docs docs-serve constraints clients clean

help: ## show this
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo "  make bench-NAME       run experiments/benchmarks/NAME.py (overview, …)"

setup: $(READY) ## make or mend the environment in .venv

$(READY): pyproject.toml constraints.txt scripts/setup scripts/find-python
	@scripts/setup
	@touch $@

demo: $(READY) ## run the main job on a real scene; products in demo/ (ARGS='--help' for options)
	$(BIN)/sscl-geo demo $(ARGS)

test: lint types ## lint, types and all quick tests
	$(BIN)/python -m pytest -n $(WORKERS) -m "not slow" $(ARGS)

test-slow: $(READY) ## the tests that take more than about ten seconds each
	$(BIN)/python -m pytest -m slow $(ARGS)

coverage: $(READY) ## quick tests with a report of the lines they do not reach
	$(BIN)/python -m pytest -n $(WORKERS) -m "not slow" --cov --cov-report=term-missing:skip-covered

lint: $(READY) ## style
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: $(READY) ## type check
	$(BIN)/ty check

format: $(READY) ## bring the code into shape
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

docs: $(READY) ## build the site in site/
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

docs-serve: $(READY) ## show the site while writing it
	$(BIN)/mkdocs serve

bench-%: $(READY)
	$(BIN)/python -m experiments.benchmarks.$* $(ARGS)

constraints: $(READY) ## choose the newest versions and write them to constraints.txt
	$(BIN)/uv pip compile --universal --upgrade --group dev --no-header --no-annotate \
		--quiet pyproject.toml scripts/tools.in -o constraints.txt

clients: $(READY) ## give a map to QGIS, GDAL, Chromium and nginx where they are installed
	$(BIN)/python -m experiments.clients $(ARGS)

clean: ## remove what can be made again, except .venv
	rm -rf site build dist .pytest_cache .ruff_cache .hypothesis .coverage* htmlcov
