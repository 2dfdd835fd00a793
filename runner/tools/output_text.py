"""Results as text for the model: whatever bytes came, within bounds."""

from typing import Final

_NOTE: Final = "\n[The result was longer; the rest is cut.]"
MARGIN_BYTES: Final = 4096
"""So much more than its bound is read of a result, in bytes, that a secret on the edge is masked before it is cut."""


def text_of(content: bytes) -> str:
    """Bytes as text: what is not UTF-8 becomes the replacement character, and final line breaks are left out."""
    return content.decode(errors="replace").rstrip("\r\n")


def cut(text: str, longest_bytes: int, *, is_cut: bool = False) -> tuple[str, bool]:
    """The text with at most so many bytes and without NUL, and whether it was cut; a note at its end tells the model.

    Args:
        text: A result.
        longest_bytes: The bound, the note included.
        is_cut: Whether the text is cut already.
    """
    content = text.replace("\x00", "\ufffd").encode(errors="replace")
    if not is_cut and len(content) <= longest_bytes:
        return content.decode(), False
    return content[: longest_bytes - len(_NOTE)].decode(errors="ignore") + _NOTE, True
