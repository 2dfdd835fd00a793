"""The playback of answers: every player gets them, and one clock says how much of them was heard."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from time import time
from typing import TYPE_CHECKING

import anyio

from runner import logs
from runner.audio.playout import Heard, Playout
from runner.audio.samples import QUIET, peak
from runner.errors import ProtocolError
from runner.outputs.answer import Answer, content_index, duration_ms
from runner.outputs.interruption import Cut, Interrupter, Interruption
from runner.outputs.session_output import Piece
from runner.protocol.effects import (
    AudioDelta,
    Effect,
    Played,
    ResponseEnded,
    SessionEnded,
    SpeechStarted,
    Truncated,
    TurnEnded,
)
from runner.protocol.history import note_heard
from runner.session.update import Update

if TYPE_CHECKING:
    from runner.outputs.session_output import DevicePlayer, Player
    from runner.protocol.item import Item
    from runner.session.pump import Reader
    from runner.session.session import Session

MAX_ANSWERS = 1024
"""How many answers that are not over are remembered; the oldest counts as heard when there are more."""

_LEAST_WAIT_S = 0.01
_MOST_WAIT_S = 0.05


class Playback:
    """A reader of a session that has its answers heard, and knows what was heard when the user interrupts.

    What was heard is what the device has played, and without a device what a listener has heard who plays as soon as
    possible; so history is right as well where the answers go to a file only.

    Args:
        players: What plays or records the answers.
        device: The one of them whose device knows what was heard, None where there is none.
        is_live: Whether the user listens while the session runs, so that its end waits until everything was heard.
        listeners: Called, as readers are, with what was heard (`Played`) and which words those were (`Truncated`).
    """

    def __init__(
        self,
        players: Sequence[Player],
        *,
        device: DevicePlayer | None = None,
        is_live: bool = False,
        listeners: Sequence[Reader] = (),
    ) -> None:
        self._players = players
        self._device = device
        self._is_live = is_live
        self._listeners = listeners
        self._session: Session | None = None
        self._clock = Playout()
        self._answers: dict[str, Answer] = {}
        self._stopped_responses: set[str] = set()
        self._stopped_items: dict[str, tuple[str, int]] = {}
        """What was interrupted and may still get late deltas: its response, and how much was heard."""
        self._interruptions: list[Interruption] = []
        self._changed = anyio.Event()
        self._is_undecodable = False
        self._silence_s = 0.0
        """How long the silence is that a Live session ends with so far, in seconds."""

    @property
    def is_playing(self) -> bool:
        """Whether something is being heard now."""
        return self._remaining_s > self._silence_s

    @property
    def _remaining_s(self) -> float:
        return self._device.remaining_s if self._device else max(0.0, self._clock.end_s - anyio.current_time())

    def begin(self, session: Session) -> None:
        """Play what this session says; its connection is not replaced in the middle of it."""
        self._session = session
        session.play_by(lambda: self.is_playing)

    def take(self, update: Update) -> None:
        """Play what an update brings, or stop because of it: a reader of the pump."""
        for effect in update.effects:
            match effect:
                case AudioDelta():
                    self._play(effect, update)
                case ResponseEnded(response_id=response_id):
                    self._complete(response_id)
                    self._stopped_responses.discard(response_id)
                    stopped = self._stopped_items.items()
                    self._stopped_items = {item: each for item, each in stopped if each[0] != response_id}
                case TurnEnded(role="assistant", item_id=item_id) if item_id in self._stopped_items:
                    self._emit([self._note_heard(item_id, self._stopped_items[item_id][1])])
                case SpeechStarted(interrupts=True):
                    self.interrupt()
                case SessionEnded():
                    self._leave()
                case _:
                    pass
        if update.event is None:
            # The end of a connection ends every answer that was coming on it.
            self._complete(None)
            self._stopped_responses.clear()
            self._stopped_items.clear()

    def interrupt(self) -> None:
        """Stop at once what is being heard, and report to the endpoint how much of it was."""
        session = self._session
        if session is None:
            return
        heard_ids = {each.response_id for each in self._answers.values()}
        responses = session.state.in_flight | (session.state.out_of_band_in_flight & heard_ids)
        if not (self._answers or responses):
            return
        heard = self._stop()
        cuts = [self._unheard(item.id, item.response_id) for item in self._silent(session, responses)]
        for item_id, heard_ms, _ in heard:
            answer = self._answers[item_id]
            cuts.append(Cut(item_id, int(heard_ms), answer.content_index, answer.epoch))
            if not answer.is_complete:
                self._stopped_items[item_id] = answer.response_id, int(heard_ms)
        self._stopped_responses |= responses
        if session.tools:
            session.tools.interrupt(heard_ids)
        self._answers.clear()
        for player in self._players:
            player.cut(heard)
        self._cut(cuts, responses)

    def _silent(self, session: Session, responses: frozenset[str]) -> list[Item]:
        """The messages of these responses of which words have come, but no sound yet."""
        if session.state.effective.get("output_modalities") == ["text"]:
            return []
        said = session.state.conversation.of_responses(responses)
        return [each for each in said if each.type == "message" and not each.audio_characters]

    def _unheard(self, item_id: str, response_id: str, content_index: int = 0) -> Cut:
        self._stopped_items[item_id] = response_id, 0
        if len(self._stopped_items) > MAX_ANSWERS:
            del self._stopped_items[next(iter(self._stopped_items))]
        return Cut(item_id, 0, content_index, self._session.epoch if self._session else 0)

    def _cut(self, cuts: Sequence[Cut], responses: frozenset[str]) -> None:
        for cut in cuts:
            self._emit_cut(cut.item_id, cut.heard_ms)
        self._interruptions.append(Interruption(cuts, responses))
        self._changed.set()

    async def finished(self) -> None:
        """Wait until all that was received was heard; at once where the user does not listen while the session runs."""
        while self._is_live and (remaining_s := self._remaining_s) > 0:  # noqa: ASYNC110  # time alone changes it
            # An interruption makes it shorter.
            await anyio.sleep(min(max(_LEAST_WAIT_S, remaining_s), _MOST_WAIT_S))

    async def run(self) -> None:
        """Report interruptions to the endpoint, and to the listeners what was heard to its end, until cancelled."""
        async with anyio.create_task_group() as tasks:
            while True:
                self._changed = anyio.Event()
                waiting, self._interruptions = self._interruptions, []
                for each in waiting:
                    # Where there is no connection, the history replay gives the next one what was heard.
                    if self._session is not None and self._session.link is not None:
                        tasks.start_soon(Interrupter(self._session, self._session.link, each).report)
                with anyio.move_on_after(max(_LEAST_WAIT_S, self._emit_heard())):
                    await self._changed.wait()

    def _play(self, delta: AudioDelta, update: Update) -> None:
        response_id, item_id, _ = delta
        if self._session is None or item_id in self._stopped_items:
            return
        if response_id in self._stopped_responses:
            # It begins after the interruption and will not be heard.
            self._cut([self._unheard(item_id, response_id, content_index(update))], frozenset())
            return
        answer = self._answers.get(item_id)
        if answer is None:
            # What no event brought came on no connection, and the endpoint has no sound of it to truncate.
            epoch = self._session.epoch if update.event else 0
            answer = self._answers[item_id] = Answer(response_id, content_index(update), epoch)
            if len(self._answers) > MAX_ANSWERS:
                oldest = next(iter(self._answers))
                self._emit_whole(oldest, self._answers[oldest])
            self._changed.set()
        try:
            audio = delta.decode()
        except ValueError:
            if not self._is_undecodable:
                self._is_undecodable = True
                logs.logger().warning("audio_undecodable", item_id=item_id)
                self._session.give_up(ProtocolError("audio of an answer cannot be decoded, and was not heard"))
            return
        form = self._session.state.configuration.output_format
        pcm = answer.add(audio, form)
        start_s = self._clock.put(item_id, duration_ms(pcm, form.rate), anyio.current_time())
        if self._session.state.kind == "live":
            is_silent = peak(pcm) <= QUIET
            self._silence_s = self._silence_s + duration_ms(pcm, form.rate) / 1000 if is_silent else 0.0
        piece = Piece(item_id, pcm, form.rate, start_s)
        for player in self._players:
            player.play(piece)

    def _stop(self) -> list[Heard]:
        """Stop the device and the clock; returns what was heard of the answers that were not heard to their end."""
        now_s = anyio.current_time()
        if self._device:
            self._device.stop()
        heard = []
        for item_id, answer in list(self._answers.items()):
            heard_ms = min(self._heard_ms(item_id, now_s), answer.received_ms)
            if answer.is_heard(heard_ms):
                self._emit_whole(item_id, answer)
            else:
                heard.append(Heard(item_id, heard_ms, answer.received_ms))
        self._clock.stop(now_s)
        return heard

    def _heard_ms(self, item_id: str, now_s: float) -> float:
        return self._device.heard_ms(item_id) if self._device else self._clock.heard_ms(item_id, now_s)

    def _complete(self, response_id: str | None) -> None:
        """Note that no more comes of the answers of a response, or of all answers where none is named."""
        for answer in self._answers.values():
            answer.is_complete = answer.is_complete or response_id in {None, answer.response_id}
        self._changed.set()

    def _emit_heard(self) -> float:
        """Emit what was heard to its end; returns for how long at least there is nothing more to emit."""
        now_s, left_s = anyio.current_time(), inf
        for item_id, answer in list(self._answers.items()):
            heard_ms = self._heard_ms(item_id, now_s)
            if answer.is_heard(heard_ms):
                self._emit_whole(item_id, answer)
            elif answer.is_complete:
                left_s = min(left_s, (answer.received_ms - heard_ms) / 1000)
        if not self.is_playing and self._session is not None:
            self._session.changes.notify()
        return left_s

    def _emit_whole(self, item_id: str, answer: Answer) -> None:
        del self._answers[item_id]
        self._clock.forget(item_id)
        if self._device:
            self._device.forget(item_id)
        self._emit([Played(item_id, round(answer.received_ms), is_whole=True)])

    def _emit_cut(self, item_id: str, heard_ms: int) -> None:
        self._emit([Played(item_id, heard_ms, is_whole=False), self._note_heard(item_id, heard_ms)])

    def _note_heard(self, item_id: str, heard_ms: int) -> Truncated:
        """Note in the conversation what was heard, whatever becomes of the connection."""
        item = self._session.state.conversation.get(item_id) if self._session else None
        if item is None or self._session is None:
            return Truncated(item_id, heard_ms, "")
        return note_heard(item, heard_ms, self._session.state.configuration.output_format)

    def _leave(self) -> None:
        """End with the session: what was not heard by now can only be heard from a file."""
        if self._is_live:
            heard = self._stop()
            for player in self._players:
                player.cut(heard)
            for item_id, heard_ms, _ in heard:
                self._emit_cut(item_id, int(heard_ms))
            self._answers.clear()
        for item_id, answer in list(self._answers.items()):
            self._emit_whole(item_id, answer)

    def _emit(self, effects: Sequence[Effect]) -> None:
        update = Update(None, effects, time(), 0)
        for listener in self._listeners:
            listener(update)
