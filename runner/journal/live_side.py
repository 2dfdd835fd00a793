"""A Live session in a timeline: what both voices say, in turns that their pauses make, and how long it has lasted."""

from collections.abc import Callable
from typing import Final

from runner.audio.format import PCM
from runner.journal.assistant_side import Answers
from runner.journal.record import audio_bytes
from runner.journal.rows import Row, Rows
from runner.protocol.json_fields import JsonObject, table
from runner.protocol.live import Live
from runner.protocol.side_fields import SideFields
from runner.protocol.spoken_over import SpokenOver
from runner.protocol.typed_text import typed_text, unanswered_words
from runner.protocol.voices import BREATH_S, SpeechPlace, Voice


class TwoVoices:
    """Follows both voices of a Live session.

    Args:
        rows: Where turns stand.
        side: Reads the fields of events.
        answers: Where the calls of the model behind it stand, and what was used.

    Attributes:
        form: The format of the audio.
        firsts_s: From the end of what the user said, or typed, to the first words of its answer, in seconds.
        heard_s: How much audio was sent, in seconds.
        spoken_s: How much audio of turns came, in seconds.
    """

    def __init__(self, rows: Rows, side: SideFields, answers: Answers) -> None:
        self.form = PCM
        self.firsts_s: list[float] = []
        self.heard_s = 0.0
        self.spoken_s = 0.0
        self._rows = rows
        self._side = side
        self._answers = answers
        self._connections: dict[int, Live] = {}
        """What is being said on each connection, by epoch."""
        self._turns: dict[Voice, Row] = {}
        self._asked_at_s: float | None = None
        """When the user last said something that is not answered."""

    @property
    def is_live(self) -> bool:
        """Whether the connection of the record in hand is a Live session; its events mean other things elsewhere."""
        return self._rows.epoch in self._connections

    def begin(self, kind: str) -> None:
        """The client configures the connection of the record in hand, as a Live session or otherwise."""
        if kind == "session.start":
            self._connections.setdefault(self._rows.epoch, Live())

    def connected(self) -> None:
        """A session has started on the connection of the record in hand."""
        self._live.started_s = self._rows.now_s

    def disconnected(self, *, is_ours: bool) -> None:
        """The connection of the record in hand has ended: what the model was saying on one that is lost is lost too.

        Where the endpoint could not say for how long, it is billed until now.
        """
        if not self.is_live:
            return
        self._live.voices.fallen_silent(self._live.known_s(self._rows.now_s), BREATH_S)
        if "assistant" in self._live.voices and not is_ours:
            self._turns["assistant"].facts["status"] = "lost"
        if self._live.started_s:
            self._answers.usage.live_s += self._live.bill(self._rows.now_s - self._live.started_s)
            self._live.started_s = 0.0

    @property
    def _live(self) -> Live:
        return self._connections.setdefault(self._rows.epoch, Live())

    def heard(self, event: JsonObject) -> None:
        """A piece of what the user says."""
        self._say("user", event)
        self._asked_at_s = self._rows.now_s
        if self._live.answer.is_interrupted:
            self._judge_answer()

    def spoken(self, event: JsonObject) -> None:
        """A piece of what the model says."""
        row = self._say("assistant", event)
        if self._asked_at_s is not None and not row.facts:
            row.facts["first_s"] = self._rows.since_s(self._asked_at_s)
            self.firsts_s.append(row.facts["first_s"])
        self._live.answer.say(self._side.text(event, "delta"), self._place(event))
        self._judge_answer()
        self._asked_at_s = None

    def _judge_answer(self) -> None:
        """Note of what the model says, or has said last, whether the user has spoken over it."""
        facts, answer = self._turns["assistant"].facts, self._live.answer
        facts.pop("heard_s", None)
        facts["status"] = "interrupted" if answer.is_interrupted else "completed"
        if answer.is_interrupted:
            facts["heard_s"] = answer.said_ms / 1000

    def _say(self, voice: Voice, event: JsonObject) -> Row:
        place = self._place(event)
        is_new = self._live.voices.add(voice, place)
        if is_new or voice not in self._turns:
            self._turns[voice] = self._rows.add(voice, "")
        if is_new and voice == "assistant":
            self._live.answer = SpokenOver()
        elif is_new and place.start_ms is not None:
            self._live.answer.speak_up(place.start_ms)
        row = self._turns[voice]
        delta = self._side.text(event, "delta")
        row.text += delta if row.text else delta.lstrip()
        return row

    def _place(self, event: JsonObject) -> SpeechPlace:
        start_ms, end_ms = (self._side.whole(event, f"{edge}_ms") for edge in ("start", "end"))
        return SpeechPlace(start_ms, end_ms, self._rows.now_s)

    def sounded(self, event: JsonObject) -> None:
        """A piece of the model's audio, which counts while it speaks: in between it is silence."""
        self._live.voices.fallen_silent(self._rows.now_s)
        self._live.audio_at_s = self._rows.now_s
        seconds = self.form.seconds(audio_bytes(event.get("delta")))
        if "assistant" not in self._live.voices:
            self._live.silence_s += seconds
        else:
            facts = self._turns["assistant"].facts
            facts["audio_s"] = round(facts.get("audio_s", 0.0) + seconds, 3)
            self.spoken_s += seconds

    def used(self, event: JsonObject) -> None:
        """The endpoint says how long the session has lasted, in the end for the last time."""
        seconds = self._side.number(self._side.table(event, "usage"), "seconds")
        self._answers.usage.live_s += self._live.bill(seconds)

    def ended(self, event: JsonObject) -> None:
        """The endpoint has closed the session."""
        self.used(event)
        self._live.started_s = 0.0
        self._rows.add("session", "concluded", reason=self._side.text(event, "reason"))

    def delegated(self, event: JsonObject) -> None:
        """The model behind the session does something: its calls get rows of their own, and it uses tokens."""
        nested = self._side.table(event, "event")
        match nested.get("type"):
            case "response.output_item.done":
                self._answers.item_ended(nested)
            case "response.completed" | "response.failed" | "response.incomplete":
                used = self._side.table(self._side.table(nested, "response"), "usage")
                details = used.get("input_tokens_details")
                self._answers.usage.add({**used, "input_token_details": details}, self._side)
            case _:
                pass

    def given(self, event: JsonObject) -> None:
        """The client gives the model behind the session an item, such as the output of a call."""
        self._answers.returned(table(event, "item"))

    def asked(self, _event: JsonObject) -> None:
        """The client has the model behind the session go on, which is no request for something to be said."""

    def appended(self, event: JsonObject) -> None:
        """The client has sent audio."""
        self.heard_s += self.form.seconds(audio_bytes(event.get("audio")))

    def written(self, event: JsonObject) -> None:
        """The client has sent text: what the user has typed, now or before a loss, or what only the model is told."""
        if typed := typed_text(event):
            self._rows.add("user", typed)
            self._asked_at_s = self._rows.now_s
        elif repeated := unanswered_words(self._side.text(event, "content")):
            self._rows.add("session", "asked again", words=repeated)
            self._asked_at_s = self._rows.now_s
        else:
            kind = event["type"].removeprefix("session.").removesuffix(".append")
            self._rows.add("system", f"[{kind}] {self._side.text(event, 'content')}")


IN_ROUTES: Final[dict[str, Callable[[TwoVoices, JsonObject], None]]] = {
    "session.input_transcript.delta": TwoVoices.heard,
    "session.output_transcript.delta": TwoVoices.spoken,
    "session.output_audio.delta": TwoVoices.sounded,
    "session.usage.updated": TwoVoices.used,
    "response.event": TwoVoices.delegated,
    "session.closed": TwoVoices.ended,
}
"""The server events that mean something else in a session of another kind, if it has them."""
OUT_ROUTES: Final[dict[str, Callable[[TwoVoices, JsonObject], None]]] = {
    "session.input_audio.append": TwoVoices.appended,
    "session.instructions.append": TwoVoices.written,
    "session.thinking.append": TwoVoices.written,
    "session.commentary.append": TwoVoices.written,
    "response.item.create": TwoVoices.given,
    "response.create": TwoVoices.asked,
}
