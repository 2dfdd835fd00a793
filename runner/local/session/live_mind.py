"""What the model of a Live session makes of what it hears and is told."""

from collections.abc import Callable
from typing import Final

from runner import logs
from runner.local.session.api_error import ApiError
from runner.local.session.jobs import Job, ModelJob
from runner.local.session.live_config import LiveConfig
from runner.local.session.live_conversation import LiveConversation
from runner.local.session.live_speech import LiveSpeech
from runner.local.session.server_event import ServerEvent, live_error
from runner.local.session.spoken_text import SpokenText
from runner.local.session.utterance import Utterance
from runner.local.speech.engines import Engines
from runner.local.speech.language_model import ModelRequest, NoAnswer
from runner.local.speech.replies import Call, PromptSummary

_MAX_WAITING: Final = 256
"""So many utterances may wait; a client that adds more sends no audio in which they could be said."""


class LiveMind:
    """Answers by the script, by the language model or by an echo, and says what it is given.

    Args:
        engines: What answers and speaks.
        config: The session's configuration.
        conversation: Who has said what.
        speech: What the model says.
        assign: Called with each job that comes up.
    """

    def __init__(
        self,
        engines: Engines,
        config: LiveConfig,
        conversation: LiveConversation,
        speech: LiveSpeech,
        assign: Callable[[Job | ModelJob], None],
    ) -> None:
        self._engines = engines
        self._config = config
        self._conversation = conversation
        self._speech = speech
        self._assign = assign

    def hear(self, words: str, audio_s: float) -> list[ServerEvent]:
        """The user has said something, or nothing that was understood; returns the events that follow."""
        if words:
            self._conversation.add("user", words)
        prompt = PromptSummary(text=words, audio_s=audio_s)
        scripted = self._engines.replies.scripted(prompt)
        if scripted is None and self._engines.new_language_model is not None:
            self._ask()
            return []
        answer = scripted or self._engines.replies.answer(prompt)
        if answer.text:
            self.say(answer.text)
        return []

    def instruct(self, instruction: str) -> None:
        """The developer has told the model something; the script may have an answer to it."""
        self._conversation.add("developer", instruction)
        scripted = self._engines.replies.scripted(PromptSummary(instructions=instruction))
        if scripted is not None and scripted.text:
            self.say(scripted.text)

    def think(self, content: str) -> None:
        """The client has told the model something that is not to be said."""
        self._speech.drop_acknowledgements()
        self._conversation.add("developer", content)

    def comment(self, content: str) -> None:
        """The client has told the model something to be said.

        Raises:
            ApiError: Too much waits to be said.
        """
        if len(self._speech) >= _MAX_WAITING:
            raise ApiError(f"{_MAX_WAITING} texts wait to be said already.", code="too_many_texts", param="content")
        self._speech.drop_acknowledgements()
        self.say(content)

    def say(self, text: str) -> None:
        """Say something, after all that waits to be said."""
        self._speech.say(Utterance(iter(self._engines.speech.voice.speak(text, self._config.audio_format.rate))))

    def _ask(self) -> None:
        """Have the language model answer, aloud."""
        # The notice is for users; a small model would only repeat it.
        instructions = "" if self._config.instructions == self._engines.notice else self._config.instructions
        utterance = Utterance(SpokenText(self._engines.speech.voice, self._config.audio_format.rate))
        self._speech.say(utterance)

        def take(part: str | Call) -> list[ServerEvent]:
            if isinstance(part, str):
                utterance.add(part)
            return []

        def end(_reason: str) -> list[ServerEvent]:
            utterance.end()
            return []

        def fail(error: Exception) -> list[ServerEvent]:
            utterance.end()
            hint = error.hint if isinstance(error, NoAnswer) else ""
            logs.logger().error("brain_failed", error=str(error), **({"hint": hint} if hint else {}))
            message = "The model failed to answer; the session goes on."
            return [live_error(kind="server_error", code="brain_failed", message=message)]

        request = ModelRequest(self._conversation.messages(instructions))
        self._assign(ModelJob(request, take, end, fail, is_over=lambda: utterance.is_over))
