"""Texts of help are loaded for what is shown: a list of a group has summaries, a command's own help is whole."""

import subprocess
import sys
from pathlib import Path

import yaml
from knack.help_files import helps

from azext_iotjobs.cli import help
from azext_iotjobs.cli.commands import all_commands

REPOSITORY = Path(__file__).resolve().parents[2]


def test_a_list_has_the_summary_of_a_command_and_its_own_help_the_whole_text() -> None:
    help.load_of("iot hub job create")
    whole = yaml.safe_load(helps["iot hub job create"])
    help.load_summary_of("iot hub job create")
    in_list = yaml.safe_load(helps["iot hub job create"])
    assert in_list == {name: whole[name] for name in ("type", "short-summary")}
    help.load_of("iot hub job create")
    assert yaml.safe_load(helps["iot hub job create"]) == whole and whole["examples"]


def test_the_text_of_a_command_of_az_stays_as_it_is_in_a_list() -> None:
    text = "\ntype: command\nshort-summary: Make one.\n"
    helps["iot hub create"] = text
    try:
        help.load_summary_of("iot hub create")
        assert helps["iot hub create"] == text
    finally:
        del helps["iot hub create"]


def test_every_command_and_group_has_its_text_when_it_alone_is_asked_for() -> None:
    help.load_every()
    groups = {words for words in helps if yaml.safe_load(helps[words])["type"] == "group"}
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from knack.help_files import helps\n"
        "from azext_iotjobs.cli import help\n"
        "for words in sys.stdin.read().splitlines():\n"
        "    helps.clear()\n"
        "    for name in [each for each in sys.modules if each.startswith('azext_iotjobs.cli.')]:\n"
        "        if name.endswith('help') and name != 'azext_iotjobs.cli.help': del sys.modules[name]\n"
        "    help.load_of(words)\n"
        "    assert words in helps, words\n"
    )
    asked = "\n".join(sorted({*groups, *(words for words, _, _ in all_commands())}))
    subprocess.run([sys.executable, "-c", code, str(REPOSITORY)], input=asked, text=True, check=True)


def test_what_az_itself_describes_loads_nothing() -> None:
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from azext_iotjobs.cli import help\n"
        "for words in ('', 'iot', 'iot hub', 'vm'): help.load_of(words)\n"
        "assert not [each for each in sys.modules if each.endswith('.help') and each.count('.') > 2]\n"
    )
    subprocess.run([sys.executable, "-c", code, str(REPOSITORY)], check=True)
