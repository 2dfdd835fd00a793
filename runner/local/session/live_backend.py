"""The Responses model behind a Live session: it does what the Live model delegates, with the client's functions."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from runner.api.live_events import BackendMessage, BackendOutput
from runner.local.session.api_error import ApiError
from runner.local.session.backend_response import BackendResponse
from runner.local.session.identifiers import new_id
from runner.local.session.live_conversation import LiveConversation
from runner.local.session.model_answer import ModelAnswer
from runner.local.session.server_event import ServerEvent, server_event
from runner.local.speech.replies import BrainAnswer, Call, Offer, PromptSummary, Replies
from runner.settings.faults import ResponseFailedFault

_MAX_TASKS: Final = 256
_FAILED: Final = "I could not do that."
"""What the Live model says where the Responses model has failed."""


@dataclass
class _Task:
    """What was delegated, and the calls of its last response with their outputs; those of servers have theirs."""

    delegation_id: str | None
    prompt: PromptSummary
    calls: dict[str, Call] = field(default_factory=dict)
    outputs: dict[str, str] = field(default_factory=dict)
    served: tuple[str, ...] = ()

    def unanswered(self) -> list[str]:
        """The calls that have no output yet."""
        return [call_id for call_id in self.calls if call_id not in self.outputs]


class LiveBackend:
    """Answers by the script, by the language model or by an echo; the Live model says what it writes.

    Args:
        replies: The script.
        conversation: What it knows.
        settings: Its settings as they are now: `delegation.responses`.
        say: Called with what the Live model is to say.
        ask: Has the language model answer what the script does not; None without one.
        failure: The fault of the next response, if it has one.
    """

    def __init__(
        self,
        replies: Replies,
        conversation: LiveConversation,
        *,
        settings: Callable[[], dict[str, Any]],
        say: Callable[[str], None],
        ask: Callable[[ModelAnswer], None] | None,
        failure: Callable[[], ResponseFailedFault | None],
    ) -> None:
        self._replies = replies
        self._conversation = conversation
        self._settings = settings
        self._say = say
        self._ask = ask
        self._failure = failure
        self._tasks: list[_Task] = []
        """What waits for outputs of the client's functions."""
        self._message = ""
        """The last message that the client has added."""

    def begin(self, prompt: PromptSummary, offset_ms: int, given: BrainAnswer | None = None) -> list[ServerEvent]:
        """The Live model delegates what the user has said; returns the events of the first response.

        Args:
            prompt: What the user has said.
            offset_ms: When, in the time of the session.
            given: The answer of the language model, where it has one already.
        """
        task = _Task(new_id("dlg"), prompt)
        answer = given or self._replies.answer(prompt, self._offer(is_first=True))
        # What is said besides calls, the Live model has said itself.
        answer = answer._replace(text="") if answer.calls else answer
        response = BackendResponse(self._settings(), task.delegation_id)
        delegation = {"id": task.delegation_id, "type": "delegation", "target": "responses", "response_id": response.id}
        created = server_event("session.delegation.created", delegation=delegation, offset_ms=offset_ms)
        return [created, *response.begin(), *self._give(task, response, answer)]

    def add(self, item: BackendOutput | BackendMessage) -> None:
        """The client adds an item.

        Raises:
            ApiError: It is the output of a call that does not wait for one.
        """
        if isinstance(item, BackendMessage):
            self._message = _text_of(item.content) if item.role == "user" else self._message
            self._conversation.add(item.role, _text_of(item.content))
            return
        task = next((each for each in self._tasks if item.call_id in each.unanswered()), None)
        if task is None:
            message = f"No function call with the id '{item.call_id}' waits for its output."
            raise ApiError(message, code="invalid_value", param="item.call_id")
        task.outputs[item.call_id] = _text_of(item.output)

    def go_on(self) -> list[ServerEvent]:
        """The client asks for a response; returns its events, unless the language model has to write it first.

        Raises:
            ApiError: No task has all its outputs.
        """
        answered = [task for task in self._tasks if not task.unanswered()]
        if self._tasks and not answered:
            message = f"No tool output found for function call {self._tasks[0].unanswered()[0]}."
            raise ApiError(message, code="missing_tool_output", param="type")
        if not answered:
            return self._respond(_Task(None, PromptSummary(text=self._message)))
        self._tasks = [task for task in self._tasks if task not in answered]
        return [event for task in answered for event in self._respond(self._with_outputs(task))]

    def _with_outputs(self, task: _Task) -> _Task:
        for call_id, call in task.calls.items():
            self._conversation.note_call(call_id, call.name, call.arguments, task.outputs[call_id])
        outputs = (*task.served, *(task.outputs[call_id] for call_id in task.calls))
        return _Task(task.delegation_id, task.prompt._replace(outputs=outputs))

    def _respond(self, task: _Task) -> list[ServerEvent]:
        response = BackendResponse(self._settings(), task.delegation_id)
        if self._ask is None:
            return [*response.begin(), *self._give(task, response, self._replies.answer(task.prompt, self._offer()))]
        scripted = self._replies.by_row(task.prompt, self._offer())
        if scripted is not None:
            return [*response.begin(), *self._give(task, response, scripted)]
        self._ask(
            ModelAnswer(
                then=lambda answer: self._give(task, response, answer),
                fail=lambda: self._fail(response, "server_error", "The model failed to answer."),
            )
        )
        return response.begin()

    def _fail(self, response: BackendResponse, code: str, message: str) -> list[ServerEvent]:
        self._say(_FAILED)
        return response.fail(code, message)

    def _give(self, task: _Task, response: BackendResponse, answer: BrainAnswer) -> list[ServerEvent]:
        """The response says and calls this."""
        if fault := self._failure():
            return self._fail(response, fault.code, fault.message)
        events: list[ServerEvent] = []
        if answer.text:
            events += response.write(answer.text)
            self._say(answer.text)
        served = [call for call in answer.calls if call.server]
        task.served = tuple(call.output for call in served)
        events += [event for call in served for event in response.serve(call)]
        task.calls = {new_id("call"): call for call in answer.calls if not call.server}
        events += [event for call_id, call in task.calls.items() for event in response.call(call_id, call)]
        if task.calls:
            self._tasks = [*self._tasks[1 - _MAX_TASKS :], task]
        elif served:
            # Servers answer at once, and the response goes on; what it says now is the end of it.
            text = self._replies.answer(task.prompt._replace(outputs=task.served)).text
            events += response.write(text)
            self._say(text)
        return [*events, *response.end(len(task.prompt.text) + sum(map(len, task.prompt.outputs)))]

    def _offer(self, *, is_first: bool = False) -> Offer:
        """What the script may call; one that must call a function must do so in its first response for a task."""
        settings = self._settings()
        functions = {each["name"]: each for each in settings.get("tools") or () if each["type"] == "function"}
        choice = settings.get("tool_choice") or "auto"
        if choice == "none":
            return Offer(functions, "none")
        if choice == "required" and is_first:
            return Offer(functions, "required")
        if is_first and isinstance(choice, dict) and choice["type"] == "function" and choice.get("name") in functions:
            return Offer(functions, "named", choice["name"])
        return Offer(functions)


def _text_of(content: str | list[dict[str, Any]]) -> str:
    if isinstance(content, str):
        return content
    return "\n".join(str(part["text"]) for part in content if isinstance(part.get("text"), str))
