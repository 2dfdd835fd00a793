"""The user's side of a timeline: what was typed, spoken and transcribed."""

from collections.abc import Callable
from typing import Final

from runner.audio.format import PCM
from runner.journal.record import audio_bytes
from runner.journal.rows import Row, Rows
from runner.protocol.json_fields import JsonObject, identifier, text
from runner.protocol.session_events import error_details
from runner.protocol.side_fields import SideFields

_PARTS: Final = {"input_image": "[image]", "input_audio": "[audio]", "output_audio": "[audio]", "audio": "[audio]"}


class UserSpeech:
    """Follows the items that the client makes and the audio that it sends.

    Attributes:
        form: The format of the audio.
        heard_s: How much audio was sent, in seconds.
    """

    def __init__(self, rows: Rows, side: SideFields) -> None:
        self.form = PCM
        self.heard_s = 0.0
        self._rows = rows
        self._side = side
        self._spoken: dict[str, Row] = {}
        self._ended_at_s: dict[str, float] = {}
        self._waiting_s = 0.0

    def appended(self, event: JsonObject) -> None:
        """The client has sent audio."""
        seconds = self.form.seconds(audio_bytes(event.get("audio")))
        self._waiting_s += seconds
        self.heard_s += seconds

    def cleared(self, _event: JsonObject) -> None:
        """The endpoint has dropped the audio that was not committed."""
        self._waiting_s = 0.0

    def started(self, event: JsonObject) -> None:
        """Turn detection hears that the user begins to speak."""
        self._spoken[self._side.identifier(event, "item_id")] = self._rows.add("user", "")

    def stopped(self, event: JsonObject) -> None:
        """Turn detection hears that the user has finished speaking."""
        item_id = self._side.identifier(event, "item_id")
        self._ended_at_s[item_id] = self._rows.now_s
        if row := self._spoken.get(item_id):
            row.facts["spoke_s"] = round(self._rows.offset_s(self._rows.now_s) - row.at_s, 3)

    def committed(self, event: JsonObject) -> None:
        """The endpoint has made an item of the audio."""
        item_id = self._side.identifier(event, "item_id")
        if item_id not in self._spoken:
            self._spoken[item_id] = self._rows.add("user", "", audio_s=round(self._waiting_s, 3))
            self._ended_at_s[item_id] = self._rows.now_s
        self._waiting_s = 0.0

    def transcribed(self, event: JsonObject) -> None:
        """The endpoint has transcribed an item."""
        item_id = identifier(event, "item_id")
        row = self._spoken.get(item_id) or self._rows.add("user", "")
        row.text = text(event, "transcript") or row.text
        languages = [self._side.text(each, "code") for each in self._side.tables(event, "languages")]
        row.facts |= {"languages": languages} if any(languages) else {}
        if item_id in self._ended_at_s:
            row.facts["transcribed_s"] = self._rows.since_s(self._ended_at_s[item_id])

    def segment(self, event: JsonObject) -> None:
        """The endpoint has written down what one speaker said of an item."""
        if row := self._spoken.get(identifier(event, "item_id")):
            part = {"speaker": self._side.text(event, "speaker"), "text": text(event, "text")}
            row.facts.setdefault("segments", []).append(part)

    def pressed(self, event: JsonObject) -> None:
        """The user has pressed a key of the telephone."""
        key = self._side.identifier(event, "event")
        self._rows.add("user", f"[key {key}]", key=key)

    def idle(self, event: JsonObject) -> None:
        """The user has said nothing for as long as turn detection waits."""
        item_id = self._side.identifier(event, "item_id")
        start_ms, end_ms = (self._side.whole(event, f"audio_{edge}_ms") or 0 for edge in ("start", "end"))
        self._spoken[item_id] = self._rows.add("user", "[silence]", silent_s=(end_ms - start_ms) / 1000)

    def not_transcribed(self, event: JsonObject) -> None:
        """The endpoint cannot transcribe an item."""
        message = self._side.text(error_details(event, self._side), "message")
        if row := self._spoken.get(identifier(event, "item_id")):
            row.facts["error"] = message


def said(item: JsonObject, side: SideFields) -> str:
    """The text of a message item; what is no text is named in brackets."""
    pieces = []
    for part in side.tables(item, "content"):
        spoken = side.text(part, "text") or side.text(part, "transcript")
        pieces.append(spoken or _PARTS.get(side.text(part, "type"), ""))
    return " ".join(filter(None, pieces))


IN_ROUTES: Final[dict[str, Callable[[UserSpeech, JsonObject], None]]] = {
    "input_audio_buffer.cleared": UserSpeech.cleared,
    "input_audio_buffer.speech_started": UserSpeech.started,
    "input_audio_buffer.speech_stopped": UserSpeech.stopped,
    "input_audio_buffer.committed": UserSpeech.committed,
    "conversation.item.input_audio_transcription.completed": UserSpeech.transcribed,
    "conversation.item.input_audio_transcription.failed": UserSpeech.not_transcribed,
    "conversation.item.input_audio_transcription.segment": UserSpeech.segment,
    "input_audio_buffer.dtmf_event_received": UserSpeech.pressed,
    "input_audio_buffer.timeout_triggered": UserSpeech.idle,
}
OUT_ROUTES: Final[dict[str, Callable[[UserSpeech, JsonObject], None]]] = {
    "input_audio_buffer.append": UserSpeech.appended,
    "session.input_audio_buffer.append": UserSpeech.appended,
}
