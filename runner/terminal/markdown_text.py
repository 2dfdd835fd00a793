"""Markdown as a terminal shows it: block by block, as an answer streams."""

from __future__ import annotations

import re
from io import StringIO

from runner.errors import ProfileError
from runner.installation import install_command

_CONTROL = re.compile(r"\x1b\[[0-9;]*m")
_FENCES = ("```", "~~~")


class MarkdownText:
    """Cuts the text of an answer into blocks, and renders each of them once it is complete.

    Raises:
        ProfileError: Rich is not installed.
    """

    def __init__(self) -> None:
        try:
            import rich.markdown
        except ImportError:
            msg = "Markdown is rendered by Rich, which is not installed"
            raise ProfileError(msg, hint=install_command("markdown")) from None
        self._rich = rich.markdown
        self.begun = ""
        """What has come of the block that is not complete yet."""
        self._has_block = False

    def take(self, text: str, columns: int, *, has_colours: bool) -> str:
        """Take in text of an answer; returns what it completes, with the control sequences of a terminal.

        Args:
            text: What has come.
            columns: How wide the terminal is.
            has_colours: Whether colours may be used.
        """
        *lines, rest = (self.begun + text).split("\n")
        block: list[str] = []
        rendered, fence = "", ""
        for line in lines:
            mark = line.strip()[:3]
            if fence:
                fence = "" if mark == fence else fence
            elif mark in _FENCES:
                fence = mark
            if line.strip() or fence:
                block.append(line)
            elif block:
                rendered += self._rendered(block, columns, has_colours=has_colours)
                block = []
        self.begun = "\n".join([*block, rest])
        return rendered

    def end(self, columns: int, *, has_colours: bool) -> str:
        """The answer has ended; returns what is left of it, rendered."""
        rest, self.begun = self.begun, ""
        rendered = self._rendered([rest], columns, has_colours=has_colours) if rest.strip() else ""
        self._has_block = False
        return rendered

    def _rendered(self, block: list[str], columns: int, *, has_colours: bool) -> str:
        from rich.console import Console

        shown = StringIO()
        console = Console(
            file=shown,
            force_terminal=True,
            width=columns,
            color_system="standard" if has_colours else None,
            highlight=False,
            legacy_windows=False,
        )
        console.print(self._rich.Markdown("\n".join(block), code_theme="ansi_dark", hyperlinks=False))
        gap, self._has_block = "\n" if self._has_block else "", True
        return gap + "".join(f"{line}\n" for line in _without_margins(shown.getvalue().splitlines()))


def _without_margins(lines: list[str]) -> list[str]:
    """The lines without those at both ends that show nothing."""
    seen = [at for at, line in enumerate(lines) if _CONTROL.sub("", line).strip()]
    return lines[seen[0] : seen[-1] + 1] if seen else []
