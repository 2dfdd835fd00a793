"""What the user types at a terminal: lines that are edited at a prompt, or single keys."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, Final

from prompt_toolkit.application import run_in_terminal
from prompt_toolkit.filters import Condition
from prompt_toolkit.key_binding import KeyBindings
from prompt_toolkit.keys import Keys
from prompt_toolkit.layout import Dimension
from prompt_toolkit.widgets import SearchToolbar, TextArea

from runner.terminal.suspension import suspend

if TYPE_CHECKING:
    from prompt_toolkit.buffer import Buffer
    from prompt_toolkit.history import History
    from prompt_toolkit.key_binding import KeyPressEvent

    from runner.terminal.keyboard import Keyboard

PROMPT: Final = "> "
CONTINUED: Final = "  "
"""What stands before the second row of a line, and those that follow."""
_MOST_ROWS = 10


class Entry:
    """Reads the keyboard in the thread of the terminal.

    Args:
        keyboard: Takes what was typed.
        history: What was typed before; None where single keys are read.

    Attributes:
        area: Where lines are edited, None where single keys are read.
        widgets: What there is to be drawn.
        hint: What the user has to know of the last key.
    """

    def __init__(self, keyboard: Keyboard, history: History | None) -> None:
        self._keyboard = keyboard
        self.hint = ""
        self.area: TextArea | None = None
        self.widgets: list[TextArea | SearchToolbar] = []
        if history is not None:
            search = SearchToolbar()
            self.area = self._text_area(history, search)
            self.widgets = [self.area, search]

    @property
    def waiting(self) -> list[str]:
        """The lines that wait to be said."""
        return self._keyboard.waiting if self.area else []

    def type_in(self, typed: str, *, is_over: bool) -> None:
        """Take what was typed before the keys were read here.

        Args:
            typed: Whole lines and the beginning of one, or keys.
            is_over: Whether the user has left after it.
        """
        if self.area is None:
            self._press(typed)
        else:
            *lines, begun = typed.replace("\r", "\n").split("\n")
            for line in lines:
                self._keyboard.put(line)
            self.area.buffer.insert_text(begun)
            if is_over and begun:
                self.area.buffer.validate_and_handle()
        if is_over:
            self._keyboard.leave()

    def forget(self) -> None:
        """Forget what was typed; where it is nothing, say how to leave."""
        if self.area and self.area.text:
            self.area.buffer.reset()
        else:
            self.hint = "Ctrl-D leaves"

    def bindings(self) -> KeyBindings:
        """What the keys do besides editing."""
        bindings, is_empty = KeyBindings(), Condition(lambda: not (self.area and self.area.text))
        bindings.add("c-c")(self._interrupt)
        bindings.add("c-z")(lambda _: run_in_terminal(suspend))
        bindings.add("c-d", filter=is_empty)(lambda _: self._leave())
        if self.area:
            bindings.add("enter")(lambda event: event.current_buffer.validate_and_handle())
            bindings.add("escape", "enter")(lambda event: event.current_buffer.insert_text("\n"))
        else:
            bindings.add(Keys.Any)(lambda event: self._press(event.data))
        return bindings

    def _text_area(self, history: History, search: SearchToolbar) -> TextArea:
        return TextArea(
            prompt=[("class:prompt", PROMPT)],
            get_line_prefix=lambda number, wraps: CONTINUED if number or wraps else "",
            height=Dimension(min=1, max=_MOST_ROWS),
            dont_extend_height=True,
            history=history,
            search_field=search,
            accept_handler=self._accept,
        )

    def _accept(self, entry: Buffer) -> bool:
        """Take a line; returns whether it has to stay where it was typed."""
        self.hint = ""
        return bool(entry.text.strip()) and not self._keyboard.put(entry.text)

    def _press(self, keys: str) -> None:
        for key in keys:
            self._keyboard.put(key)

    def _leave(self) -> None:
        self.hint = "" if self._keyboard.is_awaited else "leaving after this; Ctrl-C stops it"
        self._keyboard.leave()

    def _interrupt(self, _event: KeyPressEvent) -> None:
        if not self._keyboard.heeds_interrupts:
            os.kill(os.getpid(), signal.SIGINT)
        elif self._keyboard.is_awaited:
            self.forget()
        else:
            self._keyboard.interrupts.put("")
