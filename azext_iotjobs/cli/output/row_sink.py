"""Where rows go that are not read again: into a file or a list, with their cells from twins where columns want them."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from azext_iotjobs.cli.output import row_writer
from azext_iotjobs.cli.output.row_output import RowTarget

if TYPE_CHECKING:
    from azext_iotjobs.cli.output.twin_cells import TwinCells

Row = dict[str, Any]


@contextmanager
def row_sink(
    target: RowTarget | None,
    columns: tuple[str, ...],
    kept: list[Row],
    cells: "TwinCells | None",
    on_reader_gone: Callable[[], object] = lambda: None,
) -> Iterator[Callable[[Row], None]]:
    """What takes row after row.

    target: the file; None: the columns of each row are added to `kept`.
    cells: of the columns from twins, for which some rows are held at a time; None: there are none.
    on_reader_gone: called when nobody reads the file any more, which is a pipe.
    Raises as `row_writer.new_rows` does.
    """
    with ExitStack() as stack:
        write = None if target is None else stack.enter_context(row_writer.new_rows(target))

        def put(row: Row) -> None:
            if write is None:
                kept.append({name: row[name] for name in columns})
            elif not write(row):
                on_reader_gone()

        yield put if cells is None else stack.enter_context(cells.holding(put))
