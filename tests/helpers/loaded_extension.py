"""What the processes of az in tests begin with, beside az's modules: those of our extension, as it is installed.

Run in the process that they are forked from (`warm_az.py`). The local
hub is a process of its own, and help is loaded where it is shown.
"""

import os
import sys
from importlib import import_module
from pathlib import Path

FOLDER = Path(os.environ["AZURE_EXTENSION_DIR"]) / "iotjobs"
PACKAGE = FOLDER / "azext_iotjobs"
APART = {"localhub", "sdk", "help"}

sys.path.append(str(FOLDER))  # as az does in each command, at the end
for file in sorted(PACKAGE.rglob("*.py")):
    module = file.relative_to(FOLDER).with_suffix("").parts
    if not APART.intersection(module):
        import_module(".".join(module).removesuffix(".__init__"))
import_module("paho.mqtt.client")  # which is imported when devices connect
import_module("unittest.mock")  # which az imports to say what is wrong with a command
sys.path.remove(str(FOLDER))
