"""What help shows as examples is what az takes: each line, with all its options and values."""

import shlex
from typing import Any

import yaml

from tests.documents.block_checks import az_commands
from tests.documents.typed_commands import NotParsed, check_words
from tests.helpers.surface import our_arguments


def helps() -> dict[str, Any]:
    from knack.help_files import helps

    import azext_iotjobs.cli.help  # noqa: F401 - fills knack's table

    return dict(helps)


def test_every_command_has_a_summary_and_examples_that_az_takes() -> None:
    wrong = []
    for command in sorted(our_arguments()):
        text = yaml.safe_load(helps()[command])
        assert text["short-summary"], command
        typed = az_commands("\n".join(example["text"] for example in text["examples"]))
        if not any(words[: len(command.split())] == command.split() for words in typed):
            wrong.append(f"{command}: no example of it, only {typed}")
        if len(typed) < len(text["examples"]):
            wrong.append(f"{command}: {len(text['examples'])} examples, and bash comes to {len(typed)}")
        for words in typed:
            try:
                check_words(words)
            except NotParsed as err:
                wrong.append(f"{command}: az {shlex.join(words)}: {err}")
    assert wrong == []


def test_every_group_of_ours_has_help() -> None:
    groups = {command.rpartition(" ")[0] for command in our_arguments()} - {"iot hub"}
    assert groups <= set(helps())


def test_every_option_has_a_line_of_help() -> None:
    arguments = [(command, each) for command, ours in our_arguments().items() for each in ours.values()]
    assert [(command, each["options"]) for command, each in arguments if not each["help"]] == []
