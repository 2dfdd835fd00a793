"""Ids as the API makes them: a prefix and 21 letters and digits."""

import string
from secrets import token_bytes

_ALPHABET = string.ascii_letters + string.digits


def new_id(prefix: str) -> str:
    """A fresh id, such as `item_` and 21 random letters and digits."""
    return f"{prefix}_{''.join(_ALPHABET[byte % len(_ALPHABET)] for byte in token_bytes(21))}"
