"""Extensions that stand beside ours in benchmarks/cli.py, written to disk as az finds them.

floor     six commands that each make one request with `requests`, or read one row of a SQLite file, and print it
stand-in  the same commands in an extension of azure-iot's size: it enters its whole table, imports all of its help and
          registers the options of every command whatever was typed, as azure-iot does. It has none of azure-iot's own
          modules, so that azure-iot itself takes longer. Its numbers are those of azure-iot 0.25: 325 commands, and, on
          the low side, two options each that are registered, and 400 characters of help
"""

import json
import shutil
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
COMMANDS = {
    "iot hub job": ("show", "create"),
    "iot hub device-twin": ("show",),
    "iot hub": ("invoke-device-method",),
    "iot hub fleet-job": ("show", "list"),
}
OF_A_FILE = ("iot hub fleet-job",)  # the others make a request
MADE_UP_GROUPS, MADE_UP_VERBS, HELP_CHARACTERS = 45, 7, 400  # with the above 325 commands at least

LOADER = """
from azure.cli.core import AzCommandsLoader
{imports}

COMMANDS = {commands!r}
OF_A_FILE = {of_a_file!r}


class Loader(AzCommandsLoader):
    def load_command_table(self, args):
        for group, verbs in COMMANDS.items():
            with self.command_group(group, operations_tmpl="azext_{name}#{{}}") as g:
                for verb in verbs:
                    g.command(verb, "read" if group in OF_A_FILE else "ask")
        return self.command_table

    def load_arguments(self, command):
        for words in {scopes}:
            with self.argument_context(words) as c:
                for name in ("url", "ca", "token", "body", "file"):
                    c.argument(name, options_list=["--" + name], help="One of five.")


def ask(url, ca, token, body=None):
    import requests

    return requests.request(
        "GET" if body is None else "POST" if url.partition("?")[0].endswith("methods") else "PUT",
        url, data=body, verify=ca, proxies={{"https": ""}}, timeout=30,
        headers={{"Authorization": token, "Content-Type": "application/json"}},
    ).json()


def read(file):
    import json
    import sqlite3

    with sqlite3.connect(file) as store:
        return json.loads(store.execute("SELECT document FROM kept").fetchone()[0])


COMMAND_LOADER_CLS = Loader
"""
HELP = """
from knack.help_files import helps

for words, kind in {entries!r}.items():
    helps[words] = "type: " + kind + "\\nshort-summary: " + {text!r}
"""


def lay_floor(extensions: Path) -> Path:
    """The smallest extension that does the same; gives its folder."""
    code = LOADER.format(name="floor", imports="", commands=COMMANDS, of_a_file=OF_A_FILE, scopes="[command]")
    return _lay(extensions, "floor", {"__init__.py": code})


def lay_stand_in(extensions: Path) -> Path:
    """The same in an extension of azure-iot's size; gives its folder."""
    commands = {**COMMANDS, **{f"iot made-up-{number}": _verbs() for number in range(MADE_UP_GROUPS)}}
    scopes = "[f'{group} {verb}' for group, verbs in COMMANDS.items() for verb in verbs]"
    entries = dict.fromkeys(commands, "group") | {
        f"{group} {verb}": "command" for group, verbs in commands.items() for verb in verbs
    }
    help_code = HELP.format(entries=entries, text="Said of it. " + "word " * (HELP_CHARACTERS // 5))
    imports = "import azext_standin._help"
    code = LOADER.format(name="standin", imports=imports, commands=commands, of_a_file=OF_A_FILE, scopes=scopes)
    return _lay(extensions, "standin", {"__init__.py": code, "_help.py": help_code})


def _verbs() -> tuple[str, ...]:
    return tuple(f"verb-{number}" for number in range(MADE_UP_VERBS))


def _lay(extensions: Path, name: str, files: dict[str, str]) -> Path:
    package = extensions / name / f"azext_{name}"
    package.mkdir(parents=True)
    for file, code in files.items():
        (package / file).write_text(code, encoding="utf-8")
    shutil.copy(REPOSITORY / "azext_iotjobs" / "azext_metadata.json", package)
    dist_info = extensions / name / f"{name}-1.0.dist-info"
    dist_info.mkdir()
    (dist_info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n", encoding="utf-8")
    (dist_info / "metadata.json").write_text(json.dumps({"name": name, "version": "1.0"}), encoding="utf-8")
    return extensions / name
