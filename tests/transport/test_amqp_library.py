"""azure-eventhub is one of the versions that are known, or an error says so; no file but one imports it."""

from pathlib import Path
from types import SimpleNamespace

import pytest

import azext_iotjobs
from azext_iotjobs.model.errors import OldDependency
from azext_iotjobs.transport.amqp_library import METHODS, WHERE, amqp_library, parts_of

PACKAGE = Path(azext_iotjobs.__file__).parent


def same_as(library: object, **instead: object) -> SimpleNamespace:
    """A package with the parts of `library`, some of them replaced."""
    made = SimpleNamespace()
    for name, (module, member) in WHERE.items():
        if not hasattr(made, module):
            setattr(made, module, SimpleNamespace())
        setattr(getattr(made, module), member, instead.get(name, getattr(library, name)))
    return made


def test_the_version_in_use_has_all_that_is_used() -> None:
    library = amqp_library()
    assert parts_of(same_as(library)) == library


@pytest.mark.parametrize("name", sorted(WHERE))
def test_a_version_that_lacks_a_part_is_refused_and_the_known_ones_are_named(name: str) -> None:
    with pytest.raises(OldDependency, match=WHERE[name][1]) as raised:
        parts_of(same_as(amqp_library(), **{name: None}))
    assert "5.14.0 to 5.15.1" in str(raised.value.hint)


@pytest.mark.parametrize("name", sorted(METHODS))
def test_a_part_that_does_no_longer_what_it_did_is_refused(name: str) -> None:
    with pytest.raises(OldDependency, match=f"{WHERE[name][1]}.{METHODS[name][0]}"):
        parts_of(same_as(amqp_library(), **{name: SimpleNamespace()}))


def test_a_package_that_has_moved_is_refused() -> None:
    with pytest.raises(OldDependency):
        parts_of(SimpleNamespace())


def test_one_file_alone_names_the_package() -> None:
    naming = [
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*.py")
        if "_pyamqp" in path.read_text(encoding="utf-8")
    ]
    assert naming == ["transport/amqp_library.py"]
