"""Texts for logs, with the secrets in them covered. Pure."""

import re

COVER = "***"
MAX_SHOWN = 4000  # characters of one body
# Not compiled here: most commands end without a log. `re` keeps what it has compiled.
_SECRETS = (
    # Members of JSON documents that hold keys, in any case; a key's id or a certificate's thumbprint is no secret.
    r'("(?:primaryKey|secondaryKey|symmetricKey|sharedAccessKey|key|sasToken|accessToken|password|connectionString)"'
    r'\s*:\s*")(?:[^"\\]|\\.)*',
    r"(SharedAccessKey=)[^;\"'\s\\]+",
    r"\b(sig=)[^&;\"'\s\\]+",
    r"\b(Bearer )[^\s\"']+",
    r"(//)[^/@\s:]+:[^/@\s]+(?=@)",  # of a proxy
)


def masked(text: str) -> str:
    """`text` with the values of keys, signatures and bearer tokens replaced by ***."""
    for pattern in _SECRETS:
        text = re.sub(pattern, rf"\1{COVER}", text, flags=re.IGNORECASE)
    return text


class Shown:
    """A body as a log shows it: masked, on one line, not long. Made only when the log is really written."""

    def __init__(self, body: bytes | str | None) -> None:
        self._body = body

    def __str__(self) -> str:
        body = self._body
        if not body:
            return "no body"
        # Masked before it is cut: half a key must not stay.
        text = masked(body if isinstance(body, str) else body.decode("utf-8", "backslashreplace"))
        line = "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text[:MAX_SHOWN])
        return line if len(text) <= MAX_SHOWN else f"{line}… ({len(text)} characters)"
