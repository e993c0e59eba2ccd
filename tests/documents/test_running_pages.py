"""Going through a page finds what is wrong with it: each fault that is planted here is found, at its line."""

import pytest

from azext_iotjobs.localhub.testing.forked_process import IS_POSSIBLE
from tests.documents.machine import Machine
from tests.documents.page_run import PageFailed, PageRun
from tests.documents.pages import BadPage, read_page
from tests.helpers.short_form import IN_FULL


def gone_through(text: str, machine: Machine) -> None:
    PageRun(read_page(text), machine).go_through()


def shell(*lines: str) -> str:
    return "\n".join(["```bash", *lines, "```", ""])


def test_a_page_that_says_what_is_so_is_gone_through(machine: Machine) -> None:
    gone_through(
        shell("X=1", "cd /", "false   # exit code 1", "test $? = 1", 'test "$X$PWD" = 1/')
        + "\n<!-- run: terminal 2 -->\n"
        + shell('test -z "$X"', 'test -z "$(ls -A)"', "for n in 1 2; do", '  echo "a $n', 'b" \\', "  >> lines; done")
        + "\n<!-- run: terminal 2 -->\n<!-- run: exit 3 -->\n"
        + shell("test $(wc -l < lines) = 4", "(exit 3)"),
        machine,
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (shell("true", "false"), "page.md:3: false\n\nended with 1"),
        (
            shell("true  # exit code 4: some failed"),
            "page.md:2: true  # exit code 4: some failed\n\nended with 0, not 4",
        ),
        ("<!-- run: exit 2 -->\n" + shell("false"), "ended with 1, not 2"),
        ("<!-- run: exit 1 of 1 -->\n" + shell("true", "false"), "true\n\nended with 0, not 1"),
        (shell("false | cat"), "ended with 1"),
        (shell("nosuchprogram"), "nosuchprogram: command not found"),
        ("```python\nprint(1 / 0)\n```\n", "ZeroDivisionError"),
    ],
)
def test_a_command_that_does_not_end_as_the_page_says_is_found(text: str, said: str, machine: Machine) -> None:
    with pytest.raises(PageFailed) as failed:
        gone_through(text, machine)
    assert said in str(failed.value)


@pytest.mark.skipif(IN_FULL or not IS_POSSIBLE, reason="the real az does not report its exit code to us")
def test_an_az_that_fails_within_a_command_that_does_not_is_found(machine: Machine) -> None:
    with pytest.raises(PageFailed, match="az iot local-hub show\n\nfailed:"):
        gone_through(shell("export X=$(az iot local-hub show)"), machine)


def test_a_wrong_option_of_az_is_found(machine: Machine) -> None:
    page = "<!-- run: with hub -->\n\n" + shell("az iot hub device-identity list -n localhost --tpo 3")
    with pytest.raises(PageFailed, match="unrecognized arguments: --tpo 3"):
        gone_through(page, machine)
    gone_through(page.replace("--tpo", "--top"), machine)


def test_without_the_mark_of_its_set_up_a_page_fails(machine: Machine) -> None:
    with pytest.raises(PageFailed, match="No local hub is running at localhost"):
        gone_through(shell("az iot hub device-identity list -n localhost"), machine)


def test_what_lasts_is_waited_for_and_ended_by_ctrl_c_where_the_page_says_so(machine: Machine) -> None:
    lasts = shell("trap 'echo over > over' EXIT; trap 'exit 3' INT; echo ready; sleep 600 & wait  # exit code 3")
    page = f"<!-- run: background until ready -->\n{lasts}\n<!-- run: ctrl-c -->\n\n" + shell("grep over over")
    gone_through(page, machine)
    with pytest.raises(PageFailed, match="ended with 3"):
        gone_through(page.replace("# exit code 3", ""), machine)
    with pytest.raises(PageFailed, match="ended with 3"):
        gone_through(page.replace("# exit code 3", "").replace("ctrl-c", "anew"), machine)
    with pytest.raises(PageFailed, match="grep over over"):
        gone_through(page.replace("<!-- run: ctrl-c -->", ""), machine)


def test_what_does_not_show_what_is_waited_for_is_found(machine: Machine) -> None:
    with pytest.raises(AssertionError, match="it has ended without: ready; it has shown:\nsteady"):
        gone_through("<!-- run: background until ready -->\n" + shell("echo steady"), machine)


def test_anew_nothing_is_left(machine: Machine) -> None:
    made = shell("X=1", "touch here ~/here")
    gone_through(made + "\n<!-- run: anew -->\n\n" + shell('test -z "$X$(ls)"', "test ! -e ~/here"), machine)


def test_a_set_up_that_is_not_there_is_found(machine: Machine) -> None:
    with pytest.raises(BadPage, match="page.md:1: there is no set-up 'hbu', only central-files, fw-7, hub, "):
        gone_through("<!-- run: with hbu -->\n", machine)


def test_a_block_that_is_a_file_is_there_for_the_next_one(machine: Machine) -> None:
    gone_through("<!-- run: file a/b.yaml -->\n```yaml\nx: 1\n```\n" + shell("grep x a/b.yaml"), machine)


def test_a_block_that_is_not_whole_is_found(machine: Machine) -> None:
    with pytest.raises(BadPage, match="bash waits for more after: echo 'a"):
        gone_through(shell("echo 'a"), machine)


def test_an_exit_code_of_a_command_that_is_not_there_is_found(machine: Machine) -> None:
    with pytest.raises(BadPage, match="there is no command 3 here"):
        gone_through("<!-- run: exit 1 of 3 -->\n" + shell("false", "true"), machine)


def test_what_the_block_before_has_not_shown_is_found(machine: Machine) -> None:
    page = shell("echo one; echo two >&2", "echo three") + "\n<!-- run: shows -->\n```text\none\ntwo\nthree\n```\n"
    gone_through(page, machine)
    with pytest.raises(PageFailed, match="page.md:8: the block before has not shown:\nfour\n\nIt has shown:\none"):
        gone_through(page.replace("two\nthree", "four"), machine)
