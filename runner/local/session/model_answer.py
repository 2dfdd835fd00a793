"""The answer that a language model writes in a Live session."""

from collections.abc import Callable

from runner import logs
from runner.local.session.jobs import ModelJob
from runner.local.session.server_event import ServerEvent
from runner.local.session.utterance import Utterance
from runner.local.speech.language_model import ModelRequest, NoAnswer
from runner.local.speech.replies import BrainAnswer, Call


class ModelAnswer:
    """Takes over what the model writes.

    Args:
        then: Called with the whole answer; returns the events that follow.
        fail: Called where there is none; returns the events that follow.
        aloud: What says the answer while it is written, and ends the model's work where somebody speaks over it; None
            where nobody hears it.
    """

    def __init__(
        self,
        then: Callable[[BrainAnswer], list[ServerEvent]],
        fail: Callable[[], list[ServerEvent]],
        aloud: Utterance | None = None,
    ) -> None:
        self._then = then
        self._when_failed = fail
        self._aloud = aloud
        self._text = ""
        self._calls: list[Call] = []

    def job(self, request: ModelRequest) -> ModelJob:
        """The work of the model."""
        return ModelJob(request, self._take, self._end, self._fail, is_over=lambda: self._is_over)

    @property
    def _is_over(self) -> bool:
        return self._aloud is not None and self._aloud.is_over

    def _take(self, part: str | Call) -> list[ServerEvent]:
        if isinstance(part, Call):
            self._calls.append(part)
        elif text := part if self._text else part.lstrip():
            self._text += text
            if self._aloud is not None:
                self._aloud.add(text)
        return []

    def _end(self, _finish_reason: str) -> list[ServerEvent]:
        if self._aloud is not None:
            self._aloud.end()
        return self._then(BrainAnswer(self._text, tuple(self._calls)))

    def _fail(self, error: Exception) -> list[ServerEvent]:
        if self._aloud is not None:
            self._aloud.end()
        hint = error.hint if isinstance(error, NoAnswer) else ""
        logs.logger().error("brain_failed", error=str(error), **({"hint": hint} if hint else {}))
        return self._when_failed()
