"""A page is read as a reader goes through it, and a mark that means nothing is a fault of the page."""

import pytest

from tests.documents.pages import Anew, BadPage, Block, CtrlC, SetUp, read_page
from tests.documents.shell_lines import Command, commands_of

PAGE = """# Title

<!-- run: with hub, pumps -->

Text with `<!-- run: anew -->` in it.

<!-- run: terminal 2 -->
<!-- run: background until it is ready -->
```bash
az a
az b
```
<!-- run: ctrl-c -->

- a list

  <!-- run: no, it costs money -->
  ```bash
  az c
  ```

<!-- run: anew -->
<!-- run: file a/b.yaml -->
```yaml
x: 1
```

    indented
"""


def test_blocks_and_marks_come_in_the_order_of_the_page() -> None:
    assert read_page(PAGE).steps == [
        SetUp(("hub", "pumps"), 3),
        Block("bash", "az a\naz b\n", 10, terminal=2, lasts=True, until="it is ready"),
        CtrlC(13),
        Block("bash", "az c\n", 19, not_run="it costs money"),
        Anew(22),
        Block("yaml", "x: 1\n", 25, file="a/b.yaml"),
    ]


@pytest.mark.parametrize(
    "mark",
    [
        "exit four",
        "exit",
        "terminal x",
        "background",
        "background until",
        "until",
        "no",
        "no,",
        "file",
        "file a b",
        "needs",
        "wiht hub",
        "ctrl-d",
        "",
    ],
)
def test_a_mark_that_means_nothing_is_found(mark: str) -> None:
    with pytest.raises(BadPage, match=r"page\.md:1: '.*' is not a mark"):
        read_page(f"<!-- run: {mark} -->\n```bash\ntrue\n```\n")


def test_a_mark_about_a_block_before_none_is_found() -> None:
    with pytest.raises(BadPage, match="page.md:1: 'exit 4' stands before no block"):
        read_page("<!-- run: exit 4 -->\n\nText.\n\n```bash\nfalse\n```\n")


def commands(text: str, exit_code: int | None = None) -> list[Command]:
    return list(commands_of(Block("bash", text, 5, exit_code=exit_code)))


def test_a_block_is_taken_apart_as_bash_does() -> None:
    text = "# first\na \\\n  b\n\nfor x in 1; do\n  c $x\ndone\nd 'e\nf' # exit code 4: some failed\ncat <<E\ng\nE\nh\n"
    assert [(each.text.splitlines()[0], each.line, each.exit_code) for each in commands(text)] == [
        ("a \\", 6, 0),
        ("for x in 1; do", 9, 0),
        ("d 'e", 12, 4),
        ("cat <<E", 14, 0),
        ("h", 17, 0),
    ]


def test_an_exit_code_is_said_at_the_beginning_of_a_comment_or_by_the_mark() -> None:
    text = "a   # exit code 3 when nothing runs\nb  # what runs; exit code 3 when nothing does\nc\n"
    assert [each.exit_code for each in commands(text, exit_code=2)] == [3, 0, 2]
