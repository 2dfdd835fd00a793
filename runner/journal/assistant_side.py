"""The assistant's side of a timeline: responses with their latencies, and the tools they call."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NamedTuple

from runner.audio.format import PCM
from runner.journal.record import audio_bytes
from runner.journal.rows import Row, Rows
from runner.journal.user_side import said
from runner.protocol.json_fields import JsonObject, identifier, table, text
from runner.protocol.session_events import error_details
from runner.protocol.side_fields import SideFields
from runner.protocol.usage import Usage

_CALLS: Final = frozenset({"function_call", "mcp_call"})


@dataclass(slots=True)
class _Answer:
    """A response that is being made."""

    row: Row
    asked_at_s: float | None
    audio_bytes: int = 0


class _CallRow(NamedTuple):
    """A call of a tool."""

    row: Row
    at_s: float
    item_id: str = ""


class Answers:
    """Follows every response from its request to its end.

    Attributes:
        form: The format of the audio.
        usage: What all responses have used.
        firsts_s: From each request to the first piece of its answer, in seconds.
        spoken_s: How much audio came, in seconds.
        failures: How many responses failed.
    """

    def __init__(self, rows: Rows, side: SideFields) -> None:
        self.form = PCM
        self.usage = Usage()
        self.firsts_s: list[float] = []
        self.spoken_s = 0.0
        self.failures = 0
        self._rows = rows
        self._side = side
        self._requests: list[tuple[str, float]] = []
        self._turn_at_s: float | None = None
        self._silent_since_s: float | None = None
        """Since when a turn has no words whose last response has only called functions; None where there is none."""
        self._open: dict[str, _Answer] = {}
        self._items: dict[str, Row] = {}
        self._calls: dict[str, _CallRow] = {}
        """The last call by its `call_id`, which some endpoints use again."""
        self._outputs: set[str] = set()
        """The items that are outputs of calls."""

    @property
    def speaking(self) -> bool:
        """Whether a response is in flight."""
        return bool(self._open)

    def requested(self, event: JsonObject) -> None:
        """The client asks for a response; where it continues a turn without words, the turn's question counts."""
        at_s = self._rows.now_s
        is_aside = self._side.text(self._side.table(event, "response"), "conversation") == "none"
        if self._silent_since_s is not None and not is_aside:
            at_s, self._silent_since_s = self._silent_since_s, None
        self._requests.append((self._side.identifier(event, "event_id"), at_s))

    def refused(self, event_id: str) -> None:
        """The endpoint has answered a client event with an error, perhaps a request for a response."""
        self._requests = [each for each in self._requests if not event_id or each[0] != event_id]

    def turn_began(self, _event: JsonObject) -> None:
        """The user begins to speak; the turn before gets no answer any more."""
        self._turn_at_s = None
        self.questioned()

    def questioned(self) -> None:
        """The user says something new; what is asked for from now on answers that."""
        self._silent_since_s = None

    def turn_ended(self, _event: JsonObject) -> None:
        """The user has finished speaking, which may make the endpoint answer by itself."""
        self._turn_at_s = self._rows.now_s if self._turn_at_s is None else self._turn_at_s

    def began(self, event: JsonObject) -> None:
        """A response has begun."""
        self._answer(identifier(table(event, "response"), "id"))

    def piece(self, event: JsonObject) -> None:
        """A piece of a response has come, of whatever kind."""
        answer = self._answer(self._side.identifier(event, "response_id") or next(iter(self._open), ""))
        row, kind = answer.row, event["type"]
        self._items[self._side.identifier(event, "item_id")] = row
        if answer.asked_at_s is not None and "first_s" not in row.facts and "_call_arguments." not in kind:
            row.facts["first_s"] = self._rows.since_s(answer.asked_at_s)
            self.firsts_s.append(row.facts["first_s"])
        if kind.endswith(("text.delta", "transcript.delta")):
            row.text += text(event, "delta")
        elif kind.endswith("audio.delta"):
            if answer.asked_at_s is not None and not answer.audio_bytes:
                row.facts["first_audio_s"] = self._rows.since_s(answer.asked_at_s)
            answer.audio_bytes += audio_bytes(event.get("delta"))

    def item_ended(self, event: JsonObject) -> None:
        """An item of a response is complete; calls of tools get rows of their own."""
        self._call(table(event, "item"))

    def ended(self, event: JsonObject) -> None:
        """A response is over."""
        response = table(event, "response")
        response_id = identifier(response, "id")
        answer = self._answer(response_id)
        del self._open[response_id]
        for item in self._side.tables(response, "output"):
            self._call(item)
            self._items[self._side.identifier(item, "id")] = answer.row
            if phase := self._side.text(item, "phase"):
                answer.row.facts.setdefault("phases", []).append(phase)
            if self._side.text(item, "type") == "function_call":
                answer.row.facts.setdefault("calls", []).append(self._side.text(item, "name"))
        answer.row.text = answer.row.text or self._said(response)
        if "calls" in answer.row.facts and "first_s" not in answer.row.facts:
            self._silent_since_s = answer.asked_at_s
        self._sum_up(answer, response)

    def truncated(self, event: JsonObject) -> None:
        """The client reports how much of an answer was heard before the user interrupted it."""
        if row := self._items.get(identifier(event, "item_id")):
            row.facts["heard_s"] = (self._side.whole(event, "audio_end_ms") or 0) / 1000
            row.facts["status"] = "interrupted"

    def returned(self, item: JsonObject) -> bool:
        """The client returns the output of a tool; False where that is known already."""
        call_id, output = self._side.identifier(item, "call_id"), self._side.text(item, "output")
        item_id, call = self._side.identifier(item, "id"), self._calls.get(call_id)
        if item_id in self._outputs:
            return False
        if call is None:
            self._calls[call_id] = _CallRow(self._rows.add("tool", "", output=output), self._rows.now_s)
        elif "output" in call.row.facts:
            return False
        else:
            call.row.facts |= {"output": output, "took_s": self._rows.since_s(call.at_s)}
        if item_id:
            self._outputs.add(item_id)
        return True

    def judged(self, note: JsonObject) -> None:
        """The client notes how a call that it has run has ended, before it returns the output."""
        call, outcome = self._calls.get(self._side.identifier(note, "call_id")), self._side.text(note, "outcome")
        if call is not None and outcome != "ok":
            call.row.facts["outcome"] = outcome

    def abandon(self, epoch: int) -> None:
        """A connection has ended, and with it the responses in flight on it."""
        for response_id in [each for each, answer in self._open.items() if answer.row.epoch == epoch]:
            self._finish(self._open.pop(response_id), "lost")

    def _answer(self, response_id: str) -> _Answer:
        if response_id not in self._open:
            asked_at_s = self._requests.pop(0)[1] if self._requests else self._turn_at_s
            self._turn_at_s = None
            self._open[response_id] = _Answer(self._rows.add("assistant", ""), asked_at_s)
        return self._open[response_id]

    def _call(self, item: JsonObject) -> None:
        if self._side.text(item, "type") not in _CALLS:
            return
        item_id = self._side.identifier(item, "id")
        call_id = self._side.identifier(item, "call_id") or item_id
        known = self._calls.get(call_id)
        if known is None or ("output" in known.row.facts and known.item_id not in {"", item_id}):
            call = f"{self._side.text(item, 'name')}({self._side.text(item, 'arguments')})"
            error = self._side.text(error_details(item, self._side), "message")
            row = self._rows.add("tool", call, output=self._side.text(item, "output"), error=error)
            self._calls[call_id] = _CallRow(row, self._rows.now_s, item_id)

    def _said(self, response: JsonObject) -> str:
        """What the response says, all its messages together."""
        return " ".join(said(item, self._side) for item in self._side.tables(response, "output")).strip()

    def _sum_up(self, answer: _Answer, response: JsonObject) -> None:
        details, usage = self._side.table(response, "status_details"), self._side.table(response, "usage")
        status, reason = self._side.text(response, "status"), self._side.text(details, "reason")
        self._finish(answer, "interrupted" if reason == "turn_detected" else status)
        facts = answer.row.facts
        if status in {"failed", "incomplete"} and reason:
            facts["reason"] = reason
        if status == "failed":
            self.failures += 1
            error = error_details(details, self._side)
            facts["error"] = self._side.text(error, "message") or self._side.identifier(error, "code")
        self.usage.add(usage, self._side)
        if usage:
            cached = self._side.count(self._side.table(usage, "input_token_details"), "cached_tokens")
            facts |= {"input_tokens": self._side.count(usage, "input_tokens"), "cached_tokens": cached}
            facts["output_tokens"] = self._side.count(usage, "output_tokens")

    def _finish(self, answer: _Answer, status: str) -> None:
        facts = answer.row.facts
        facts.setdefault("status", status)
        if answer.asked_at_s is not None:
            facts["done_s"] = self._rows.since_s(answer.asked_at_s)
        if answer.audio_bytes:
            facts["audio_s"] = round(self.form.seconds(answer.audio_bytes), 3)
            self.spoken_s += facts["audio_s"]


IN_ROUTES: Final[dict[str, Callable[[Answers, JsonObject], None]]] = {
    "input_audio_buffer.speech_started": Answers.turn_began,
    "input_audio_buffer.speech_stopped": Answers.turn_ended,
    "input_audio_buffer.committed": Answers.turn_ended,
    "response.created": Answers.began,
    "response.output_item.done": Answers.item_ended,
    "response.done": Answers.ended,
}
OUT_ROUTES: Final[dict[str, Callable[[Answers, JsonObject], None]]] = {
    "response.create": Answers.requested,
    "conversation.item.truncate": Answers.truncated,
}
