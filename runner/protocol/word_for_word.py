"""The instructions by which a model is asked to say a text as it stands, and whether it did."""

import re
import unicodedata

_TASK = (
    "Say exactly the text below, word for word and in its own language. "
    "Say nothing before it and nothing after it, and change nothing in it.\n\n"
)
_WORD = re.compile(r"\w+")


def recital(text: str) -> str:
    """The instructions of a response that is to say this text and nothing else."""
    return _TASK + text


def recited(instructions: str) -> str | None:
    """The text that such instructions ask for, None for other instructions."""
    return instructions.removeprefix(_TASK) if instructions.startswith(_TASK) else None


def other_words(text: str, said: str) -> int:
    """How many words were left out, added or said otherwise; case and punctuation make no difference."""
    wanted, heard = _words(text), _words(said)
    if wanted == heard:
        return 0
    # Who says all words right need not wait for its import.
    from difflib import SequenceMatcher

    changes = SequenceMatcher(None, wanted, heard, autojunk=False).get_opcodes()
    return sum(max(end - start, to - at) for kind, start, end, at, to in changes if kind != "equal")


def _words(text: str) -> list[str]:
    return _WORD.findall(unicodedata.normalize("NFKC", text).casefold())
