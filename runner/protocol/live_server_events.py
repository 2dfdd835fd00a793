"""Server events of a Live session: how they change its state."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from runner.protocol import live_turns
from runner.protocol.audio_append import decoded
from runner.protocol.closing import Concluded
from runner.protocol.delegation_events import take_response_event
from runner.protocol.delegations import TaskDelegated
from runner.protocol.effects import AudioDelta, Configured, Effect, Opened, TextDelta, TranscriptDelta, make
from runner.protocol.json_fields import JsonObject, text
from runner.protocol.session_events import SESSION_ROUTES, read_session
from runner.protocol.voices import SpeechPlace

if TYPE_CHECKING:
    from runner.protocol.state import SessionState

FIXTURE_ITEM: Final = "fixture"
"""Under which name the audio of a recording comes that the client has the endpoint play."""
_BEGINNING: Final = 512
"""How much of a piece of audio is looked at first, in characters of base64: whole bytes, and 8 ms of speech."""


def _started(state: SessionState, event: JsonObject) -> list[Effect]:
    session = read_session(state, event)
    state.session_id = state.side.identifier(session, "id")
    state.expires_at = state.side.whole(session, "expires_at") or 0
    state.configuration.confirm(session)
    state.greeted, state.live.started_s = True, state.clock()
    if state.phase != "closed":
        state.phase = "ready"
    return [Opened(state.session_id, state.expires_at, state.kind), Configured(session)]


def _heard(state: SessionState, event: JsonObject) -> list[Effect]:
    words = text(event, "delta")
    place = _place(state, event)
    effects = live_turns.speak(state, "user", place)
    state.pending.heard_ms = max(state.pending.heard_ms, place.end_ms or 0)
    item_id, words = _add(state, state.live.items["user"], words)
    return [*state.side.report(event["type"]), *effects, TranscriptDelta(item_id, words)]


def _spoken(state: SessionState, event: JsonObject) -> list[Effect]:
    words = text(event, "delta")
    place = _place(state, event)
    effects = live_turns.speak(state, "assistant", place)
    state.live.answer.say(words, place)
    state.live.has_unsaid_result = False
    item_id, words = _add(state, state.live.items["assistant"], words)
    return [*state.side.report(event["type"]), *effects, TextDelta(item_id, item_id, words)]


def _add(state: SessionState, item_id: str, words: str) -> tuple[str, str]:
    """Add a piece to a turn; the space before the first one parts it from the turn before."""
    if not state.conversation.message(item_id).text:
        words = words.lstrip()
    state.conversation.append(item_id, 0, words)
    return item_id, words


def _place(state: SessionState, event: JsonObject) -> SpeechPlace:
    return SpeechPlace(state.side.whole(event, "start_ms"), state.side.whole(event, "end_ms"), state.clock())


def _audio(state: SessionState, event: JsonObject) -> list[Effect]:
    audio = text(event, "delta")
    now_s = state.live.audio_at_s = state.clock()
    if state.live.plays_fixture:
        return [make(AudioDelta, ("", FIXTURE_ITEM, audio))]
    is_sound = _is_sound(state, audio)
    effects = live_turns.sound(state, now_s) if is_sound else []
    item = state.conversation.get(state.live.items.get("assistant", ""))
    if item is None:
        # The model is silent between two turns.
        state.live.silence_s += state.configuration.output_format.seconds(len(audio) * 3 // 4)
        return []
    item.audio_characters += len(audio)
    if is_sound:
        state.live.answer.sound_characters = item.audio_characters
    return [*effects, make(AudioDelta, (item.id, item.id, audio))]


def _fixture(state: SessionState, event: JsonObject) -> list[Effect]:
    state.live.plays_fixture = event["type"].endswith("playing")
    return []


def _is_sound(state: SessionState, audio: str) -> bool:
    """Whether audio is louder than silence; what speaks shows it at once, so that the rest need not be looked at."""
    from runner.audio.samples import QUIET, peak

    form = state.configuration.output_format
    try:
        return peak(form.decode(decoded(audio[:_BEGINNING]))) > QUIET or peak(form.decode(decoded(audio))) > QUIET
    except ValueError:
        # Whoever plays it says that it cannot be decoded.
        return True


def _used(state: SessionState, event: JsonObject) -> list[Effect]:
    state.usage.live_s += state.live.bill(state.side.number(state.side.table(event, "usage"), "seconds"))
    return []


def _closed(state: SessionState, event: JsonObject) -> list[Effect]:
    state.closing.is_over = True
    _used(state, event)
    # What is being said when the endpoint ends the session by itself is cut off, as where a connection is lost.
    effects = live_turns.end_all_turns(state) if state.closing.is_asked else []
    return [*effects, Concluded(state.closing.is_asked, state.side.text(event, "reason"))]


def _added(state: SessionState, event: JsonObject) -> list[Effect]:
    """Text of the client has come to the model; what the user has typed is a turn of the conversation by this."""
    asked_by = state.side.identifier(event, "client_event_id") or state.conversation.first_unconfirmed(state.sent)
    effects: list[Effect] = []
    for item in [each for each in state.conversation.items if each.asked_by and each.asked_by == asked_by]:
        item.asked_by, item.status = "", "completed"
        state.conversation.confirms = True
        effects += state.conversation.end_turn(item)
    return effects


def _delegated(state: SessionState, event: JsonObject) -> list[Effect]:
    """The model has delegated something; what the client does, nothing but the client ends."""
    delegation = state.side.table(event, "delegation")
    delegation_id, target = state.side.identifier(delegation, "id"), state.side.text(delegation, "target")
    if target == "responses":
        state.live.delegations.task(delegation_id)
    return [TaskDelegated(delegation_id, target)]


def _refused(state: SessionState, event: JsonObject) -> list[Effect]:
    error = event.get("error")
    named = event.get("client_event_id")
    if isinstance(error, dict) and (cause := error.get("client_event_id") or named):
        event = {**event, "error": {**error, "event_id": cause}}
    return SESSION_ROUTES["error"](state, event)


LIVE_ROUTES: Final = {
    "error": _refused,
    "response.event": take_response_event,
    "session.closed": _closed,
    "session.delegation.created": _delegated,
    "session.input_transcript.delta": _heard,
    "session.instructions.appended": _added,
    "session.output_audio.delta": _audio,
    "session.output_audio.fixture.played": _fixture,
    "session.output_audio.fixture.playing": _fixture,
    "session.output_transcript.delta": _spoken,
    "session.started": _started,
    "session.updated": SESSION_ROUTES["session.updated"],
    "session.usage.updated": _used,
}
"""The events that change the state of a Live session."""

LIVE_TYPES: Final = frozenset(LIVE_ROUTES) | {
    "decision.event",
    "decision.item.created",
    "decision.item.deleted",
    "info",
    "session.commentary.appended",
    "session.input_audio.append",
    "session.input_audio.muted",
    "session.input_audio.unmuted",
    "session.thinking.appended",
    "transport.answered",
    "transport.dtmf.received",
    "transport.dtmf.send",
    "transport.dtmf.sent",
    "transport.failed",
    "transport.ringing",
}
"""All 28 server events of a Live session."""
