"""The turns of a Live session as items and responses of its conversation, so that all who read one know them.

What the model says between two pauses is a response that nobody has announced; it answers the oldest request to say
something, if there is one. A response that has brought no words answers nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from runner.protocol.effects import Effect, ResponseEnded, ResponseStarted, SpeechStarted
from runner.protocol.spoken_over import SpokenOver
from runner.protocol.user_effects import AnswerInterrupted
from runner.protocol.voices import BREATH_S, Voices

if TYPE_CHECKING:
    from runner.protocol.state import SessionState
    from runner.protocol.voices import SpeechPlace, Voice

Status = Literal["completed", "incomplete"]

_ANSWERED_WITHIN_S: Final = 15.0
"""What the user has said longer ago and the model has not answered needs no answer, in seconds."""


def speak(state: SessionState, voice: Voice, place: SpeechPlace) -> list[Effect]:
    """A voice says something; returns the end of its turn before and the beginning of a new one, if it has these."""
    is_new, state.live.last_at_s = state.live.voices.add(voice, place), place.at_s
    if not is_new:
        return []
    effects = [*end_turn(state, voice), *_begin(state, voice, place.start_ms or 0)]
    if voice == "user" and place.start_ms is not None:
        state.live.answer.speak_up(place.start_ms)
    return [*effects, *_interruption(state)]


def _interruption(state: SessionState) -> list[Effect]:
    """The end of what the model has said last, if that has ended and the user is now known to have spoken over it."""
    answer = state.live.answer
    item = state.conversation.get(answer.item_id)
    if item is None or "assistant" in state.live.items or not answer.is_news():
        return []
    sound_ms = state.configuration.output_format.ms(answer.sound_characters * 3 // 4)
    return [AnswerInterrupted(item.id, round(sound_ms) or answer.said_ms)]


def sound(state: SessionState, at_s: float) -> list[Effect]:
    """The model sounds, at this time of the client's clock; returns the beginning of its turn, if it has that."""
    return _begin(state, "assistant", 0) if state.live.voices.sound("assistant", at_s) else []


def end_silent_turns(state: SessionState) -> list[Effect]:
    """End the turns after which nothing has come for as long as a pause."""
    known_s = state.live.known_s(state.clock())
    return [effect for voice in state.live.voices.fallen_silent(known_s) for effect in end_turn(state, voice)]


def end_all_turns(state: SessionState, status: Status = "completed") -> list[Effect]:
    """End the turns of both voices; what the user says is written down before the answer."""
    voices: tuple[Voice, Voice] = ("user", "assistant")
    return [effect for voice in voices for effect in end_turn(state, state.live.voices.end(voice), status)]


def leave_turns(state: SessionState) -> list[Effect]:
    """The connection has ended; returns the end of what the model has said to its end by all that is known.

    What was billed last was some time ago, and the session has lasted until now.
    """
    if not state.closing.is_over and state.greeted:
        state.usage.live_s += state.live.bill(state.clock() - state.live.started_s)
    voices, state.live.voices = state.live.voices, Voices()
    state.live.delegations.open.clear()
    is_over = "assistant" in voices.fallen_silent(state.live.known_s(state.clock()), BREATH_S)
    return end_turn(state, "assistant") if is_over else []


def end_turn(state: SessionState, voice: Voice, status: Status = "completed") -> list[Effect]:
    """End the turn of a voice; nothing happens where it has none."""
    item = state.conversation.get(state.live.items.pop(voice, ""))
    if item is None:
        return []
    item.status = status
    if voice == "user":
        state.pending.turn = "none"
        return state.conversation.end_turn(item)
    asked = state.pending.end(item.id, {})
    # Who says that it is being done has not answered yet.
    is_unanswered = not item.text or state.live.has_unsaid_result or state.live.is_delegating
    is_step = asked is not None and bool(asked.event_id) and is_unanswered
    if asked is not None and is_step:
        state.pending.requests.insert(0, asked)
    state.usage.responses += not is_step
    request_id = asked.first_id if asked else ""
    ended = ResponseEnded(item.id, status, request_id=request_id, is_step=is_step)
    return [*_interruption(state), *state.conversation.end_turn(item), ended]


def awaits_answer(state: SessionState) -> bool:
    """Whether the user has just said something that the model has not begun to answer."""
    is_just_said = state.clock() - state.live.last_at_s < _ANSWERED_WITHIN_S
    return state.kind == "live" and state.live.last_voice == "user" and is_just_said


def _begin(state: SessionState, voice: Voice, start_ms: int) -> list[Effect]:
    item_id = state.live.items[voice] = state.live.new_id()
    state.live.last_voice = voice
    item = state.conversation.put({"id": item_id, "type": "message", "role": voice})
    if voice == "user":
        state.pending.hear("speaking", start_ms)
        return [SpeechStarted(item_id, start_ms, interrupts=False)]
    item.response_id = item_id
    state.live.answer = SpokenOver(item_id)
    state.pending.begin(item_id, {})
    asked = state.pending.request_of(item_id)
    if asked is None or not asked.first_id:
        return [ResponseStarted(item_id)]
    questions = state.conversation.unconfirmed_turns(state.sent)
    return [*questions, ResponseStarted(item_id, asked.first_id, asked.at_s)]
