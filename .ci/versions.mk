# Other versions than the rest of the Makefile installs, each in an environment of its own: az's own linter, older az, and
# other Pythons. `make torture` runs all of it.

# The oldest az that azext_metadata.json names, and one in the middle; `make test` has the newest.
CORES := 2.70.0 2.80.0
# The Pythons that pyproject.toml names; one that is not on PATH is left out, and named.
PYTHONS := 3.10 3.11 3.12 3.13 3.14

.PHONY: azdev cores pythons

# `azdev linter` and `azdev style`: what reviewers of extensions run.
azdev: $(STAMPS)/azdev $(STAMPS)/extension
	.venv-azdev/bin/python .ci/azdev_checks.py

# az first: pip looks for versions that fit both for half an hour otherwise.
$(STAMPS)/azdev: requirements/az.txt requirements/azdev.txt
	rm -rf .venv-azdev && $(PYTHON) -m venv .venv-azdev
	.venv-azdev/bin/python -m pip install --quiet -r requirements/az.txt
	.venv-azdev/bin/python -m pip install --quiet -r requirements/azdev.txt
	@mkdir -p $(STAMPS) && touch $@

# The scenarios of tests/cores.txt with each az; it has installed the extension itself.
cores: $(STAMPS)/tests $(STAMPS)/wheel $(STAMPS)/sdk $(addprefix $(STAMPS)/core-,$(CORES))
	@for version in $(CORES); do \
		echo "== az $$version"; az=.venv-az-$$version/bin/az; \
		export AZURE_EXTENSION_DIR="$(CURDIR)/.az/extensions-$$version"; rm -rf "$$AZURE_EXTENSION_DIR"; \
		$$az extension add --source dist/iotjobs-*.whl --yes && export IOTJOBS_TEST_AZ=$$az \
			&& { $(BIN)/python -m pytest -n 2 --dist loadfile @tests/cores.txt \
				|| $(BIN)/python -m pytest $(ALONE) @tests/cores.txt; } || exit 1; \
	done

$(STAMPS)/core-%: requirements/az-%.txt
	rm -rf .venv-az-$* && $(PYTHON) -m venv .venv-az-$*
	.venv-az-$*/bin/python -m pip install --quiet -r requirements/az-$*.txt
	@mkdir -p $(STAMPS) && touch $@

# The tests that need no az, with each Python.
pythons:
	@for version in $(PYTHONS); do \
		python$$version -c '' 2> /dev/null || { echo "== Python $$version is not here"; continue; }; \
		echo "== Python $$version"; $(MAKE) --no-print-directory $(STAMPS)/python-$$version || exit 1; \
		tests="@tests/unit.txt tests/localhub"; python=.venv-python-$$version/bin/python; \
		$$python -m pytest -n 2 $$tests || $$python -m pytest $(ALONE) $$tests || exit 1; \
	done

$(STAMPS)/python-%: requirements/unit.txt requirements/tests.txt
	rm -rf .venv-python-$* && python$* -m venv .venv-python-$*
	.venv-python-$*/bin/python -m pip install --quiet -r requirements/unit.txt
	@mkdir -p $(STAMPS) && touch $@
