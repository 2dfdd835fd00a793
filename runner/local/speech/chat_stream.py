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

    def finish(self) -> list[Call]:
        """The server has sent everything; returns the calls of functions.

        Raises:
            NoAnswer: The answer breaks off.
        """
        if not (self.is_over or self.finish_reason):
            msg = "the answer breaks off"
            raise NoAnswer(msg)
        return [Call(call["name"], call["arguments"] or "{}") for call in self._calls.values() if call["name"]]

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
        text = delta.get("content")
        return text if isinstance(text, str) else ""

    def _take_call(self, piece: dict[str, Any]) -> None:
        index, call_id = piece.get("index"), str(piece.get("id") or "")
        place = index if isinstance(index, int) else max(self._calls, default=0)
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


def error_text(answer: Any) -> str:
    """What an error of the server says, in the shapes that servers give it."""
    error = answer.get("error", answer) if isinstance(answer, dict) else answer
    if isinstance(error, dict):
        error = error.get("message") or error.get("detail") or error
    return str(error)
