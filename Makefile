# The menu. `make` alone prints it; each line after `##` is what a person reads there.
# ARGS goes to the command behind a target: make destroy ARGS="--yes".
.DEFAULT_GOAL := help
SHELL := /bin/sh
python := .venv/bin/python
stackyard := $(python) -m stackyard

# Containers often set it; every process of a pipeline or a test would then compile all that it imports, again and again.
unexport PYTHONDONTWRITEBYTECODE

# Stamps stand in .venv, so that removing it is all it takes to start over.
local := .venv/.installed-local
dev := .venv/.installed-dev
judges := .venv-judges/.installed
sources := pyproject.toml stacks/requirements.txt tools/bootstrap.sh

.PHONY: help up down destroy test check bench ui locks cluster-tools

help:
	@echo "Stackyard: an MLOps stack from one Pulumi program. Usage: make TARGET"
	@echo
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-13s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

up: $(local) ## provision the local environment, train a model on it, write the report
	@$(stackyard) pipelines compile
	@$(stackyard) local up --run-pipelines $(ARGS)

down: $(local) ## stop the local environment; nothing is lost
	@$(stackyard) local down $(ARGS)

destroy: $(local) ## remove the local environment; asks first, keeps data
	@$(stackyard) local destroy $(ARGS)

test: test-default test-local ## run the tests that need only this machine

# Side by side only what starts no servers: those fill both cores by themselves.
test-default: $(dev)
	$(python) -m pytest -n auto --dist worksteal -m "not local and not judges and not cluster and not browser and not loop" $(ARGS)

test-judges: $(dev) $(judges)
	$(python) -m pytest -m judges $(ARGS)

test-%: $(dev)
	$(python) -m pytest -m $* $(ARGS)

# A quarter of an hour on two cores, once; needs Go, and nothing of .venv.
cluster-tools: ## build the real control plane of the cluster tests, once (Go, a quarter of an hour)
	@$(or $(PYTHON),python3) -m tests.cluster.tools.build

check: $(dev) ## lint, format, types, freshness of generated files
	$(python) -m ruff check .
	$(python) -m ruff format --check .
	$(python) -m pyright
	$(python) -m tools.locks --check
	$(python) -m stacks.reference
	$(stackyard) pipelines compile --check
	$(python) -m tools.golden
	$(python) -m tools.iam_table --check
	$(python) -m tools.controls --check
	$(python) -m tools.cost_page

bench: $(dev) ## measure, print a table, write bench.json
	$(python) -m tests.bench $(ARGS)

# The bootstrapped uv comes last on PATH: it only helps where there is no other.
ui: $(local) ## open MLflow on the local environment's models
	@PATH="$$PATH:$(CURDIR)/.stackyard/uv/bin" $(stackyard) ui $(ARGS)

locks: $(dev) ## write the lock files again from pyproject.toml (ARGS=--upgrade for newer versions)
	@PATH="$$PATH:$(CURDIR)/.stackyard/uv/bin" $(python) -m tools.locks $(ARGS)

$(judges): requirements/judges.txt
	@PATH="$$PATH:$(CURDIR)/.stackyard/uv/bin" uv venv --quiet --clear --python $(python) .venv-judges
	@PATH="$$PATH:$(CURDIR)/.stackyard/uv/bin" uv pip install --quiet --python .venv-judges --require-hashes -r $<
	@touch $@

$(local): requirements/local.txt $(sources)
	@PYTHON="$(PYTHON)" tools/bootstrap.sh requirements/local.txt
	@touch $@

# The dev lock holds all that the local one does, at the same versions.
$(dev): requirements/dev.txt $(sources)
	@PYTHON="$(PYTHON)" tools/bootstrap.sh requirements/dev.txt
	@touch $@ $(local)
