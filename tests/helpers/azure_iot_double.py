"""A stand-in for Microsoft's azure-iot extension: same commands, same argument names, a validator that always fails.

It does to a neighbour what the real one does: lays its arguments and validators over every dest of the same name, and
brings an older paho-mqtt and an older azure-eventhub that az's search path finds first.
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
        import paho.mqtt.client  # an eager neighbour: its old copy is in sys.modules before ours is asked for

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

METADATA = "Metadata-Version: 2.1\nName: azure-iot\nVersion: 0.31.0\n"


def install_beside(extensions: Path, ours: Path, surface: Path, old_paho: Path, old_eventhub: Path) -> None:
    """Lay an extension folder that holds ours and the stand-in.

    extensions: the new, empty folder.  ours: the installed extension's folder.  surface: the reference's options.
    old_paho: a site-packages folder with paho-mqtt 1.6.1.  old_eventhub: one with an older azure-eventhub.
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
    shutil.copytree(old_eventhub / "azure", standin / "azure")
