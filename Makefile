# Two commands do everything on a fresh machine with Python and pip: `make demo` and `make test`.
#
# All that is installed stays inside the checkout: the virtual environments, and az's own configuration and extension
# folders, so that nothing touches the user's ~/.azure. A stamp in .stamps/ says what is there; a second make skips it.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMPS := .stamps

export AZURE_CONFIG_DIR := $(CURDIR)/.az/config
export AZURE_EXTENSION_DIR := $(CURDIR)/.az/extensions
export AZURE_CORE_COLLECT_TELEMETRY := no
export AZURE_EXTENSION_USE_DYNAMIC_INSTALL := no
export PIP_DISABLE_PIP_VERSION_CHECK := 1
unexport IOTJOBS_CONNECTION_STRING PYTHONPATH

SOURCES := setup.py README.md $(shell find azext_iotjobs -type f ! -name '*.pyc')

.PHONY: demo test check torture bench wheel docs clean format

demo: $(STAMPS)/extension
	$(BIN)/python demo/tutorials.py

# A file of tests is one worker's: what its tests share is theirs. Most wait for hubs and for az, so that there may be
# more workers than cores. `make test WORKERS=0` runs all in one process.
WORKERS := 4

test: check $(STAMPS)/extension $(STAMPS)/sdk $(STAMPS)/node
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile

# The full forms of the tests that `make test` runs in a short, seeded form.
torture: $(STAMPS)/dev $(STAMPS)/extension $(STAMPS)/sdk $(STAMPS)/node
	IOTJOBS_TORTURE=1 $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile

# Every benchmark in its normal form: half an hour and more, on a machine that does nothing else. `make test` runs each
# for some seconds, so that none rots.
BENCHMARKS := cli hub simulator fleet_jobs
bench: $(STAMPS)/dev $(STAMPS)/extension $(STAMPS)/sdk
	@for name in $(BENCHMARKS); do echo "== $$name" && $(BIN)/python benchmarks/$$name.py || exit 1; done

check: $(STAMPS)/dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(STAMPS)/dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

wheel: $(STAMPS)/wheel

docs: $(STAMPS)/extension
	$(BIN)/python docs/generate.py

clean:
	rm -rf $(VENV) .venv-sdk requirements/node/node_modules .az .stamps build dist *.egg-info

$(STAMPS)/az: requirements/az.txt
	@echo "Installing az into $(VENV); this takes some minutes."
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet -r requirements/az.txt
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/dev: requirements/dev.txt $(STAMPS)/az
	$(BIN)/python -m pip install --quiet -r requirements/dev.txt
	@touch $@

$(STAMPS)/sdk: requirements/sdk.txt
	$(PYTHON) -m venv .venv-sdk
	.venv-sdk/bin/python -m pip install --quiet -r requirements/sdk.txt
	@mkdir -p $(STAMPS) && touch $@

# No lock file: it would name the registry. No stamp without Node.js, so that it is looked for again.
$(STAMPS)/node: requirements/node/package.json
	@mkdir -p $(STAMPS)
	@if node -e 'process.exit(parseInt(process.versions.node) < 18 ? 1 : 0)' 2> /dev/null && npm --version > /dev/null 2>&1; then \
		cd requirements/node && npm install --no-package-lock --ignore-scripts --no-audit --no-fund --loglevel=error \
			&& touch "$(CURDIR)/$@"; \
	else \
		echo "Node.js 18 or later with npm is not here: the tests with Microsoft's Node.js SDKs are skipped."; \
	fi

$(STAMPS)/wheel: $(SOURCES) $(STAMPS)/az
	rm -rf build dist
	$(BIN)/python -m pip wheel --quiet --no-deps --no-build-isolation -w dist .
	@touch $@

# Removing first: `az extension add` refuses a version that is already there, even if its code has changed.
$(STAMPS)/extension: $(STAMPS)/wheel
	@rm -rf "$(AZURE_EXTENSION_DIR)/iotjobs"
	$(BIN)/az extension add --source dist/iotjobs-*.whl --yes
	@touch $@
