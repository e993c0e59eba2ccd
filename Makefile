# Three commands do everything on a fresh machine with Python and pip: `make demo`, `make demo-rollout`, `make test`.
#
# All that is installed stays inside the checkout: the virtual environments, and az's own configuration and extension
# folders, so that nothing touches the user's ~/.azure. A stamp in .stamps/ says what is there; a second make skips it.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CHECK_VENV := .venv-check
CHECK_BIN := $(CHECK_VENV)/bin
STAMPS := .stamps

export AZURE_CONFIG_DIR := $(CURDIR)/.az/config
export AZURE_EXTENSION_DIR := $(CURDIR)/.az/extensions
export AZURE_CORE_COLLECT_TELEMETRY := no
export AZURE_EXTENSION_USE_DYNAMIC_INSTALL := no
export PIP_DISABLE_PIP_VERSION_CHECK := 1
unexport IOTJOBS_CONNECTION_STRING PYTHONPATH PYTHONDONTWRITEBYTECODE

TEST_FILES := $(shell find tests -type f -name '*.py')
SOURCES := setup.py pyproject.toml README.md .ci/build_wheel.py $(shell find azext_iotjobs -type f ! -name '*.pyc')

.PHONY: demo demo-rollout unit check platforms test torture bench bench-plots wheel release docs site pictures clean format

demo: $(STAMPS)/extension
	$(BIN)/python demo/tutorials.py

demo-rollout: $(STAMPS)/extension
	$(BIN)/python demo/rollout.py

# The rooms that need neither az nor a hub: what to run while writing. Its set-up is small, az is not in it.
unit: $(STAMPS)/check
	$(CHECK_BIN)/python -m pytest -n 2 @tests/unit.txt

check: $(STAMPS)/check
	$(CHECK_BIN)/ruff format --check .
	$(CHECK_BIN)/ruff check .
	$(CHECK_BIN)/mypy
	$(CHECK_BIN)/lint-imports
	$(CHECK_BIN)/check-jsonschema --quiet --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(CHECK_BIN)/check-jsonschema --quiet --builtin-schema vendor.github-actions .github/actions/*/action.yml
	$(CHECK_BIN)/check-jsonschema --quiet --builtin-schema vendor.azure-pipelines container/azure-pipelines/*.yml
	$(CHECK_BIN)/check-jsonschema --quiet --builtin-schema vendor.compose-spec container/compose.yaml
	$(CHECK_BIN)/openapi-spec-validator docs/reference/local-hub-rest.json
	$(CHECK_BIN)/shellcheck .github/actions/*/*.sh container/*.sh

# What mypy makes of the package with the standard library of other systems.
platforms: $(STAMPS)/check
	$(CHECK_BIN)/mypy --platform win32 -p azext_iotjobs
	$(CHECK_BIN)/mypy --platform darwin -p azext_iotjobs

format: $(STAMPS)/check
	$(CHECK_BIN)/ruff format .
	$(CHECK_BIN)/ruff check --fix .

# A file of tests is one worker's: what its tests share is theirs. Most wait for hubs and for az, so that there may be
# more workers than cores. `make test WORKERS=0` runs all in one process. tests/conftest.py orders the files.
WORKERS := 6
PYTEST := $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder --durations=25

# A machine that is too busy makes a test fail that waits. What failed is run once more when all else has ended, until
# one fails again: that is the result. What passes then is to be mended too: it depends on how busy the machine is.
ALONE = -x --last-failed --last-failed-no-failures none

test: check $(STAMPS)/tests $(STAMPS)/extension $(STAMPS)/sdk $(STAMPS)/eventhub $(STAMPS)/node $(STAMPS)/compiled
	$(PYTEST) || $(BIN)/python -m pytest $(ALONE)

# The full forms of the tests that `make test` runs in a short, seeded form.
torture: $(STAMPS)/tests $(STAMPS)/extension $(STAMPS)/sdk $(STAMPS)/eventhub $(STAMPS)/node $(STAMPS)/compiled $(STAMPS)/site
	export IOTJOBS_TORTURE=1; $(PYTEST) || $(BIN)/python -m pytest $(ALONE)
	$(MAKE) azdev cores pythons

# All benchmarks as one page, half an hour on a machine that does nothing else; bench.json has its figures. With
# ROWS=direct_calls,command_start just those rows or parts; million is measured only when it is named. SHORT=1 takes so
# little that it measures nothing: `make test` runs each so, so that none rots.
ROWS ?=
SHORT ?=
bench: $(STAMPS)/tests $(STAMPS)/extension $(STAMPS)/sdk
	@$(BIN)/python benchmarks/page.py --rows "$(ROWS)" $(if $(SHORT),--short)

# The figures of docs/performance.md and their plots, from the last `make bench`.
bench-plots: $(STAMPS)/tests
	$(BIN)/python docs/generators/performance_figures.py

wheel: $(STAMPS)/wheel

# What is published, in dist/. RELEASE_URL: the folder that it is downloaded from, for az's index of extensions.
RELEASE_URL :=
release: $(STAMPS)/release
	.venv-release/bin/python .ci/make_release.py $(RELEASE_URL)

docs: $(STAMPS)/extension
	$(BIN)/python docs/generators/generate.py

# The documents as pages that a browser opens from the disk: build/site/index.html. A broken link is an error.
site: $(STAMPS)/site
	.venv-site/bin/python docs/site/build.py build/site

# The pictures of docs/pictures/, on a local hub at its usual ports: four minutes. PICTURES names those to make; without it,
# all. Made again they are the same: `make pictures && git diff --exit-code docs/pictures`.
pictures: $(STAMPS)/tests $(STAMPS)/extension
	$(BIN)/python docs/generators/make_pictures.py $(PICTURES)

clean:
	rm -rf $(VENV) $(CHECK_VENV) .venv-azdev .venv-az-* .venv-python-* .venv-sdk .venv-wheel .venv-release .venv-site \
		.venv-eventhub-oldest requirements/node/node_modules .az .stamps build dist *.egg-info

$(STAMPS)/az: requirements/az.txt
	@echo "Installing az into $(VENV); this takes some minutes."
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet -r requirements/az.txt
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/tests: requirements/tests.txt $(STAMPS)/az
	$(BIN)/python -m pip install --quiet -r requirements/tests.txt
	@touch $@

$(STAMPS)/release: requirements/release.txt
	$(PYTHON) -m venv .venv-release
	.venv-release/bin/python -m pip install --quiet -r requirements/release.txt
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/check: requirements/check.txt requirements/unit.txt requirements/tests.txt
	$(PYTHON) -m venv $(CHECK_VENV)
	$(CHECK_BIN)/python -m pip install --quiet -r requirements/check.txt
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/sdk: requirements/sdk.txt
	$(PYTHON) -m venv .venv-sdk
	.venv-sdk/bin/python -m pip install --quiet -r requirements/sdk.txt
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/site: requirements/site.txt
	$(PYTHON) -m venv .venv-site
	.venv-site/bin/python -m pip install --quiet -r requirements/site.txt
	@mkdir -p $(STAMPS) && touch $@

# Without what it needs in turn, which comes with az.
$(STAMPS)/eventhub: requirements/eventhub-oldest.txt $(STAMPS)/tests
	rm -rf .venv-eventhub-oldest
	$(BIN)/python -m pip install --quiet --no-deps --target .venv-eventhub-oldest -r requirements/eventhub-oldest.txt
	@touch $@

# No lock file: it would name the registry. No stamp without Node.js, so that it is looked for again.
$(STAMPS)/node: requirements/node/package.json
	@mkdir -p $(STAMPS)
	@if node -e 'process.exit(parseInt(process.versions.node) < 18 ? 1 : 0)' 2> /dev/null && npm --version > /dev/null 2>&1; then \
		cd requirements/node && npm install --no-package-lock --ignore-scripts --no-audit --no-fund --loglevel=error \
			&& touch "$(CURDIR)/$@"; \
	else \
		echo "Node.js 18 or later with npm is not here: the tests with Microsoft's Node.js SDKs are skipped."; \
	fi

# pytest compiles tests in a way of its own, which takes a while: else each worker would compile all of them at once.
$(STAMPS)/compiled: $(TEST_FILES) $(STAMPS)/tests
	@$(BIN)/python -m pytest --collect-only -qq tests/[a-l]*/ > /dev/null & \
		$(BIN)/python -m pytest --collect-only -qq tests/[m-z]*/ tests/test_*.py > /dev/null; wait
	@touch $@

# What builds the wheel, alone: who only wants a wheel does not wait for az.
$(STAMPS)/builder: requirements/wheel.txt
	$(PYTHON) -m venv .venv-wheel
	.venv-wheel/bin/python -m pip install --quiet -r requirements/wheel.txt
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/wheel: $(SOURCES) $(STAMPS)/builder
	rm -rf dist
	.venv-wheel/bin/python .ci/build_wheel.py dist
	@touch $@

# Removing first: `az extension add` refuses a version that is already there, even if its code has changed.
$(STAMPS)/extension: $(STAMPS)/wheel $(STAMPS)/az
	@rm -rf "$(AZURE_EXTENSION_DIR)/iotjobs"
	$(BIN)/az extension add --source dist/iotjobs-*.whl --yes
	@touch $@

include .ci/versions.mk
