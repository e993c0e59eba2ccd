"""A behaviour file -> how the devices of a simulation behave. docs/reference/behaviour-file.md describes the format.

Each error names the file, the line and the path of what is wrong, and says what is allowed.
"""

from collections.abc import Sequence
from pathlib import Path

from azext_iotjobs import simulator
from azext_iotjobs.cli.input.scalars import bytes_of_file, shown, text_of
from azext_iotjobs.cli.input.yaml_items import Item
from azext_iotjobs.cli.input.yaml_reader import read
from azext_iotjobs.cli.simulate.behaviour.rules import BEHAVIOUR_KEYS, behaviour_of
from azext_iotjobs.cli.simulate.behaviour.steps import share_of
from azext_iotjobs.model.errors import BadValue
from azext_iotjobs.model.similar import did_you_mean
from azext_iotjobs.simulator.behaviour import REST, Behaviour, Group, SimulationBehaviour

OPTION = "--behaviour-file"
READY_MADE = Path(simulator.__file__).parent / "ready_made"
MAX_GROUPS = 100
MAX_BASED_ON = 100  # each of them is a file to read


def ready_made_names() -> list[str]:
    """The names of the ready-made behaviours."""
    return sorted(path.stem for path in READY_MADE.glob("*.yaml"))


def ready_made(names: Sequence[str], option: str) -> Behaviour:
    """Ready-made behaviours, each changing the one before. Raises BadValue for an unknown name."""
    behaviour, known = Behaviour(), ready_made_names()
    for name in names:
        if name not in known:
            like = did_you_mean(name, known)
            raise BadValue(f"{option}: {shown(name)} is not ready-made{like}, allowed: {', '.join(known)}.")
        behaviour = _with_ready_made(name, behaviour)
    return behaviour


def _with_ready_made(name: str, base: Behaviour) -> Behaviour:
    top = read((READY_MADE / f"{name}.yaml").read_text(encoding="utf-8"), f"{name}.yaml")
    return behaviour_of(top.members(allowed=BEHAVIOUR_KEYS), base)


def behaviour_file(path: str, base: Behaviour) -> SimulationBehaviour:
    """Read a file, or standard input for "-".

    base: the behaviour that the file's rules change.
    Raises BadValue.
    """
    from azext_iotjobs.cli.input import stdin  # here: it needs knack, and a text is read without az too

    if path == stdin.MARK:
        content, name = stdin.read(OPTION), "(standard input)"
    else:
        content, name = bytes_of_file(path, OPTION), path
    return parse_behaviour(text_of(content, OPTION, name), f"{OPTION} {name}", base)


def parse_behaviour(content: str, name: str, base: Behaviour) -> SimulationBehaviour:
    """Read a text in YAML or JSON.

    name: how errors name it.  base: the behaviour that its rules change.
    Raises BadValue.
    """
    given = read(content, name).members(allowed=("based-on", *BEHAVIOUR_KEYS, "groups"))
    if "based-on" in given:
        base = _based_on(given["based-on"], base)
    rest = behaviour_of(given, base)
    groups = _groups(given["groups"], rest) if "groups" in given else ()
    return SimulationBehaviour(otherwise=Group(name=REST, behaviour=rest), groups=groups)


def _based_on(item: Item, base: Behaviour) -> Behaviour:
    known = {name: name for name in ready_made_names()}
    listed = item.items() if item.is_list else [item]
    if len(listed) > MAX_BASED_ON:
        raise item.wrong(f"{len(listed)} names, allowed: {MAX_BASED_ON}")
    for each in listed:
        base = _with_ready_made(each.one_of(known), base)
    return base


def _groups(item: Item, rest: Behaviour) -> tuple[Group, ...]:
    groups: list[Group] = []
    for name, each in item.members().items():
        if name in ("", REST):
            each.refuse(f"a group with a name, another one than {REST}")
        groups.append(_group(each, name, rest))
    if len(groups) > MAX_GROUPS:
        raise item.wrong(f"{len(groups)} groups, allowed: {MAX_GROUPS}")
    total = sum(group.share or 0.0 for group in groups)
    if total > 1 + 1e-9:
        raise item.wrong(f"the shares come to {total:g}, allowed: 1 in all")
    return tuple(groups)


def _group(item: Item, name: str, rest: Behaviour) -> Group:
    given = item.members(allowed=("share", "tags", *BEHAVIOUR_KEYS))
    if ("share" in given) == ("tags" in given):
        raise item.wrong("share or tags, one of them, says which devices are in the group")
    behaviour = behaviour_of(given, rest)
    if "share" in given:
        return Group(name=name, behaviour=behaviour, share=share_of(given["share"]))
    tags = {tuple(path.split(".")): _tag(each) for path, each in given["tags"].members().items()}
    if not tags:
        given["tags"].refuse("one tag or more, such as {site: north}")
    return Group(name=name, behaviour=behaviour, tags=tags)


def _tag(item: Item) -> object:
    value = None if item.is_object or item.is_list else item.scalar()
    if value is None:
        item.refuse("a text, a number, true or false; nested tags are named with dots: {place.site: north}")
    return value
