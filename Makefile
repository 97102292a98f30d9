# The commands of a checkout. `make help` lists them; everything happens inside .venv and outside nothing is changed,
# but for `make test`, `make cluster-up` and `make demo`, which start a cluster of their own (as root, on Linux).

PYTHON ?= python3
VENV := .venv
RUN := PYTHONPATH=tests:. $(VENV)/bin/python
PURE := -m "not api and not e2e and not servers and not stores and not bench"

.DEFAULT_GOAL := help
.PHONY: help lint test-fast test bench-decisions bench-cost bench-instrument bench-fetch crds docs constraints kubeconfig cluster-up cluster-down demo demo-down
.SUFFIXES:

help: ## List these commands
	@awk -F ':.*## ' '/^[a-z.-]+:.*## / {printf "  make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo
	@echo '  PYTHON=python3.12    which Python (3.11 or newer) makes $(VENV)'
	@echo '  ARGS="-k promote"    more arguments for pytest, or for the demo'
	@echo '  CLUSTER=current      test and demo use the cluster of your kubeconfig, after asking (YES=1: without)'
	@echo '  KEEP=1               make test leaves the cluster running that it started'

.venv: $(VENV)/.complete ## Create or refresh the virtual environment from the pinned, hashed dependencies

$(VENV)/.complete: constraints/dev.txt pyproject.toml .ci/venv
	@.ci/venv "$(PYTHON)" "$(VENV)"
	@touch $@

# Without ruff's cache: whether an import counts as our own depends on files beside the one that is cached.
lint: .venv ## Check style, types and the import law
	@$(VENV)/bin/ruff check --quiet --no-cache
	@$(VENV)/bin/ruff format --check --quiet
	@$(VENV)/bin/mypy --no-error-summary
	@$(VENV)/bin/lint-imports --no-logo

test-fast: lint ## Run lint and every test that needs no cluster (under a minute)
	@$(RUN) -m pytest -q -n 2 --dist worksteal $(PURE) $(ARGS)

test: lint ## Run everything, on a real cluster where one can be had
	@$(RUN) -u tests/run.py $(ARGS)

bench-decisions: .venv ## Compare our verdicts with those of other tools (FULL=1: all cells, about 35 min)
	@$(RUN) -m benchmarks.decisions $(if $(FULL),full --minutes 35,quick) $(ARGS)

bench-cost: .venv ## Measure what a tick of the judge costs
	@$(RUN) -m benchmarks.cost $(ARGS)

bench-instrument: .venv ## Measure what counting costs a prediction
	@PYTHONPATH=instrument:tests:. $(VENV)/bin/python -m benchmarks.instrument $(ARGS)

bench-fetch: .venv ## Measure how fast a model is fetched, and with how much memory
	@$(RUN) -m benchmarks.fetch $(ARGS)

crds: .venv ## Write crds/ from the models in operator/serinus/api
	@$(RUN) -m serinus.api.crd crds/

docs: .venv ## Write the generated parts of docs/
	@$(RUN) docs/generate.py

constraints: ## Resolve the dependencies anew and pin them with hashes
	@.ci/constraints "$(PYTHON)"

cluster-up: .venv ## Start the test cluster (builds it the first time)
	@$(RUN) -m cluster up

cluster-down: .venv ## Stop the test cluster and leave nothing behind
	@$(RUN) -m cluster down

kubeconfig: .venv ## Print the path of the test cluster's kubeconfig
	@$(RUN) -m cluster kubeconfig

demo: .venv ## Watch a good model being promoted and a bad one rolled back
	@$(RUN) -m demo $(ARGS)

demo-down: .venv ## Remove the demo and its cluster
	@$(RUN) -m demo down
