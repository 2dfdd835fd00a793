"""What was meant by a word that nothing knows: said only where it is near, because a wrong guess leads astray."""

import re
from collections.abc import Collection

_LONGEST = 100
"""No name that anybody means is longer, in letters."""
_CUTOFF = 0.72
"""How alike two words must be: one wrong, missing, additional or swapped letter in four, two in eight."""
MOST_GUESSES = 20
"""So many wrong names of a profile are guessed at; whoever has more knows that the file is another one."""
_SURE = 0.85
"""Alike enough to be meant, whatever else might be."""
_LONG_BEGINNING = 7
"""Words that begin alike for so long differ in their ending, as `transcribe` and `transcription`."""
_SHORTEST_BEGINNING = 3
_ASKED = "did you mean "


def nearest(given: str, words: Collection[str], *, most: int = 1) -> list[str]:
    """The words that were probably meant, the best first; none where no word is near.

    Args:
        given: What was written.
        words: What there is.
        most: The most words to name.
    """
    if not given or len(given) > _LONGEST:
        return []
    folded = given.lower()
    known = {word.lower(): word for word in words}
    if folded in known:
        return [known[folded]]
    import difflib

    def alike(cutoff: float) -> list[str]:
        return [known[word] for word in difflib.get_close_matches(folded, sorted(known), n=most, cutoff=cutoff)]

    if near := alike(_SURE):
        return near
    for part in re.split(r"[^a-z0-9]+", folded):
        # `azure-openai` is Azure's, whatever else is like it.
        if part in known and len(part) >= _SHORTEST_BEGINNING:
            return [known[part]]
    begun = [word for word in known if len(folded) >= _SHORTEST_BEGINNING and word.startswith(folded)]
    if len(begun) != 1 and len(folded) >= _LONG_BEGINNING:
        begun = [word for word in known if word.startswith(folded[:_LONG_BEGINNING])]
    return [known[begun[0]]] if len(begun) == 1 else alike(_CUTOFF)


def suggested(word: str) -> str:
    """The hint at the one word that was probably meant."""
    return f"{_ASKED}{word}?"


def named_in(hint: str) -> str:
    """The word that such a hint names, nothing where it is another hint."""
    return hint.removeprefix(_ASKED).removesuffix("?") if hint.startswith(_ASKED) else ""


def choice(words: list[str]) -> str:
    """The words in quotes, as a sentence lists what there is to choose from."""
    quoted = [f'"{word}"' for word in words]
    return " or ".join([", ".join(quoted[:-1]), quoted[-1]]) if len(quoted) > 1 else "".join(quoted)
