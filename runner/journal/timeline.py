"""A journal's records as a timeline that people can read: who spoke when, how long answers took, what went wrong."""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from statistics import median
from typing import Final, Literal

from runner.journal import assistant_side, live_side, user_side
from runner.journal.record import Record, audio_bytes
from runner.journal.rows import ConnectionSpan, Header, Row, Rows, Summary, Who
from runner.protocol.configuration import Configuration
from runner.protocol.drift import differences
from runner.protocol.json_fields import BadField, JsonObject, table
from runner.protocol.live import TURN
from runner.protocol.session_events import error_details
from runner.protocol.session_format import format_of
from runner.protocol.side_fields import SideFields
from runner.protocol.translation import Moment, moment_of
from runner.protocol.usage import Usage

_REMEMBERED_EVENTS: Final = 65536
_SHOWN_BY_TEXT: Final = frozenset({"type", "by"})


def timelines(records: Iterable[Record]) -> Iterator["Timeline"]:
    """One timeline for each session of a journal; a note of `session.started` begins the next one."""
    current: Timeline | None = None
    for record in records:
        if current is None or (record.direction == "note" and record.event.get("type") == "session.started"):
            if current is not None:
                yield current
            current = Timeline()
        current.take(record)
    if current is not None:
        yield current


class Timeline:
    """One session, built record by record; events whose meaning cannot be read are left out."""

    def __init__(self) -> None:
        self.header = Header()
        self.connections: list[ConnectionSpan] = []
        self.started: JsonObject = {}
        """The note by which the session began."""
        self.ended: JsonObject = {}
        """The note by which it ended."""
        self._rows = Rows()
        self._side = SideFields()
        self._speech = user_side.UserSpeech(self._rows, self._side)
        self._answers = assistant_side.Answers(self._rows, self._side)
        self._live = live_side.TwoVoices(self._rows, self._side, self._answers)
        self._sent: OrderedDict[str, tuple[str, float]] = OrderedDict()
        self._streams: dict[Who, tuple[Row, Moment]] = {}
        self._configuration: dict[int, Configuration] = {}
        """What was asked for on each connection, by epoch."""
        self._connections: dict[int, Row] = {}
        self._lost = False
        self._restoring = False
        self._restored = 0
        self._items: set[str] = set()
        """The ids of the items that were seen."""
        self._reconnects = 0
        self._translated_s = 0.0

    @property
    def usage(self) -> Usage:
        """What the session has used."""
        return self._answers.usage

    @property
    def rows(self) -> list[Row]:
        """What happened, in order."""
        return self._rows.all

    def summary(self) -> Summary:
        """The numbers so far."""
        who = [row.who for row in self.rows]
        firsts_s, usage = [*self._answers.firsts_s, *self._live.firsts_s], self._answers.usage
        return Summary(
            turns=who.count("user"),
            responses=who.count("assistant"),
            interruptions=sum(row.facts.get("status") == "interrupted" for row in self.rows),
            tool_calls=who.count("tool"),
            errors=who.count("error") + self._answers.failures,
            reconnects=self._reconnects,
            rollovers=max(0, len(self._connections) - 1 - self._reconnects),
            median_first_s=round(median(firsts_s), 3) if firsts_s else None,
            max_first_s=max(firsts_s, default=None),
            input_tokens=usage.input_tokens,
            cached_tokens=usage.cached_tokens,
            output_tokens=usage.output_tokens,
            heard_s=round(self._speech.heard_s + self._live.heard_s, 3),
            spoken_s=round(self._answers.spoken_s + self._translated_s + self._live.spoken_s, 3),
        )

    def take(self, record: Record) -> None:
        """Take in the next record."""
        if not self.header.started_s:
            self.header.started_s = self._rows.start_s = record.at_s
        self._rows.now_s, self._rows.epoch = record.at_s, record.epoch
        self.header.duration_s = max(self.header.duration_s, self._rows.offset_s(record.at_s))
        kind = record.event.get("type")
        if record.epoch and record.epoch not in self._connections and kind != "connection.failed":
            self._connect(record)
        if isinstance(kind, str):
            with suppress(BadField):
                {"in": self._receive, "out": self._send, "note": self._note}[record.direction](kind, record.event)
                if item_id := self._side.identifier(self._side.table(record.event, "item"), "id"):
                    self._items.add(item_id)

    def _receive(self, kind: str, event: JsonObject) -> None:
        if self._live.is_live and (live := live_side.IN_ROUTES.get(kind)):
            live(self._live, event)
            return
        if kind == "input_audio_buffer.speech_started":
            self._restoring = False
        if route := user_side.IN_ROUTES.get(kind):
            route(self._speech, event)
        if kind == "input_audio_buffer.speech_started" and self._answers.speaking:
            self.rows[-1].facts["interrupts"] = True
        if reply := assistant_side.IN_ROUTES.get(kind):
            reply(self._answers, event)
        elif kind.startswith("response.") and kind.endswith(".delta"):
            self._answers.piece(event)
        elif own := _ROUTES.get(kind):
            own(self, event)

    def _send(self, kind: str, event: JsonObject) -> None:
        self._sent[self._side.identifier(event, "event_id")] = kind, self._rows.now_s
        if len(self._sent) > _REMEMBERED_EVENTS:
            self._sent.popitem(last=False)
        if kind == "conversation.item.create":
            self._create(table(event, "item"))
        elif kind in {"session.update", "session.start"}:
            self._live.begin(kind)
            self._configured.ask(self._side.identifier(event, "event_id"), table(event, "session"))
        elif self._live.is_live and (live := live_side.OUT_ROUTES.get(kind)):
            live(self._live, event)
        elif route := user_side.OUT_ROUTES.get(kind):
            route(self._speech, event)
        elif reply := assistant_side.OUT_ROUTES.get(kind):
            self._restoring = False
            reply(self._answers, event)

    def _note(self, kind: str, note: JsonObject) -> None:
        shown = (key for key, value in note.items() if not isinstance(value, dict | list))
        plain = {key: note[key] for key in shown if key not in _SHOWN_BY_TEXT}
        match kind:
            case "session.started":
                self.header.profile = self._side.text(note, "profile")
                self.started = note
            case "connection.opened":
                self._connection["note"] = plain
                for span in self.connections:
                    if span.epoch == self._rows.epoch:
                        span.provider, span.forked = (self._side.text(note, key) for key in ("provider", "forked"))
            case "connection.closed":
                ours, code = note.get("by") == "client", note.get("code")
                self._lost = not ours
                how = "closed by us" if ours else "lost" if code in (None, 1006) else "closed by the endpoint"
                self._rows.add("connection", f"connection {self._rows.epoch} {how}", note=plain)
                self._disconnect(note, is_ours=ours)
                self._answers.abandon(self._rows.epoch)
                self._live.disconnected(is_ours=ours)
            case "tool.ended":
                self._answers.judged(note)
            case "state.resumed":
                self.header.session_id = self._side.identifier(note, "session_id")
                self._rows.add("session", "state resumed", note=plain)
            case _:
                self.ended = note if kind == "session.ended" else self.ended
                self._rows.add("session", kind.replace(".", " "), note=plain)

    @property
    def _connection(self) -> JsonObject:
        """The facts of the connection of the record in hand."""
        row = self._connections.get(self._rows.epoch)
        return {} if row is None else row.facts

    @property
    def _configured(self) -> Configuration:
        """The configuration on the connection of the record in hand."""
        return self._configuration.setdefault(self._rows.epoch, Configuration())

    def _connect(self, record: Record) -> None:
        follows = bool(self._connections)
        how = "opened after a loss" if self._lost else "takes over" if follows else "opened"
        self._reconnects += self._lost
        opened: Literal["first", "after-loss", "in-time"] = "after-loss" if self._lost else "first"
        opened = "in-time" if follows and not self._lost else opened
        self.connections.append(ConnectionSpan(record.epoch, opened, self._rows.offset_s(record.at_s)))
        self._connections[record.epoch] = self._rows.add("connection", f"connection {record.epoch} {how}")
        self.header.connections += 1
        self._restoring, self._restored, self._lost = follows, 0, False

    def _disconnect(self, note: JsonObject, *, is_ours: bool) -> None:
        """The connection of the record in hand has ended."""
        for span in self.connections:
            if span.epoch == self._rows.epoch and span.ended_at_s is None:
                span.ended_at_s = self._rows.offset_s(self._rows.now_s)
                span.ended_by = "client" if is_ours else "endpoint"
                span.code = self._side.whole(note, "code")
                span.why = self._side.text(note, "reason")

    def _create(self, item: JsonObject) -> None:
        kind, role = self._side.text(item, "type"), self._side.text(item, "role")
        known = kind == "function_call"
        if kind == "function_call_output":
            known = not self._answers.returned(item)
        elif kind == "message":
            who: Who = "assistant" if role == "assistant" else "system" if role == "system" else "user"
            known = (item_id := self._side.identifier(item, "id")) in self._items or item_id.startswith(TURN)
            if not (known and self._restoring):
                self._answers.questioned()
                self._rows.add(who, user_side.said(item, self._side))
        if known and self._restoring:
            self._restored += 1
            self._connection["restored_items"] = self._restored

    def greeted(self, event: JsonObject) -> None:
        """The endpoint has greeted the client with `session.created`."""
        session = table(event, "session")
        session_id = self._side.identifier(session, "id")
        self.header.session_id = self.header.session_id or session_id
        self.header.model = self.header.model or self._side.text(session, "model")
        self._connection["session_id"] = session_id
        self._use_formats(session)

    def opened(self, event: JsonObject) -> None:
        """The endpoint has started a Live session, as it says."""
        self.greeted(event)
        self.configured(event)
        self._live.connected()

    def configured(self, event: JsonObject) -> None:
        """The endpoint reports its configuration, which may differ from what the client asked for."""
        session, configuration = table(event, "session"), self._configured
        configuration.confirm(session)
        kind = "live" if self._live.is_live else session.get("type")
        drift = differences({"type": kind, **configuration.asked}, session)
        self._rows.add("session", "configured", differs=[str(each) for each in drift])
        self._use_formats(session)

    def failed(self, event: JsonObject) -> None:
        """The endpoint reports an error."""
        details = error_details(event, self._side)
        event_id = self._side.identifier(details, "event_id")
        cause, cause_at_s = self._sent.get(event_id, ("", 0.0)) if event_id else ("", 0.0)
        self._rows.add(
            "error",
            self._side.text(details, "message"),
            code=self._side.identifier(details, "code"),
            param=self._side.identifier(details, "param"),
            cause=cause,
            cause_at_s=self._rows.offset_s(cause_at_s) if cause else None,
        )
        self._answers.refused(event_id)
        self._configured.refuse(event_id)

    def transcribed(self, event: JsonObject) -> None:
        """The endpoint has transcribed an item, which uses something too."""
        self.usage.add_transcription(self._side.table(event, "usage"), self._side)

    def translated(self, event: JsonObject) -> None:
        """A piece of a translation, which knows no turns; after a pause it begins a new row."""
        who: Who = "user" if "input" in event["type"] else "assistant"
        now = moment_of(event, self._rows.now_s, self._side)
        row, last = self._streams.get(who, (None, now))
        if row is None or now.follows_pause(last):
            row = self._rows.add(who, "")
        row.text += self._side.text(event, "delta")
        self._streams[who] = row, now

    def translated_audio(self, event: JsonObject) -> None:
        """A piece of a translation's audio."""
        self._translated_s += self._answers.form.seconds(audio_bytes(event.get("delta")))

    def concluded(self, _event: JsonObject) -> None:
        """The endpoint has ended a translation with `session.closed`."""
        self._rows.add("session", "concluded")

    def _use_formats(self, session: JsonObject) -> None:
        self._speech.form = format_of(session, "input")
        self._answers.form = self._live.form = format_of(session, "output")


_ROUTES: Final[dict[str, Callable[[Timeline, JsonObject], None]]] = {
    "session.created": Timeline.greeted,
    "session.started": Timeline.opened,
    "session.updated": Timeline.configured,
    "transcription_session.updated": Timeline.configured,
    "error": Timeline.failed,
    "session.closed": Timeline.concluded,
    "conversation.item.input_audio_transcription.completed": Timeline.transcribed,
    "session.input_transcript.delta": Timeline.translated,
    "session.output_transcript.delta": Timeline.translated,
    "session.output_audio.delta": Timeline.translated_audio,
}
