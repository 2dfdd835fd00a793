"""The responses of a session from their beginning to their end: thought up, spoken, and counted."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Final

from runner import logs
from runner.local.session.item_store import messages_of, prompted_by
from runner.local.session.jobs import Job, ServerEvent, Settle
from runner.local.session.response import Response, event
from runner.local.session.transcription import Transcriptions
from runner.local.speech.engines import Engines

_TOKEN_LIMIT: Final = 1_000_000


class Answering:
    """The responses in flight; at most one of them belongs to the conversation.

    Args:
        faculties: What thinks and speaks.
        scribe: Writes down audio that a response answers to.
        assign: Takes slow work.
        ended: Called when a response is over; returns the events that follow it.

    Attributes:
        in_flight: All of them.
        speaking: The one in the conversation.
        spoke: Whether the session has sent audio.
    """

    def __init__(
        self,
        faculties: Engines,
        scribe: Transcriptions,
        *,
        assign: Callable[[Job], None],
        ended: Callable[[Response], list[ServerEvent]],
    ) -> None:
        self.in_flight: list[Response] = []
        self.speaking: Response | None = None
        self.spoke = False
        self._faculties = faculties
        self._scribe = scribe
        self._assign = assign
        self._ended = ended
        self._spent_tokens = 0

    @property
    def is_ready(self) -> bool:
        """Whether `advance` has something to say."""
        return any(response.is_ready for response in self.in_flight)

    def start(self, response: Response, *, in_conversation: bool) -> list[ServerEvent]:
        """Begin a response; what it says follows."""
        if in_conversation:
            self.speaking = response
        self.in_flight.append(response)
        return response.begin() + self._think(response)

    def advance(self) -> list[ServerEvent]:
        """The next piece of each response that goes on by itself."""
        events: list[ServerEvent] = []
        for response in [each for each in self.in_flight if each.is_ready]:
            events += self._after(response, response.advance())
        return events

    def cancel(self, response: Response, reason: str) -> list[ServerEvent]:
        """End a response now."""
        return self._after(response, response.cancel(reason))

    def _think(self, response: Response) -> list[ServerEvent]:
        if response.done or response.is_ready:
            return []
        entries = response.order.entries
        for entry in entries:
            self._scribe.hear(entry, is_shown=False)
        if unheard := next((entry for entry in entries if entry.is_being_heard), None):
            unheard.waiting.append(partial(self._think, response))
            return []
        prompted, writer = prompted_by(entries), self._faculties.writer
        if writer is None:
            return self._say(response, self._faculties.brain.answer(prompted))
        scripted = self._faculties.brain.scripted(prompted)
        if scripted is not None:
            return self._say(response, scripted)
        instructions = response.order.instructions
        # The notice is for people; a small model would only repeat it.
        messages = messages_of(entries, "" if instructions == self._faculties.notice else instructions)

        def work() -> Settle:
            try:
                text = writer.answer(messages)
            except Exception as error:  # noqa: BLE001  # a model may raise anything; the response fails
                return self._broken(response, "brain", error)
            return partial(self._say, response, text or " ")

        self._assign(Job("brain", work))
        return []

    def _say(self, response: Response, text: str) -> list[ServerEvent]:
        if response.done:
            return []
        form, speech = response.order.form, self._faculties.speech
        if form is None:
            response.say_text(text)
        elif speech.is_slow:
            self._fetch(response, iter(speech.voice.speak(text, form.rate)))
        else:
            response.say(speech.voice.speak(text, form.rate))
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
        events = [*events, event("rate_limits.updated", rate_limits=limits)]
        if self.speaking is response:
            self.speaking = None
            events += self._ended(response)
        return events
