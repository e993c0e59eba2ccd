"""Texts for logs, with the secrets in them covered. Pure."""

import re

COVER = "***"
# Members of JSON documents that hold keys, in any case; a key's id or a certificate's thumbprint is no secret.
_JSON_KEY = re.compile(
    r'("(?:primaryKey|secondaryKey|symmetricKey|sharedAccessKey|key|sasToken|accessToken|password|connectionString)"'
    r'\s*:\s*")(?:[^"\\]|\\.)*',
    re.IGNORECASE,
)
_NAMED = re.compile(r"(SharedAccessKey=)[^;\"'\s\\]+", re.IGNORECASE)
_SIGNATURE = re.compile(r"\b(sig=)[^&;\"'\s\\]+", re.IGNORECASE)
_BEARER = re.compile(r"\b(Bearer )[^\s\"']+", re.IGNORECASE)


def masked(text: str) -> str:
    """`text` with the values of keys, signatures and bearer tokens replaced by ***."""
    for pattern in (_JSON_KEY, _NAMED, _SIGNATURE, _BEARER):
        text = pattern.sub(rf"\1{COVER}", text)
    return text
