"""The stream of a chat completion: bytes in, pieces of text and calls of functions out, without I/O."""

from typing import Any, Final

from runner.local.speech.language_model import NoAnswer
from runner.local.speech.replies import Call
from runner.protocol.json_text import dumps, loads

MAX_STREAM_BYTES: Final = 16 * 1024 * 1024
"""The longest answer with all that surrounds it, in bytes."""
MAX_LINE_BYTES: Final = 1024 * 1024
"""The longest line of it, in bytes."""
_DATA: Final = b"data:"
_END: Final = b"[DONE]"
_BROKEN_OFF: Final = frozenset({"abort", "cancelled", "error"})
"""Reasons to stop that are not the model's."""


class ChatStream:
    """Reads one answer, which comes as server-sent events.

    Attributes:
        finish_reason: Why the model has stopped; "" while it has not.
        is_over: Whether the server has said that nothing follows.
    """

    def __init__(self) -> None:
        self.finish_reason = ""
        self.is_over = False
        self._rest = bytearray()
        self._seen_bytes = 0
        self._calls: dict[int, dict[str, str]] = {}

    @property
    def has_begun(self) -> bool:
        """Whether anything has come."""
        return self._seen_bytes > 0

    def feed(self, data: bytes) -> list[str]:
        """Read the next bytes; returns the pieces of text in them.

        Raises:
            NoAnswer: The server reports an error, or this is no stream of a chat completion, or one without end.
        """
        self._seen_bytes += len(data)
        self._rest += data
        *lines, rest = bytes(self._rest).split(b"\n")
        self._rest = bytearray(rest)
        if self._seen_bytes > MAX_STREAM_BYTES or len(rest) > MAX_LINE_BYTES:
            msg = f"the answer is longer than {MAX_STREAM_BYTES >> 20} MiB, or one line of it than 1 MiB"
            raise NoAnswer(msg)
        return [text for line in lines if not self.is_over and (text := self._read(line.strip()))]

    def finish(self) -> list[str | Call]:
        """The server has sent everything; returns the text of a last line without an end, and the calls of functions.

        Raises:
            NoAnswer: The answer breaks off.
        """
        rest = bytes(self._rest.strip())
        text = self._read(rest) if not self.is_over and rest.endswith((b"}", _END)) else ""
        if not (self.is_over or self.finish_reason):
            msg = "the answer breaks off"
            raise NoAnswer(msg)
        if self.finish_reason in _BROKEN_OFF:
            msg = f"the answer breaks off: {self.finish_reason}"
            raise NoAnswer(msg)
        if any(call["arguments"] and not call["name"] for call in self._calls.values()):
            msg = "the answer calls a function without its name"
            raise NoAnswer(msg)
        calls = [Call(call["name"], call["arguments"] or "{}") for call in self._calls.values() if call["name"]]
        return [text, *calls] if text else [*calls]

    def _read(self, line: bytes) -> str:
        if not line.startswith(_DATA):
            return ""  # the name of an event, a comment, or the end of an event
        content = line.removeprefix(_DATA).strip()
        if content == _END:
            self.is_over = True
            return ""
        try:
            chunk = loads(content)
        except ValueError:
            chunk = None
        if not isinstance(chunk, dict):
            msg = "the answer holds what is no JSON object"
            raise NoAnswer(msg)
        if chunk.get("error"):
            raise NoAnswer(error_text(chunk))
        choices = chunk.get("choices")
        choice = choices[0] if isinstance(choices, list) and choices else None
        return self._take(choice) if isinstance(choice, dict) else ""

    def _take(self, choice: dict[str, Any]) -> str:
        self.finish_reason = str(choice.get("finish_reason") or self.finish_reason)
        delta = choice.get("delta")
        if not isinstance(delta, dict):
            return ""
        calls = delta.get("tool_calls")
        for each in calls if isinstance(calls, list) else ():
            if isinstance(each, dict):
                self._take_call(each)
        return _content_text(delta.get("content"))

    def _take_call(self, piece: dict[str, Any]) -> None:
        index, call_id = _whole_number(piece.get("index")), str(piece.get("id") or "")
        place = max(self._calls, default=0) if index is None else index
        known = self._calls.get(place)
        if known and call_id and known["id"] not in ("", call_id):
            # Some servers give every call the same index, or none.
            place, known = max(self._calls) + 1, None
        call = self._calls.setdefault(place, {"id": call_id, "name": "", "arguments": ""}) if known is None else known
        function = piece.get("function")
        if isinstance(function, dict):
            arguments = function.get("arguments")
            call["name"] += str(function.get("name") or "")
            call["arguments"] += arguments if isinstance(arguments, str) else dumps(arguments) if arguments else ""


def _content_text(content: Any) -> str:
    """The text of a piece, which some servers write as parts."""
    if isinstance(content, list):
        return "".join(_content_text(each.get("text")) for each in content if isinstance(each, dict))
    return content if isinstance(content, str) else ""


def _whole_number(value: Any) -> int | None:
    """A number that some servers write as a text or with a fraction of nothing; None for anything else."""
    if isinstance(value, str) and value.isascii() and value.isdigit():
        return int(value[:9])
    return int(value) if isinstance(value, int) or (isinstance(value, float) and value.is_integer()) else None


def error_text(answer: Any) -> str:
    """What an error of the server says, in the shapes that servers give it."""
    error = answer.get("error", answer) if isinstance(answer, dict) else answer
    if isinstance(error, dict):
        error = error.get("message") or error.get("detail") or error
    return str(error)
