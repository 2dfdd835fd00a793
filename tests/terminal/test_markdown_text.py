"""Markdown on a terminal, block by block."""

import re
import sys

import pytest

from runner.errors import ProfileError
from runner.installation import install_command
from runner.terminal.markdown_text import MarkdownText

pytest.importorskip("rich")

ANSWER = """\
Some **bold** text that is wrapped
here, and `code`.

- one
- two


```python
def f():

    return 1
```

| a | b |
|---|---|
| 1 | 2 |

The end."""
SHOWN = """\
Some bold text that is wrapped
here, and code.

 • one
 • two

 def f():

     return 1

 a  b
 ────
 1  2

The end.
"""


def plain(text: str) -> str:
    """What shows of a text, without its colours and the spaces that fill its rows."""
    rows = re.sub(r"\x1b\[[0-9;]*m", "", text).split("\n")
    return "\n".join(each.rstrip() for each in rows)


@pytest.mark.parametrize("size", [1, 7, len(ANSWER)])
def test_an_answer_is_rendered_whatever_its_pieces(size: int) -> None:
    """A block is shown when it is complete; a line that is empty in a fence ends none."""
    markdown = MarkdownText()
    shown = "".join(markdown.take(ANSWER[at : at + size], 30, has_colours=True) for at in range(0, len(ANSWER), size))
    assert markdown.begun == "The end."
    shown += markdown.end(30, has_colours=True)

    assert plain(shown) == SHOWN
    assert "\x1b[1mbold\x1b[0m" in shown
    assert markdown.begun == ""
    assert plain(markdown.take("Another.\n\n", 30, has_colours=False)) == "Another.\n"


@pytest.mark.parametrize("text", ["", "\n\n", "```\n", "|", "[](", "\t", "<b>", "1. ", "#", "> " * 50, "*" * 500])
def test_odd_text_is_shown_all_the_same(text: str) -> None:
    """Nothing that a model says stops the terminal."""
    markdown = MarkdownText()
    markdown.take(text, 1, has_colours=True)
    markdown.end(1, has_colours=True)


def test_without_rich_it_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The hint says how it is added."""
    monkeypatch.setitem(sys.modules, "rich.markdown", None)
    with pytest.raises(ProfileError, match="Rich, which is not installed") as raised:
        MarkdownText()
    assert raised.value.hint == install_command("markdown")
