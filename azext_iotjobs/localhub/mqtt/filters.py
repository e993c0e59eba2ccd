"""Topic filters: which topics they match. Pure.

Source: OASIS MQTT 3.1.1, 4.7; [MQTT-x] names its normative statements. Filters and topics were validated before.
"""


def matches(topic_filter: str, topic: str) -> bool:
    """Whether a filter matches a topic."""
    if _excludes(topic_filter, topic):
        return False
    levels, names = topic_filter.split("/"), topic.split("/")
    for at, level in enumerate(levels):
        if level == "#":  # matches the level above it, too [MQTT-4.7.1-2]
            return True
        if at == len(names) or level not in ("+", names[at]):
            return False
    return len(levels) == len(names)


def overlap(one: str, other: str) -> bool:
    """Whether there may be a topic that two filters both match."""
    if _excludes(one, other) or _excludes(other, one):
        return False
    levels = one.split("/"), other.split("/")
    for at in range(max(map(len, levels))):
        pair = [each[at] if at < len(each) else None for each in levels]
        if "#" in pair:
            return True
        if None in pair or ("+" not in pair and pair[0] != pair[1]):
            return False
    return True


def _excludes(topic_filter: str, topic: str) -> bool:
    """A filter that begins with a wildcard does not match topics that begin with $ [MQTT-4.7.2-1]."""
    return topic_filter[:1] in ("+", "#") and topic[:1] == "$"
