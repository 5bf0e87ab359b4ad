PYTHON ?= python3

VENV := .venv
RUN := $(VENV)/bin/python
DEMO := $(VENV)/.demo
PACKAGES := $(VENV)/.installed
PIP := $(RUN) -m pip install --quiet --disable-pip-version-check --no-compile
RUNTIMES := tests/runtimes
NODE_MODULES := $(RUNTIMES)/node_modules/.installed
STUBS := $(VENV)/stubs/.installed
COMPARE := build/compare/.installed

# The tests start Python thousands of times: where the environment says that no compiled module is kept, each start compiles all.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help demo test verify mpy size bench compare dist lint clean node stubs

help: ## This list
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 8

demo: $(DEMO) ## A cluster of MicroPython processes boots, in four seconds; NODES=5 QUORUM=4 LOSS=0.2 SEED=1 change it
	@$(RUN) -m faction_tools.dev.demo $(foreach option,NODES QUORUM LOSS SEED,$(call pass,$(option)))

test: $(PACKAGES) node $(STUBS) ## The one suite, on CPython and on every MicroPython; five minutes
	@$(RUN) -m pytest -n 6 --dist loadscope

verify: $(PACKAGES) ## Every state of small clusters, a formal model, storms of faults, attacks on a key, abuse, frames of every kind, deliberate bugs; three minutes, hours with STORMS=1000000 FULL=1
	@$(RUN) -m faction_tools.dev.verify $(foreach option,STORMS,$(call pass,$(option))) $(if $(FULL),--full)

mpy: $(PACKAGES) ## Compile faction/ to build/mpy/faction
	@$(RUN) -m faction_tools.dev.interpreters

size: $(PACKAGES) node ## Bytes of code and of heap, against their budgets
	@$(RUN) -m faction_tools.dev.size

bench: $(PACKAGES) ## Speed of the machine, against its budgets
	@$(RUN) -m faction_tools.dev.bench

compare: $(PACKAGES) $(COMPARE) ## Beside MQTT and ZooKeeper, on a network that loses packets; on Linux, seven minutes; TRIES=5 changes it
	@$(RUN) -m faction_tools.dev.compare $(call pass,TRIES)

dist: $(PACKAGES) ## The files of a release, in dist/: for boards, for mip, for CPython
	@rm -f dist/faction-*.whl dist/faction-*.tar.gz
	@$(RUN) -m faction_tools.cli dist
	@$(RUN) -m build --no-isolation --outdir dist . >/dev/null
	@ls -1 dist

lint: $(PACKAGES) ## Style and types
	@$(RUN) -m ruff check
	@$(RUN) -m ruff format --check
	@$(RUN) -m mypy

clean: ## Remove everything that was made
	rm -rf build dist $(VENV) $(RUNTIMES)/node_modules *.egg-info .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# $(call pass,NODES) is --nodes=5 where the variable NODES is 5, and nothing where it is not set.
pass = $(if $($(1)),--$(shell echo $(1) | tr A-Z a-z)='$($(1))')

$(DEMO): tools/requirements-demo.txt pyproject.toml
	@echo "set-up: what the demo needs, into $(VENV)"
	@$(PYTHON) -m venv $(VENV)
	@$(PIP) -r tools/requirements-demo.txt
	@$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@

$(PACKAGES): tools/requirements.txt $(DEMO)
	@echo "set-up: Python packages, into $(VENV)"
	@$(PIP) -r tools/requirements.txt
	@touch $@

$(COMPARE): tools/dev/compare/requirements.txt tools/dev/compare/fetch.py
	@echo "set-up: what faction is compared with, into build/compare"
	@$(PYTHON) -m venv build/compare
	@build/compare/bin/python -m pip install --quiet --disable-pip-version-check -r $<
	@build/compare/bin/python -W ignore tools/dev/compare/fetch.py build/compare
	@touch $@

stubs: $(STUBS)

$(STUBS): tests/stubs.txt | $(DEMO)
	@echo "set-up: types of the boards' firmware, into $(VENV)/stubs"
	@rm -rf $(VENV)/stubs
	@grep -v '^#' $< | while read folder packages; do \
	    $(PIP) --no-deps --target $(VENV)/stubs/$$folder $$packages || exit 1; \
	done
	@touch $@

# node runs the 32-bit MicroPython. Without node its tests are skipped, and the report says so.
ifeq ($(and $(shell command -v node 2>/dev/null),$(shell command -v npm 2>/dev/null)),)
node:
	@echo "set-up: node and npm not found; going on without the 32-bit MicroPython"
else
node: $(NODE_MODULES)
endif

$(NODE_MODULES): $(RUNTIMES)/package-lock.json
	@echo "set-up: 32-bit MicroPython, into $(RUNTIMES)/node_modules"
	@cd $(RUNTIMES) && npm ci --silent --no-audit --no-fund
	@touch $@
