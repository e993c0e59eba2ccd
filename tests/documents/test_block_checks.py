"""What is wrong with a block that is not run is found: each fault that is planted here."""

import pytest

from tests.documents.block_checks import BadBlock, az_commands, check_block
from tests.documents.pages import Block
from tests.documents.typed_commands import NotParsed, check_mentioned, check_words

CREATE = "az iot hub job create -n myhub --job-id a --job-type scheduleDeviceMethod --method-name x -q '*'"
BEHAVIOUR = "methods:\n  reboot: {status: 200}\n"
FLEET_JOB = "id: fw-7\naction: {methodName: update, payload: {v: '${v}'}}\ntargets: {queryCondition: tags.a = 1}\n"
PIPELINE = "- run: |\n    export A=1\n    az iot hub fleet-job report -j fw-7 --output-file ${{ env.A }}\n"


def block(language: str, text: str) -> Block:
    return Block(language, text, 7)


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("bash", f"{CREATE} && rm -rf x | jq . > y\nX=$(az iot local-hub show -o tsv --query a) || exit\n"),
        ("bash", "for f in a b; do\n  az iot hub fleet-job run -j $f\ndone\n"),
        ("yaml", BEHAVIOUR),
        ("yaml", FLEET_JOB),
        ("yaml", PIPELINE),
        ("json", '{"a": 1}\n{"a": 2}\n'),
        ("python", "import os\n"),
        ("python", "    for x in y:\n        pass\n"),
        ("text", "anything"),
    ],
)
def test_a_block_that_is_what_it_says_passes(language: str, text: str) -> None:
    check_block(block(language, text))


@pytest.mark.parametrize(
    ("language", "text", "said"),
    [
        ("bash", CREATE.replace("--method-name", "--method-nme"), "unrecognized arguments: --method-nme x"),
        ("bash", CREATE.replace("scheduleDeviceMethod", "schedule"), "invalid choice: 'schedule'"),
        ("bash", CREATE.replace("--job-id a", ""), "required: --job-id"),
        ("bash", f"for x in 1; do curl x | {CREATE} --ttl soon; done", "--ttl"),
        ("bash", "X=$(az iot hub jobs list -n x)", "invalid choice: 'jobs'"),
        ("bash", "if false; then\naz version\nfi", "comes to no az"),
        ("bash", "echo 'a", "unexpected EOF"),
        ("yaml", PIPELINE.replace("az iot", "exec az iot").replace("-j", "--jj"), "--jj"),
        ("yaml", BEHAVIOUR.replace("status", "statuss"), "statuss"),
        ("yaml", BEHAVIOUR.replace("methods", "method"), "what kind of file is this"),
        ("yaml", FLEET_JOB.replace("methodName", "method"), "action: one of methodName"),
        ("yaml", PIPELINE.replace("--output-file", "--output-fil"), "unrecognized arguments: --output-fil"),
        ("yaml", "a: [", "ParserError"),
        ("json", "{'a': 1}", "JSONDecodeError"),
        ("python", "def f(:", "SyntaxError"),
        ("", "anything", "no language that is looked at"),
    ],
)
def test_what_is_wrong_with_a_block_is_said(language: str, text: str, said: str) -> None:
    with pytest.raises(BadBlock) as found:
        check_block(block(language, text))
    assert said in str(found.value)
    assert str(found.value).startswith("line 7: ")


def test_the_commands_of_a_block_are_those_that_bash_would_run() -> None:
    text = 'A="x y"\naz iot hub query -q "$A" \\\n  --top 3 &\nfor n in 1 2; do az version "$n$(az version)"; done\n'
    assert sorted(az_commands(text)) == sorted(
        [["iot", "hub", "query", "-q", "x y", "--top", "3"], *2 * [["version"]]]
        + [["version", f"{n}recorded"] for n in (1, 2)]
    )


def test_commands_of_az_itself_are_not_looked_at_but_unknown_ones_are() -> None:
    check_words(["extension", "add", "--source", "x"])
    with pytest.raises(NotParsed):
        check_words(["iott", "hub"])


@pytest.mark.parametrize(
    "line", ["az iot hub", "az iot hub job create", "az iot hub job create --wait --job-type TYPE", "az iot hub job -h"]
)
def test_what_a_text_mentions_may_be_a_part_of_a_command(line: str) -> None:
    check_mentioned(line.removesuffix(" -h"))


@pytest.mark.parametrize(
    "line",
    ["az iot hub jo", "az iot hub job craete", "az iot hub job create --wiat", "az iot hub job create --jt other"],
)
def test_what_a_text_mentions_has_to_exist(line: str) -> None:
    with pytest.raises(NotParsed):
        check_mentioned(line)
