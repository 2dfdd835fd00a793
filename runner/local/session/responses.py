"""The responses of a session: they are answered by the rules or the model, spoken, and counted."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Final

from runner import logs
from runner.local.session.jobs import Job, ModelJob, Settle
from runner.local.session.prompts import prompt_of
from runner.local.session.response import Response
from runner.local.session.server_event import ServerEvent, server_event
from runner.local.session.transcription import Transcriptions
from runner.local.speech.engines import Engines
from runner.local.speech.language_model import NoAnswer
from runner.local.speech.replies import BrainAnswer, Call
from runner.protocol.word_for_word import recited

if TYPE_CHECKING:
    from runner.local.session.spoken_text import SpokenText

_TOKEN_LIMIT: Final = 1_000_000


class Responses:
    """The responses in flight; at most one of them belongs to the conversation.

    Args:
        engines: The engines that answer and speak.
        transcriptions: The transcriptions of the audio that responses answer to.
        assign: Called with each job that comes up.
        on_end: Called when the active response has ended; returns the events that follow.

    Attributes:
        in_flight: The responses that have begun and not ended.
        active: The one that belongs to the conversation, or None.
        has_sent_audio: Whether the session has sent audio.
    """

    def __init__(
        self,
        engines: Engines,
        transcriptions: Transcriptions,
        *,
        assign: Callable[[Job | ModelJob], None],
        on_end: Callable[[Response], list[ServerEvent]],
    ) -> None:
        self.in_flight: list[Response] = []
        self.active: Response | None = None
        self.has_sent_audio = False
        self._engines = engines
        self._transcriptions = transcriptions
        self._assign = assign
        self._on_end = on_end
        self._used_tokens = 0

    @property
    def can_advance(self) -> bool:
        """Whether a response goes on by itself."""
        return any(response.can_advance for response in self.in_flight)

    def start(self, response: Response, *, in_conversation: bool) -> list[ServerEvent]:
        """Begin a response; returns its first events."""
        if in_conversation:
            self.active = response
        self.in_flight.append(response)
        return response.begin() + self._answer(response)

    def advance(self) -> list[ServerEvent]:
        """Each response that goes on by itself adds a piece; returns its events."""
        events: list[ServerEvent] = []
        for response in [each for each in self.in_flight if each.can_advance]:
            events += self._settle(response, response.advance())
        return events

    def cancel(self, response: Response, reason: str) -> list[ServerEvent]:
        """Cancel a response, for the API's `reason`; returns its last events."""
        return self._settle(response, response.cancel(reason))

    def _answer(self, response: Response) -> list[ServerEvent]:
        if response.is_done or response.can_advance:
            return []
        if (text := recited(response.request.instructions)) is not None:
            return self._give(response, BrainAnswer(text))
        items = response.request.items
        for stored in items:
            self._transcriptions.transcribe(stored, is_sent=False)
        if untranscribed := next((stored for stored in items if stored.is_being_transcribed), None):
            untranscribed.after_transcription.append(partial(self._answer, response))
            return []
        prompt = prompt_of(items, response.request.own_instructions)
        if self._engines.new_language_model is None:
            return self._give(response, self._engines.replies.answer(prompt, response.request.offer))
        scripted = self._engines.replies.by_row(prompt, response.request.offer)
        if scripted is not None:
            return self._give(response, scripted)
        self._ask(response)
        return []

    def _ask(self, response: Response) -> None:
        """Have the language model write the answer."""
        from runner.local.session.spoken_text import SpokenText
        from runner.local.session.written_answer import WrittenAnswer, model_request

        request, speech = response.request, self._engines.speech
        # The notice is for users; a small model would only repeat it.
        instructions = "" if request.instructions == self._engines.notice else request.instructions
        spoken = SpokenText(speech.voice, request.audio_format.rate) if request.audio_format else None
        answer = WrittenAnswer(response, spoken, speak=partial(self._speak_on, response, spoken))

        def settled(events: Callable[[], list[ServerEvent]]) -> list[ServerEvent]:
            return [] if response.is_done else self._settle(response, events())

        self._assign(
            ModelJob(
                model_request(request, instructions),
                take=lambda part: settled(lambda: answer.take(part)),
                end=lambda reason: settled(lambda: answer.end(reason)),
                fail=lambda error: self._fail(response, "brain", error)(),
                is_over=lambda: response.is_done,
            )
        )

    def _speak_on(self, response: Response, spoken: SpokenText | None) -> None:
        """Say aloud what has been written meanwhile."""
        if spoken is None:
            return
        if not self._engines.speech.is_slow:
            response.follow(spoken)
        elif not spoken.is_being_spoken:
            spoken.is_being_spoken = True
            self._synthesize_next(response, spoken)

    def _give(self, response: Response, answer: BrainAnswer) -> list[ServerEvent]:
        if response.is_done:
            return []
        audio_format, speech = response.request.audio_format, self._engines.speech
        if audio_format is None or not answer.text:
            return response.stream_text(answer.text, answer.calls)
        spoken = speech.voice.speak(answer.text, audio_format.rate)
        if not speech.is_slow:
            return response.stream(spoken, answer.calls)
        self._synthesize_next(response, iter(spoken), answer.calls)
        return []

    def _synthesize_next(
        self, response: Response, pieces: Iterator[tuple[str, bytes]], calls: Sequence[Call] = ()
    ) -> None:
        def work() -> Settle:
            try:
                piece = next(pieces, None)
            except Exception as error:  # noqa: BLE001  # a model may raise anything; the response fails
                return self._fail(response, "voice", error)
            return partial(self._add_piece, response, pieces, calls, piece)

        self._assign(Job("voice", work))

    def _add_piece(
        self,
        response: Response,
        pieces: Iterator[tuple[str, bytes]],
        calls: Sequence[Call],
        piece: tuple[str, bytes] | None,
    ) -> list[ServerEvent]:
        if response.is_done:
            return []
        if piece is None:
            from runner.local.session.spoken_text import SpokenText

            if isinstance(pieces, SpokenText) and (response.is_open_ended or pieces.has_sentence):
                pieces.is_being_spoken = False
                if pieces.has_sentence:
                    self._speak_on(response, pieces)
                return []
            # What is called goes on by itself, to the end of the response.
            return response.stream(None, calls)
        events = self._settle(response, response.add_piece(*piece))
        if not response.is_done:
            self._synthesize_next(response, pieces, calls)
        return events

    def _fail(self, response: Response, what: str, error: Exception) -> Settle:
        if isinstance(error, NoAnswer):
            logs.logger().error(f"{what}_failed", error=str(error), **({"hint": error.hint} if error.hint else {}))
        else:
            logs.logger().error(f"{what}_failed", exc_info=error)
        return lambda: [] if response.is_done else self._settle(response, response.fail(f"{what}_failed"))

    def _settle(self, response: Response, events: list[ServerEvent]) -> list[ServerEvent]:
        self.has_sent_audio = self.has_sent_audio or response.has_sent_audio
        if not response.is_done:
            return events
        self.in_flight.remove(response)
        self._used_tokens += response.usage()["total_tokens"]
        remaining = max(0, _TOKEN_LIMIT - self._used_tokens)
        limits = [
            {"name": "requests", "limit": 10_000, "remaining": 9_999, "reset_seconds": 0.006},
            {"name": "tokens", "limit": _TOKEN_LIMIT, "remaining": remaining, "reset_seconds": 0.06},
        ]
        events = [*events, server_event("rate_limits.updated", rate_limits=limits)]
        if self.active is response:
            self.active = None
            events += self._on_end(response)
        return events
