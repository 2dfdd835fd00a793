"""The responses of a session from their beginning to their end: thought up, spoken, and counted."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Final

from runner import logs
from runner.local.session.item_store import messages_of, prompt_of
from runner.local.session.jobs import Job, Settle
from runner.local.session.response import Response
from runner.local.session.server_event import ServerEvent, server_event
from runner.local.session.transcription import Transcriptions
from runner.local.speech.engines import Engines

_TOKEN_LIMIT: Final = 1_000_000


class Responses:
    """The responses in flight; at most one of them belongs to the conversation.

    Args:
        engines: What thinks and speaks.
        transcriptions: Writes down audio that a response answers to.
        assign: Takes slow work.
        ended: Called when a response is over; returns the events that follow it.

    Attributes:
        in_flight: All of them.
        speaking: The one in the conversation.
        spoke: Whether the session has sent audio.
    """

    def __init__(
        self,
        engines: Engines,
        transcriptions: Transcriptions,
        *,
        assign: Callable[[Job], None],
        ended: Callable[[Response], list[ServerEvent]],
    ) -> None:
        self.in_flight: list[Response] = []
        self.speaking: Response | None = None
        self.spoke = False
        self._engines = engines
        self._transcriptions = transcriptions
        self._assign = assign
        self._ended = ended
        self._spent_tokens = 0

    @property
    def can_advance(self) -> bool:
        """Whether `advance` has something to say."""
        return any(response.can_advance for response in self.in_flight)

    def start(self, response: Response, *, in_conversation: bool) -> list[ServerEvent]:
        """Begin a response; what it says follows."""
        if in_conversation:
            self.speaking = response
        self.in_flight.append(response)
        return response.begin() + self._think(response)

    def advance(self) -> list[ServerEvent]:
        """The next piece of each response that goes on by itself."""
        events: list[ServerEvent] = []
        for response in [each for each in self.in_flight if each.can_advance]:
            events += self._after(response, response.advance())
        return events

    def cancel(self, response: Response, reason: str) -> list[ServerEvent]:
        """End a response now."""
        return self._after(response, response.cancel(reason))

    def _think(self, response: Response) -> list[ServerEvent]:
        if response.done or response.can_advance:
            return []
        items = response.request.items
        for stored in items:
            self._transcriptions.transcribe(stored, is_shown=False)
        if unheard := next((stored for stored in items if stored.is_being_transcribed), None):
            unheard.after_transcription.append(partial(self._think, response))
            return []
        prompt, language_model = prompt_of(items), self._engines.language_model
        if language_model is None:
            return self._say(response, self._engines.replies.answer(prompt))
        scripted = self._engines.replies.scripted(prompt)
        if scripted is not None:
            return self._say(response, scripted)
        instructions = response.request.instructions
        # The notice is for people; a small model would only repeat it.
        messages = messages_of(items, "" if instructions == self._engines.notice else instructions)

        def work() -> Settle:
            try:
                text = language_model.answer(messages)
            except Exception as error:  # noqa: BLE001  # a model may raise anything; the response fails
                return self._broken(response, "brain", error)
            return partial(self._say, response, text or " ")

        self._assign(Job("brain", work))
        return []

    def _say(self, response: Response, text: str) -> list[ServerEvent]:
        if response.done:
            return []
        audio_format, speech = response.request.audio_format, self._engines.speech
        if audio_format is None:
            response.say_text(text)
        elif speech.is_slow:
            self._fetch(response, iter(speech.voice.speak(text, audio_format.rate)))
        else:
            response.say(speech.voice.speak(text, audio_format.rate))
        return []

    def _fetch(self, response: Response, source: Iterator[tuple[str, bytes]]) -> None:
        def work() -> Settle:
            try:
                piece = next(source, None)
            except Exception as error:  # noqa: BLE001  # a model may raise anything; the response fails
                return self._broken(response, "voice", error)
            return partial(self._spoken, response, source, piece)

        self._assign(Job("voice", work))

    def _spoken(
        self, response: Response, source: Iterator[tuple[str, bytes]], piece: tuple[str, bytes] | None
    ) -> list[ServerEvent]:
        if response.done:
            return []
        events = self._after(response, response.utter(*piece) if piece else response.finish())
        if not response.done:
            self._fetch(response, source)
        return events

    def _broken(self, response: Response, what: str, error: Exception) -> Settle:
        logs.logger().error(f"{what}_failed", exc_info=error)
        return lambda: [] if response.done else self._after(response, response.fail(f"{what}_failed"))

    def _after(self, response: Response, events: list[ServerEvent]) -> list[ServerEvent]:
        self.spoke = self.spoke or response.spoke
        if not response.done:
            return events
        self.in_flight.remove(response)
        self._spent_tokens += response.usage()["total_tokens"]
        remaining = max(0, _TOKEN_LIMIT - self._spent_tokens)
        limits = [
            {"name": "requests", "limit": 10_000, "remaining": 9_999, "reset_seconds": 0.006},
            {"name": "tokens", "limit": _TOKEN_LIMIT, "remaining": remaining, "reset_seconds": 0.06},
        ]
        events = [*events, server_event("rate_limits.updated", rate_limits=limits)]
        if self.speaking is response:
            self.speaking = None
            events += self._ended(response)
        return events
