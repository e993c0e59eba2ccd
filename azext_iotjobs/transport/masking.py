"""Texts for logs, with the secrets in them covered. Pure.

A hub's keys stand in identities, in keys that were renewed and in policies. What users call their own things in tags,
properties and payloads is not ours to hide: there a name alone covers nothing, unless the value has the form of a key.
"""

import re

COVER = "***"
MAX_SHOWN = 4000  # characters of one body
USERS_OWN = ("tags", "desired", "reported", "payload")  # members below which the names are the user's
USERS_PATH = "properties."  # so begin the names of members of configurations that do the same
KEYS = ("primarykey", "secondarykey", "symmetrickey", "sharedaccesskey")
PERHAPS_KEYS = (*KEYS, "key")  # no document of a hub's has a secret called so
# Whoever's they are; a key's id or a certificate's thumbprint is not a secret.
ALWAYS = ("sastoken", "accesstoken", "password", "connectionstring")
# Not compiled here: most commands end without a log. `re` keeps what it has compiled.
_TOKEN = r'"(?:[^"\\]|\\.)*"|[{}\[\]:,]'
_KEY_FORM = r"(?:[A-Za-z0-9+/]{4}){5,21}(?:[A-Za-z0-9+/]{4}|[A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{2}==)"  # of 16 to 64 bytes
_SECRETS = (
    # JSON within a text of JSON.
    rf'(\\"(?:{"|".join((*KEYS, *ALWAYS))})\\"\s*:\s*\\")(?:[^"\\]|\\\\(?:\\")?)*',
    r"((?:SharedAccess|Account)Key=)[^;\"'\s\\]+",
    r'("value"\s*:\s*")[A-Za-z0-9+/]{86}==(?=")',  # in a list of a storage account's keys
    r"\b(sig=)[^&;\"'\s\\]+",
    r"\b(Bearer )[^\s\"']+",
    r"(//)[^/@\s:]+:[^/@\s]+(?=@)",  # of a proxy
)


def masked(text: str) -> str:
    """`text` with the values of keys, signatures and bearer tokens replaced by ***."""
    covered = _members_masked(text, knows_users=True) or _members_masked(text, knows_users=False) or ""
    for pattern in _SECRETS:
        covered = re.sub(pattern, rf"\1{COVER}", covered, flags=re.IGNORECASE)
    return covered


def _members_masked(text: str, *, knows_users: bool) -> str | None:
    """`text` with the secret members of the JSON in it covered, the rest as it was.

    knows_users: whether to tell users' data from the rest; then None when the text is not whole: where it ends early,
    what follows would be taken for a user's.
    """
    pieces: list[str] = []
    done = 0
    is_users = [False]  # by objects and lists that are open, the outermost first
    name: str | None = None  # of the member whose value comes
    has_colon = False
    for token in re.finditer(_TOKEN, text):
        word = token.group()
        if word in ("{", "["):
            is_users.append(is_users[-1] or (knows_users and has_colon and _begins_users(name or "")))
        elif word in ("}", "]") and len(is_users) > 1:
            is_users.pop()
        elif word in ("}", "]") and knows_users:
            return None
        if word == ":":
            has_colon = name is not None
        elif word[0] == '"' and not has_colon:
            name = word[1:-1].lower()
        else:
            if word[0] == '"' and _is_secret(name or "", word[1:-1], is_users=is_users[-1]):
                pieces += (text[done : token.start() + 1], COVER)
                done = token.end() - 1
            name, has_colon = None, False
    if knows_users and len(is_users) > 1:
        return None
    return "".join((*pieces, text[done:]))


def _begins_users(name: str) -> bool:
    return name in USERS_OWN or name.startswith(USERS_PATH)


def _is_secret(name: str, value: str, *, is_users: bool) -> bool:
    if not value:
        return False  # of two keys that were renewed, the one that was not; who reads the log must see which
    if name in ALWAYS:
        return True
    if name in KEYS and not is_users:
        return True
    return name in PERHAPS_KEYS and re.fullmatch(_KEY_FORM, value) is not None


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
