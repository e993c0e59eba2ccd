"""Reads Prometheus' text format 0.0.4 as its description has it, and refuses what is not that."""

import re
from dataclasses import dataclass, field

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
HELP = re.compile(rf"# HELP ({NAME}) (.*)")
TYPE = re.compile(rf"# TYPE ({NAME}) (counter|gauge|histogram|summary|untyped)")
SAMPLE = re.compile(rf"({NAME})(?:\{{(.*)\}})? (NaN|[+-]?(?:Inf|[0-9.]+(?:e[+-]?[0-9]+)?))")
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"(,|$)')
ESCAPES = {r"\\": "\\", r"\"": '"', r"\n": "\n"}


@dataclass
class Family:
    """One metric; samples by what follows its name, and their labels."""

    kind: str
    help: str
    samples: dict[tuple[str, tuple[tuple[str, str], ...]], float] = field(default_factory=dict)

    def value(self, suffix: str = "", **labels: str) -> float:
        return self.samples[suffix, tuple(sorted(labels.items()))]


def parse(page: str) -> dict[str, Family]:
    """The metrics of a page, by name; samples of one stand together, behind its HELP and TYPE."""
    assert page.endswith("\n")
    families: dict[str, Family] = {}
    helps: dict[str, str] = {}
    current = ""
    for line in page.splitlines():
        if found := HELP.fullmatch(line):
            assert found[1] not in helps, f"two HELP lines for {found[1]}"
            helps[found[1]] = found[2]
        elif found := TYPE.fullmatch(line):
            current = found[1]
            assert current not in families, f"two TYPE lines for {current}"
            families[current] = Family(found[2], helps[current])
        else:
            found = SAMPLE.fullmatch(line)
            assert found is not None, f"no sample: {line!r}"
            assert found[1].startswith(current), f"{line!r} stands among the samples of {current}"
            suffix = found[1][len(current) :]
            allowed = ("_bucket", "_sum", "_count") if families[current].kind == "histogram" else ("",)
            assert suffix in allowed, line
            key = (suffix, tuple(sorted(_labels(found[2] or ""))))
            assert key not in families[current].samples, f"twice: {line!r}"
            families[current].samples[key] = float(found[3])
    for name, family in families.items():
        assert (family.kind == "counter") == name.endswith("_total"), name
    return families


def _labels(text: str) -> list[tuple[str, str]]:
    labels, at = [], 0
    while at < len(text):
        found = LABEL.match(text, at)
        assert found is not None, f"no label: {text[at:]!r}"
        labels.append((found[1], re.sub(r'\\[\\"n]', lambda escape: ESCAPES[escape[0]], found[2])))
        at = found.end()
    return labels
