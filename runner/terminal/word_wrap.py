"""Text cut into rows of a terminal, between words where that is possible."""

from prompt_toolkit.utils import get_cwidth

_TAB_COLUMNS = 8


def wrapped(text: str, columns: int) -> list[str]:
    """The rows that one line of text takes, at least one; a letter may be two columns wide, or none.

    Args:
        text: A line, without its break.
        columns: How wide a row is, in columns.
    """
    text = text.expandtabs(_TAB_COLUMNS)
    rows: list[str] = []
    start = 0
    while (end := _fitting(text, start, columns)) < len(text):
        space = text.rfind(" ", start, end + 1)
        if space > start and text[start:space].strip():
            rows.append(text[start:space])
            start = space + 1
        else:
            rows.append(text[start:end])
            start = end
    return [*rows, text[start:]]


def _fitting(text: str, start: int, columns: int) -> int:
    """Where the row ends that begins at `start`, before it is cut between words."""
    if text.isascii():
        return min(len(text), start + columns)
    width = 0
    for at in range(start, len(text)):
        width += get_cwidth(text[at])
        if width > columns and at > start:
            return at
    return len(text)
