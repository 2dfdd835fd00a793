"""Word error rate: how far what was understood is from what was said."""

import re
from collections.abc import Sequence

_NO_WORD = re.compile(r"[^\w\s']")


def words(text: str) -> list[str]:
    """The words of a text without case and punctuation."""
    return _NO_WORD.sub(" ", text.lower()).split()


def errors(said: str, understood: str) -> int:
    """The fewest words that must be replaced, added or left out."""
    return _distance(words(said), words(understood))


def _distance(said: Sequence[str], understood: Sequence[str]) -> int:
    row = list(range(len(understood) + 1))
    for number, word in enumerate(said, start=1):
        above, row = row, [number]
        for index, other in enumerate(understood):
            row.append(min(above[index + 1] + 1, row[index] + 1, above[index] + (word != other)))
    return row[-1]
