"""What the model of a Live session makes of what it hears and is told."""

from collections.abc import Callable
from typing import Any, Final

from runner.api.live_events import BackendItemCreate
from runner.local.session.api_error import ApiError
from runner.local.session.chat_messages import chat_tools
from runner.local.session.identifiers import new_id
from runner.local.session.jobs import Job, ModelJob
from runner.local.session.live_backend import LiveBackend
from runner.local.session.live_config import LiveConfig
from runner.local.session.live_conversation import LiveConversation
from runner.local.session.live_speech import LiveSpeech
from runner.local.session.model_answer import ModelAnswer
from runner.local.session.server_event import ServerEvent, live_error, server_event
from runner.local.session.spoken_text import SpokenText
from runner.local.session.utterance import Utterance
from runner.local.speech.engines import Engines
from runner.local.speech.language_model import ModelRequest
from runner.local.speech.replies import BrainAnswer, PromptSummary
from runner.protocol.typed_text import opening_prompt, unanswered_words
from runner.settings.faults import ResponseFailedFault

_MAX_WAITING: Final = 256
"""So many utterances may wait; a client that adds more sends no audio in which they could be said."""
_MAX_DELEGATIONS: Final = 1_024
_DELEGATE: Final = {
    "type": "function",
    "function": {"name": "delegate", "description": "Have the application do what the user asks for."},
}
"""What a language model calls to delegate to the client."""


class LiveMind:
    """Answers by the script, by the language model or by an echo, delegates, and says what it is given.

    Args:
        engines: What answers and speaks.
        config: The session's configuration.
        conversation: Who has said what.
        speech: What the model says.
        assign: Called with each job that comes up.
        now_ms: The time of the session, in milliseconds.
        failure: The fault of the next response of the Responses model, if it has one.
        decide: Makes the decisions that a delegation asks for; returns the event that says how.
    """

    def __init__(
        self,
        engines: Engines,
        config: LiveConfig,
        conversation: LiveConversation,
        speech: LiveSpeech,
        *,
        assign: Callable[[Job | ModelJob], None],
        now_ms: Callable[[], float],
        failure: Callable[[], ResponseFailedFault | None],
        decide: Callable[[str], ServerEvent],
    ) -> None:
        self._engines = engines
        self._config = config
        self._conversation = conversation
        self._speech = speech
        self._assign = assign
        self._now_ms = now_ms
        self._decide = decide
        self._delegations: dict[str, None] = {}
        """The ids of what was delegated to the client, the oldest first."""
        self._backend = LiveBackend(
            engines.replies,
            conversation,
            settings=lambda: config.delegation["responses"],
            say=self.say,
            ask=self._ask if engines.new_language_model else None,
            failure=failure,
        )

    def hear(self, words: str, audio_s: float) -> list[ServerEvent]:
        """The user has said something, or nothing that was understood; returns the events that follow."""
        if words:
            self._conversation.add("user", words)
        prompt = PromptSummary(text=words, audio_s=audio_s)
        scripted = self._engines.replies.scripted(prompt)
        if scripted is None and self._engines.new_language_model is not None:
            self._answer_by_model(prompt)
            return []
        answer = scripted or self._engines.replies.answer(prompt)
        delegates = bool(answer.calls) or answer.delegates
        if answer.text and (answer.calls or not delegates or self._owner != "responses"):
            # Without calls, what the row says is the answer of the Responses model.
            self.say(answer.text)
        return self._delegate(prompt) if delegates else []

    def instruct(self, instruction: str) -> list[ServerEvent]:
        """The developer has told the model something; the script may have an answer to it.

        What the user has typed, or has said on a connection that was lost, is answered as what he says.

        Returns:
            The events that follow.

        Raises:
            ApiError: Too much waits to be said.
        """
        self._check_waiting()
        if words := unanswered_words(instruction):
            return self.hear(words, 0.0)
        if prompt := opening_prompt(instruction):
            self._open(prompt)
            return []
        self._conversation.add("developer", instruction)
        scripted = self._engines.replies.scripted(PromptSummary(instructions=instruction))
        if scripted is not None and scripted.text:
            self.say(scripted.text)
        return []

    def _open(self, prompt: str) -> None:
        """Speak first, as a prompt says."""
        summary = PromptSummary(instructions=prompt)
        scripted = self._engines.replies.scripted(summary)
        if scripted is None and self._engines.new_language_model is not None:
            self._conversation.add("developer", prompt)
            self._answer_by_model(summary)
        else:
            self.say((scripted or self._engines.replies.answer(summary)).text)

    def think(self, content: str) -> None:
        """The client has told the model something that is not to be said."""
        self._conversation.add("developer", content)

    def comment(self, content: str) -> None:
        """The client has told the model something to be said.

        Raises:
            ApiError: Too much waits to be said.
        """
        self._check_waiting()
        self.say(content)

    def say(self, text: str) -> None:
        """Say something, after all that waits to be said."""
        self._speech.say(Utterance(iter(self._engines.speech.voice.speak(text, self._config.audio_format.rate))))

    def check_delegation(self, delegation_id: str | None) -> None:
        """Refuse a text that belongs to what was not delegated to the client.

        Raises:
            ApiError: There is no such delegation.
        """
        if delegation_id is None:
            return
        if self._owner == "responses":
            message = "With Responses delegation, 'delegation_id' must be null."
            raise ApiError(message, code="invalid_value", param="delegation_id")
        if delegation_id not in self._delegations:
            message = f"There is no delegation with the id '{delegation_id}'."
            raise ApiError(message, code="delegation_not_found", param="delegation_id")

    def add_item(self, create: BackendItemCreate) -> None:
        """The client gives the Responses model an item.

        Raises:
            ApiError: There is no such model, or the item does not fit.
        """
        self._check_backend(create.type)
        self._backend.add(create.item)

    def respond(self) -> list[ServerEvent]:
        """The client asks the Responses model to go on; returns the events of its response.

        Raises:
            ApiError: There is no such model, a call has no output yet, or too much waits to be said.
        """
        self._check_backend("response.create")
        self._check_waiting()
        return self._backend.go_on()

    @property
    def _owner(self) -> str:
        return str(self._config.delegation["type"])

    def _check_waiting(self) -> None:
        if len(self._speech) >= _MAX_WAITING:
            raise ApiError(f"{_MAX_WAITING} texts wait to be said already.", code="too_many_texts", param="type")

    def _check_backend(self, name: str) -> None:
        if self._owner != "responses":
            message = f"'{name}' needs a session whose 'delegation' has the type 'responses'."
            raise ApiError(message, code="invalid_value", param="type")

    def _delegate(self, prompt: PromptSummary, answer: BrainAnswer | None = None) -> list[ServerEvent]:
        """Have somebody else do what the user has asked for."""
        offset_ms = int(self._now_ms())
        if self._owner == "responses":
            return self._backend.begin(prompt, offset_ms, answer)
        delegation_id = new_id("dlg")
        self._delegations[delegation_id] = None
        if len(self._delegations) > _MAX_DELEGATIONS:
            del self._delegations[next(iter(self._delegations))]
        delegation = {"id": delegation_id, "type": "delegation", "target": self._owner}
        created = server_event("session.delegation.created", delegation=delegation, offset_ms=offset_ms)
        return [created, self._decide(delegation_id)] if self._owner == "decisions" else [created]

    def _answer_by_model(self, prompt: PromptSummary) -> None:
        """Have the language model answer the user aloud, and delegate."""
        aloud = Utterance(SpokenText(self._engines.speech.voice, self._config.audio_format.rate))
        self._speech.say(aloud)
        message = "The model failed to answer; the session goes on."
        error = live_error(kind="server_error", code="brain_failed", message=message)
        self._ask(
            ModelAnswer(
                then=lambda answer: self._delegate(prompt, answer) if answer.calls else [],
                fail=lambda: [error],
                aloud=aloud,
            )
        )

    def _ask(self, answer: ModelAnswer) -> None:
        """Have the language model answer, which is both, the Live model and the one behind it."""
        # The notice is for users; a small model would only repeat it.
        told = "" if self._config.instructions == self._engines.notice else self._config.instructions
        backend: dict[str, Any] = self._config.delegation.get("responses", {})
        instructions = "\n\n".join(filter(None, [told, backend.get("instructions")]))
        functions = [each for each in backend.get("tools") or () if each["type"] == "function"]
        tools = chat_tools(functions) if self._owner == "responses" else [_DELEGATE]
        self._assign(answer.job(ModelRequest(self._conversation.messages(instructions), tools=tools)))
