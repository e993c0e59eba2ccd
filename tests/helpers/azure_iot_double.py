"""A stand-in for Microsoft's azure-iot extension: same commands, same argument names, a validator that always fails.

It does to a neighbour what the real one does: lays its arguments and validators over every dest of the same name, and
brings other versions of packages that az's search path finds first: an older paho-mqtt, an older azure-eventhub, or a
newer one that has changed inside, and an older aiohttp, which fails when it is imported.
"""

import json
import shutil
from pathlib import Path

LOADER = """
import json
from pathlib import Path

from azure.cli.core import AzCommandsLoader
from knack.arguments import CLIArgumentType

SURFACE = json.loads((Path(__file__).parent / "surface.json").read_text())


def always_fails(namespace):
    raise ValueError("the stand-in's validator ran")


class StandInLoader(AzCommandsLoader):
    def load_command_table(self, args):
        # An eager neighbour: its copies are in sys.modules before ours are asked for. The az of tests has a copy too.
        import azure

        azure.__path__ = [str(Path(__file__).parents[1] / "azure"), *azure.__path__]
        import azure.eventhub
        import paho.mqtt.client

        for command in SURFACE["commands"]:
            group, _, verb = command.rpartition(" ")
            with self.command_group(group, operations_tmpl="azext_iot#{}") as g:
                g.command(verb, "refuse")
        with self.command_group("iot edge", operations_tmpl="azext_iot#{}") as g:
            g.command("stand-in", "refuse")  # one that only the stand-in has
        return self.command_table

    def load_arguments(self, command):
        scopes = {"iot", "iot hub", "iot device", "iot edge", "iot edge stand-in"}
        for name in SURFACE["commands"]:
            words = name.split()
            scopes.update(" ".join(words[:count]) for count in range(1, len(words) + 1))
        for scope in sorted(scopes):
            with self.argument_context(scope) as c:
                for name in SURFACE["all_names"]:
                    c.argument(name, arg_type=CLIArgumentType(validator=always_fails, arg_group="Stand-in"))


def refuse(hub_name_or_hostname=None, login=None, device_id=None, job_id=None):
    raise ValueError("the stand-in answered")


COMMAND_LOADER_CLS = StandInLoader
"""

OLD_AIOHTTP = """
__version__ = "3.8.6"
raise ImportError("the stand-in's aiohttp was imported")
"""

METADATA = "Metadata-Version: 2.1\nName: azure-iot\nVersion: 0.31.0\n"


def install_beside(extensions: Path, ours: Path, surface: Path, old_paho: Path, eventhub: Path) -> None:
    """Lay an extension folder that holds ours and the stand-in.

    extensions: the new, empty folder.  ours: the installed extension's folder.  surface: the reference's options.
    old_paho: a site-packages folder with paho-mqtt 1.6.1.  eventhub: one with another azure-eventhub than ours.
    """
    shutil.copytree(ours, extensions / "iotjobs")
    standin = extensions / "azure-iot"
    package = standin / "azext_iot"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(LOADER, encoding="utf-8")
    (package / "azext_metadata.json").write_text(json.dumps({"azext.minCliCoreVersion": "2.32.0"}), encoding="utf-8")
    shutil.copy(surface, package / "surface.json")
    dist_info = standin / "azure_iot-0.31.0.dist-info"
    dist_info.mkdir()
    (dist_info / "METADATA").write_text(METADATA, encoding="utf-8")
    (dist_info / "WHEEL").write_text(
        "Wheel-Version: 1.0\nGenerator: stand-in\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    )
    (dist_info / "metadata.json").write_text(json.dumps({"name": "azure-iot", "version": "0.31.0"}), encoding="utf-8")
    shutil.copytree(old_paho / "paho", standin / "paho")
    shutil.copytree(eventhub / "azure", standin / "azure")
    (standin / "aiohttp").mkdir()
    (standin / "aiohttp" / "__init__.py").write_text(OLD_AIOHTTP, encoding="utf-8")


def newer_eventhub(folder: Path, ours: Path) -> Path:
    """A folder with an azure-eventhub of a version to come, which keeps its client and has no AMQP inside where it was.

    folder: a new, empty one.  ours: the installed extension's folder.
    """
    package = folder / "azure" / "eventhub"
    package.mkdir(parents=True)
    shutil.copy(ours / "azure" / "eventhub" / "_version.py", package)
    client = "import sys\n__version__ = '6.0.0'\nprint('the stand-in has azure-eventhub 6', file=sys.stderr)\n"
    (package / "__init__.py").write_text(client, encoding="utf-8")
    return folder
