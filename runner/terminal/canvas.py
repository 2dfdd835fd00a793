"""What a terminal shows below the text that is done: the row being written, a live line, and the prompt."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from prompt_toolkit.application import Application
from prompt_toolkit.filters import Condition
from prompt_toolkit.formatted_text import ANSI, to_formatted_text
from prompt_toolkit.layout import ConditionalContainer, FormattedTextControl, HSplit, Layout, Window
from prompt_toolkit.output import ColorDepth
from prompt_toolkit.renderer import print_formatted_text
from prompt_toolkit.styles import Style
from prompt_toolkit.utils import get_cwidth

from runner.terminal.entry import CONTINUED, PROMPT
from runner.terminal.word_wrap import wrapped

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from prompt_toolkit.formatted_text import StyleAndTextTuples
    from prompt_toolkit.input import Input
    from prompt_toolkit.output import Output

    from runner.terminal.entry import Entry
    from runner.terminal.markdown_text import MarkdownText

_MOST_ROWS_BEGUN = 8
"""So many of the last rows of a block that is not complete yet are shown."""
_REDRAW_S = 0.03
_TICK_S = 0.25
_PATIENCE_S = 2.0
"""How long a notice waits for the end of a row, in seconds."""
_STYLE = Style.from_dict(
    {"prompt": "ansicyan bold", "said": "ansicyan", "waiting": "dim", "live": "dim", "notice": "italic dim"}
)


class Canvas:
    """The region at the end of the terminal that is drawn again and again; what is done is written above it.

    All of it is used in the thread of the terminal only.

    Args:
        keys: What is read from the keyboard.
        output: What is drawn on.
        entry: Takes what is typed.
        live: Gives the live line, nothing where there is none.
        markdown: Renders answers, None where they are shown as they come.
    """

    def __init__(
        self,
        keys: Input,
        output: Output,
        entry: Entry,
        live: Callable[[], str],
        markdown: MarkdownText | None = None,
    ) -> None:
        self._markdown = markdown
        self._output = output
        self._entry = entry
        self._live = live
        self._row = ""
        """The row of the answer that is being written."""
        self._drawn_row = ""
        self._is_continued = False
        """Whether the row goes on with what the one above it has begun."""
        self._columns = output.get_size().columns
        self._notices: list[str] = []
        """What waits for the end of the row."""
        self._patience_s = 0.0
        output.enable_cpr = False  # type: ignore[attr-defined]  # a terminal that does not answer would get a warning
        rows = [_window(lambda: [("", self._row)] if self._row else []), _window(self._between)]
        self.application: Application[None] = Application(
            layout=Layout(HSplit([*rows, *entry.widgets]), focused_element=entry.area),
            style=_STYLE,
            key_bindings=entry.bindings(),
            input=keys,
            output=output,
            erase_when_done=True,
            min_redraw_interval=_REDRAW_S,
            terminal_size_polling_interval=None,
            before_render=lambda _: self._follow_size(),
            after_render=lambda _: self._note_drawn(),
        )

    async def run(self, take: Callable[[Canvas], Coroutine[None, None, None]]) -> None:
        """Draw and read keys until `stop`; raises `EOFError` where the terminal has gone.

        Args:
            take: Draws what others want to have drawn, until cancelled.
        """
        tasks: list[asyncio.Task[None]] = []

        def start() -> None:
            tasks.extend(asyncio.create_task(each) for each in (self._tick(), take(self)))

        try:
            await self.application.run_async(pre_run=start, handle_sigint=False, set_exception_handler=False)
        finally:
            for task in tasks:
                task.cancel()

    def stop(self) -> None:
        """End `run`; what is done stays on the terminal."""
        self.end_row()
        self._write_notices()
        if self.application.is_running and not self.application.is_done:
            self.application.exit()

    def fail(self, error: BaseException | None) -> None:
        """End `run` with what went wrong."""
        if self.application.is_running and not self.application.is_done:
            self.application.exit(exception=error or EOFError())

    def add_text(self, text: str) -> None:
        """Go on with the answer; it is wrapped between words, or rendered."""
        columns = self._output.get_size().columns
        if self._markdown:
            rendered = self._markdown.take(text, columns, has_colours=self._has_colours)
            self._add_rendered(rendered, self._markdown.begun)
            return
        if self._is_continued and (text := text.lstrip(" ")):
            self._is_continued = False
        *done, begun = (self._row + text).split("\n")
        *full, row = wrapped(begun, columns)
        done_rows = [*(each for line in done for each in wrapped(line, columns)), *full]
        self._row = row
        self._commit([("", f"{each}\n") for each in done_rows])
        if not row:
            self._write_notices()

    def end_answer(self) -> None:
        """Show the last block of an answer that is rendered."""
        if self._markdown:
            columns = self._output.get_size().columns
            self._add_rendered(self._markdown.end(columns, has_colours=self._has_colours), "")

    def add_notice(self, text: str) -> None:
        """Write lines in the voice of rt-run itself, once the row that is being written has ended, or soon."""
        self._notices.append(text)
        self._patience_s = _PATIENCE_S
        if not self._row:
            self._write_notices()

    def forget_entry(self) -> None:
        """Forget what is being typed; where it is nothing, say how to leave."""
        self._entry.forget()
        self.application.invalidate()

    def add_lines(self, text: str) -> None:
        """Write whole lines, which may be coloured, above the row that is being written."""
        if "\x1b" in text:
            self._commit(to_formatted_text(ANSI(text)))
        else:
            self._add_styled("class:notice", text.removesuffix("\n"))

    def _add_styled(self, style: str, text: str, *, first: str = "", others: str = "") -> None:
        """Write lines in one style, wrapped, above the row that is being written.

        Args:
            style: The style.
            text: The lines.
            first: What the first row begins with.
            others: What all others begin with.
        """
        columns = max(1, self._output.get_size().columns - len(first))
        rows = [row for line in text.split("\n") for row in wrapped(line, columns)]
        starts = [first, *[others] * len(rows)]
        self._commit([(style, f"{start}{row}\n") for start, row in zip(starts, rows, strict=False)])

    def add_said(self, text: str) -> None:
        """Write what the user has said."""
        self._add_styled("class:said", text, first=PROMPT, others=CONTINUED)

    def end_row(self) -> None:
        """End the row of the answer that is being written, if any."""
        self.end_answer()
        if self._row:
            self.add_text("\n")

    def _add_rendered(self, rendered: str, begun: str) -> None:
        """Write blocks of an answer that are complete, and show the last rows of the next one as they come."""
        columns = self._output.get_size().columns
        rows = [row for line in begun.rstrip().split("\n") for row in wrapped(line, columns)]
        self._row = "\n".join(rows[-_MOST_ROWS_BEGUN:])
        self._commit(to_formatted_text(ANSI(rendered)) if rendered else [])
        if not self._row:
            self._write_notices()

    @property
    def _has_colours(self) -> bool:
        return self.application.color_depth != ColorDepth.DEPTH_1_BIT

    def _commit(self, fragments: StyleAndTextTuples) -> None:
        """Write above the region, in one go with drawing it anew."""
        application = self.application
        if fragments:
            self._follow_size()
            application.renderer.erase(leave_alternate_screen=False)
            print_formatted_text(self._output, fragments, _STYLE, color_depth=application.color_depth)
            if application.is_running:
                application.renderer.render(application, application.layout)
                self._note_drawn()
        application.invalidate()

    def _write_notices(self) -> None:
        notices, self._notices = self._notices, []
        for text in notices:
            self._add_styled("class:notice", text)

    def _note_drawn(self) -> None:
        self._drawn_row = self._row

    def _follow_size(self) -> None:
        """Adapt to a terminal that has become narrower before anything is drawn again.

        It has broken the row that is being written in two, or cut it: what is drawn of it is left as it is.
        """
        columns, renderer = self._output.get_size().columns, self.application.renderer
        is_narrower, self._columns = columns < self._columns, columns
        drawn = renderer.last_rendered_screen
        if is_narrower and drawn and not self._markdown and get_cwidth(self._drawn_row) > columns:
            self._output.write_raw("\r")
            self._output.cursor_up(drawn.get_cursor_position(self.application.layout.current_window).y - 1)
            self._output.erase_down()
            renderer.reset()
            self._row = self._row[len(self._drawn_row) :].lstrip()
            self._drawn_row, self._is_continued = "", True

    def _between(self) -> StyleAndTextTuples:
        """What stands between the answer and the prompt: what waits to be said, and the live line."""
        lines: StyleAndTextTuples = [
            ("class:waiting", f"{PROMPT}{' '.join(each.split())}") for each in self._entry.waiting
        ]
        said = "\n".join(each for each in (self._entry.hint, self._live()) if each)
        columns = self._output.get_size().columns
        lines += [("class:live", row) for each in said.splitlines() for row in wrapped(each, columns)]
        breaks: StyleAndTextTuples = [("", "\n")] * len(lines)
        return [each for pair in zip(lines, breaks, strict=True) for each in pair][:-1]

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(_TICK_S)
            self._patience_s -= _TICK_S
            if self._patience_s < 0:
                self._write_notices()
            if self._live() or self._columns != self._output.get_size().columns:
                self.application.invalidate()


def _window(give: Callable[[], StyleAndTextTuples]) -> ConditionalContainer:
    """What this gives, which takes no row where it is nothing."""
    return ConditionalContainer(
        Window(FormattedTextControl(give), wrap_lines=True, dont_extend_height=True), Condition(lambda: bool(give()))
    )
