"""A chat with a running session: lines go in, answers come out, whoever asked."""

from __future__ import annotations

import signal
import sys
from contextlib import suppress
from queue import SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING, Any

from runner.errors import SessionAbsent
from runner.operations.control_client import result_of

if TYPE_CHECKING:
    from runner.operations.control_client import ControlClient

_PROMPT = "> "


def attach(client: ControlClient, session: dict[str, Any]) -> int:
    """Chat with a session until the user leaves or it ends; returns 0. Ctrl-C cancels an answer, Ctrl-D leaves."""
    with suppress(ValueError):  # elsewhere than in the main thread Ctrl-C is not ours
        signal.signal(signal.SIGINT, signal.default_int_handler)
    chat = _AttachedChat(client, session)
    if sys.stdin.isatty():
        sys.stderr.write(f"attached to {session['profile']} · Ctrl-C stops an answer, Ctrl-D leaves\n")
    Thread(target=chat.read, daemon=True).start()
    for line in iter(_next_line, None):
        if text := line.strip():
            chat.ask(text)
    chat.is_left = True
    return 0


def _next_line() -> str | None:
    """The user's next line, None where the user leaves."""
    if not sys.stdin.isatty():
        return sys.stdin.readline() or None
    try:
        return input(_PROMPT)
    except EOFError:
        sys.stdout.write("\n")
        return None
    except KeyboardInterrupt:
        sys.stderr.write("\n(Ctrl-D leaves)\n")
        return ""


class _AttachedChat:
    """One connection on which the session's text comes and questions go.

    Args:
        client: The connection.
        session: Which session it is.

    Attributes:
        is_left: Whether the user leaves, so that the end of the connection is no news.
    """

    def __init__(self, client: ControlClient, session: dict[str, Any]) -> None:
        self._client = client
        self._session = session
        self._news: SimpleQueue[dict[str, Any] | None] = SimpleQueue()
        """What is no text, in order; None at the end."""
        self.is_left = False
        self._following = client.send("attach", **session)

    def read(self) -> None:
        """Show what the session says, until it ends."""
        for message in self._client.messages():
            if "text" in message:
                sys.stdout.write(message["text"])
                sys.stdout.flush()
            elif message.get("id") == self._following and message.get("ok"):
                break
            else:
                self._news.put(message)
        if not self.is_left:
            sys.stderr.write("the session has ended\n")
        self._news.put(None)

    def ask(self, text: str) -> None:
        """Say something, and wait until it is answered; raises what it is refused with."""
        number = self._client.send("say", text=text, **self._session)
        answered: set[str] = set()
        result: dict[str, Any] = {}
        while result.get("event_id") not in answered and result.get("confirmed") is not False:
            message = self._next()
            if message is None:
                raise SessionAbsent("the session has ended")
            if "answered" in message:
                answered.add(message["answered"])
            elif message.get("id") in {number, self._following, None}:
                result = result_of(message)

    def _next(self) -> dict[str, Any] | None:
        while True:
            try:
                return self._news.get()
            except KeyboardInterrupt:
                self._client.send("cancel", **self._session)
