"""Characters that nobody sees, or takes for others, and that came along when a text was copied."""

import unicodedata

_QUOTES = {'"': '"', "'": "'", "`": "`", "“": "”", "\u2018": "\u2019", "«": "»", "„": "“"}
_INNER_QUOTES = "\"'`“”\u2018\u2019"
_ASCII = {"\t": "tab", "\n": "line break", "\r": "carriage return", "\x00": "NUL", "\x1b": "escape", " ": "space"}


def oddity(text: str, *, is_name: bool) -> tuple[str, str]:
    """What is odd in a value, such as `ends with a carriage return`, and a hint; two empty texts where nothing is.

    Args:
        text: The value, not empty.
        is_name: Whether it is a name, in which quotes and the longer dashes are odd too.
    """
    if len(text) > 1 and _QUOTES.get(text[0]) == text[-1]:
        return "has quotes around it that are a part of the value", "leave them out"
    if text[0].isspace():
        return f"begins with {called(text[0])}", "remove it"
    if text[-1].isspace():
        return f"ends with {called(text[-1])}", "remove it"
    odd = first_odd(text, more="") if not is_name else first_odd(text, more=_INNER_QUOTES)
    return (f"holds {called(odd)}", "type it anew: it came along with a copy") if odd else ("", "")


def first_odd(text: str, *, more: str) -> str:
    """The first character that is odd; empty where none is.

    Args:
        text: Any text.
        more: Further characters that are odd here; with any, the longer dashes are odd too.
    """
    if text.isascii() and text.isprintable() and not more:
        return ""
    return next((each for each in text if _is_invisible(each) or each in more or (more and _is_dash(each))), "")


def called(character: str) -> str:
    """What a character is called, with its article and code."""
    name = _ASCII.get(character) or unicodedata.name(character, "").lower() or "control character"
    code = "" if character in _ASCII else f" (U+{ord(character):04X})"
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}{code}"


def _is_invisible(character: str) -> bool:
    category = unicodedata.category(character)
    return category in {"Cc", "Cf", "Zl", "Zp"} or (category == "Zs" and character != " ")


def _is_dash(character: str) -> bool:
    """Whether it stands for a hyphen in a PDF or a word processor."""
    return character != "-" and unicodedata.category(character) == "Pd"
