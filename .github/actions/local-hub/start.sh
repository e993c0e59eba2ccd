#!/usr/bin/env bash
# Installs the local hub into an environment of its own, and starts it for the later steps of this job.
#
# HUB_PYTHON, HUB_PACKAGE, HUB_OPTIONS: the action's inputs. The rest are variables of the runner.
set -euf -o pipefail

environment="$RUNNER_TEMP/iotjobs-local-hub"
repository="$(cd "$GITHUB_ACTION_PATH/../../.." && pwd)"
"$HUB_PYTHON" -m venv "$environment"
python="$environment/bin/python"
"$python" -m pip install --quiet --disable-pip-version-check "${HUB_PACKAGE:-${repository}[local-hub]}"
# shellcheck disable=SC2086 # several options
"$python" -m azext_iotjobs.localhub.testing.pipelines github $HUB_OPTIONS
