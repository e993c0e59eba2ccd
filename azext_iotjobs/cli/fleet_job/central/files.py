"""Files of IoT Central's documents, and what is typed about their filters -> values."""

from collections.abc import Sequence

from knack.log import get_logger

from azext_iotjobs.central.documents import MAX_DOCUMENTS, documents_in, has_next_page
from azext_iotjobs.central.filter_condition import STATES, FilterChoices
from azext_iotjobs.central.report import SourceDocument
from azext_iotjobs.cli.input import stdin
from azext_iotjobs.cli.input.scalars import shown, text_of, text_of_file
from azext_iotjobs.cli.input.strict_json import NotAllowed, parse_json
from azext_iotjobs.model.errors import BadValue

logger = get_logger(__name__)

FILES, MAP, ASSUME = "--from-central", "--map", "--assume"
MAX_FILES = 100
WORDS = {"true": True, "false": False}


def read_documents(paths: Sequence[str]) -> list[SourceDocument]:
    """The documents of files, in their order. Raises BadValue, naming the file.

    paths: - is standard input.
    """
    if len(paths) > MAX_FILES:
        raise BadValue(f"{FILES}: {len(paths)} files, at most {MAX_FILES} are read at once.")
    found: list[SourceDocument] = []
    for path in paths:
        found += _documents_of(path)
        if len(found) > MAX_DOCUMENTS:
            raise BadValue(f"{FILES}: more than {MAX_DOCUMENTS} documents.", hint="Import them in several steps.")
    if not found:
        raise BadValue(f"{FILES}: no document is in what was given.", hint="Nothing was imported.")
    return found


def filter_choices(typed_paths: Sequence[str] | None, typed_states: Sequence[str] | None) -> FilterChoices:
    """What is typed about filters. Raises BadValue, naming the option."""
    states = {}
    for name, word in _pairs(typed_states, ASSUME, "provisioned=true").items():
        state = f"${name.removeprefix('$')}"
        if state not in STATES or word.lower() not in WORDS:
            raise BadValue(
                f"{ASSUME} {shown(f'{name}={word}')}: give {' or '.join(each[1:] for each in STATES)}, =true or =false."
            )
        states[state] = WORDS[word.lower()]
    return FilterChoices(paths=_pairs(typed_paths, MAP, "Company=tags.company"), states=states)


def _documents_of(path: str) -> list[SourceDocument]:
    if path.lstrip().startswith(("{", "[")):  # @file: az has put the file's content in its place
        name, text = "JSON", path
    elif path == stdin.MARK:
        name = "standard input"
        text = text_of(stdin.read(FILES), FILES, name)
    else:
        name, text = path, text_of_file(path, FILES)
    where = f"{FILES} {name}"
    try:
        value = parse_json(text)
    except NotAllowed as err:
        raise BadValue(f"{where}: {err}.") from None
    except ValueError as err:
        raise BadValue(f"{where} is not JSON: {err}.") from None
    if has_next_page(value):
        logger.warning("%s: it is one page of several; its nextLink leads to more documents.", where)
    try:
        return list(documents_in(value, name))
    except BadValue as err:
        raise BadValue(f"{FILES}: {err.message}", hint=err.hint) from None


def _pairs(typed: Sequence[str] | None, option: str, example: str) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for each in typed or ():
        name, equals, value = each.partition("=")
        if not name.strip() or not equals or not value.strip():
            raise BadValue(f"{option} {shown(each)} is not NAME=VALUE.", hint=f"{option} {example}")
        if name.strip() in pairs:
            raise BadValue(f"{option}: {shown(name.strip())} is given twice.")
        pairs[name.strip()] = value.strip()
    return pairs
