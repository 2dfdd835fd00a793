"""The rules by which the local endpoint answers without a model: a script, else an echo."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

from pydantic import JsonValue

from runner.local.speech.sample_arguments import sample_arguments
from runner.protocol.json_text import dumps

if TYPE_CHECKING:
    from runner.settings.script import ScriptedCall, ScriptedReply


class Call(NamedTuple):
    """One call of a function."""

    name: str
    arguments: str
    """The arguments, JSON as text."""
    server: str = ""
    """The MCP server whose tool it is; nothing for a function of the client."""
    output: str = ""
    """What the server answers, or why the call fails."""
    fails: bool = False
    approval_id: str = ""
    """The request for approval that the client has approved of."""


class BrainAnswer(NamedTuple):
    """What a response says, and what it calls."""

    text: str
    """Nothing where it only calls."""
    calls: tuple[Call, ...] = ()
    delegates: bool = False
    """Whether a Live model has it done by somebody else, whatever it calls."""


@dataclass(frozen=True)
class Offer:
    """The functions that may be called, and whether one must be.

    Args:
        functions: The functions as `session.tools` has them, by their names.
        choice: Whether any may be called, none may, one must, or a certain one.
        name: Which one must be.
        servers: The MCP servers as `session.tools` has them, by their labels.
    """

    functions: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    choice: Literal["auto", "none", "required", "named"] = "auto"
    name: str = ""
    servers: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def asks_first(self, call: Call) -> bool:
        """Whether a call of a server waits for the client's approval, as it does unless the server's entry says no."""
        server = self.servers.get(call.server)
        return server is not None and not call.approval_id and server.get("require_approval") != "never"


_NO_OFFER: Final = Offer()


class PromptSummary(NamedTuple):
    """What a response answers to, as far as the rules read it.

    Args:
        text: The user's words, typed or transcribed; "" for none.
        audio_s: The length of the user's audio, in seconds.
        images: How many images the user shows.
        approved: The calls of servers that the client has approved of, and that were not made.
        is_denied: Whether the client has denied the last call of a server.
        outputs: The outputs of the functions that were called last since the user's message, the latest last.
        instructions: The instructions that the request itself brings.
    """

    text: str = ""
    audio_s: float = 0.0
    images: int = 0
    outputs: tuple[str, ...] = ()
    instructions: str = ""
    approved: tuple[Call, ...] = ()
    is_denied: bool = False


class Replies:
    """Answers by rules: the same prompt always gets the same answer."""

    def __init__(self, script: "Sequence[ScriptedReply]") -> None:
        self._for_texts = [(re.compile(row.match, re.IGNORECASE), row) for row in script if row.match]
        self._for_instructions = [
            (re.compile(row.instructions, re.IGNORECASE), row) for row in script if row.instructions
        ]
        self._for_outputs = [(re.compile(row.output, re.IGNORECASE), row) for row in script if row.output]

    def scripted(self, prompt: PromptSummary, offer: Offer = _NO_OFFER) -> BrainAnswer | None:
        """The answer by the script, and by what must or must not be called; None where neither says anything.

        A row for the user's text calls its functions once for each message: rows for outputs answer these.
        """
        answer = self._found(prompt)
        if offer.choice == "auto":
            return answer
        text, calls, _ = answer or BrainAnswer("")
        if offer.choice == "none":
            return BrainAnswer(text) if text else None
        calls = tuple(each for each in calls if offer.name in {"", each.name})
        return BrainAnswer(text, calls or (_sample_call(prompt, offer),))

    def answer(self, prompt: PromptSummary, offer: Offer = _NO_OFFER) -> BrainAnswer:
        """The answer to a prompt, never empty."""
        return self.scripted(prompt, offer) or BrainAnswer(_echo(prompt))

    def by_row(self, prompt: PromptSummary, offer: Offer) -> BrainAnswer | None:
        """What the script alone says, without calls where none may be made; None where it says nothing."""
        answer = self._found(prompt)
        if answer is None or offer.choice != "none":
            return answer
        return BrainAnswer(answer.text) if answer.text else None

    def tools_of(self, server: str) -> list[str]:
        """The tools of a server that the script calls."""
        rows = [row for _, row in (*self._for_texts, *self._for_outputs)]
        return list(dict.fromkeys(each.name for row in rows for each in row.calls if each.server == server))

    def _made(self, call: Call) -> Call:
        """An approved call with what the script knows of its result."""
        rows = [row for _, row in (*self._for_texts, *self._for_outputs)]
        known = (each for row in rows for each in row.calls if (each.server, each.name) == (call.server, call.name))
        scripted = next(known, None)
        return call._replace(output=scripted.output, fails=scripted.fails) if scripted else call

    def _found(self, prompt: PromptSummary) -> BrainAnswer | None:
        """What the first row says whose pattern is found; rows for outputs come first where there are any."""
        if prompt.instructions and (answer := _first(self._for_instructions, prompt.instructions)):
            return answer
        if prompt.approved:
            return BrainAnswer("", tuple(map(self._made, prompt.approved)))
        if prompt.is_denied:
            return BrainAnswer("The call was denied.")
        if prompt.outputs and (answer := _first(self._for_outputs, "\n".join(prompt.outputs))):
            return answer
        answer = _first(self._for_texts, prompt.text) if prompt.text else None
        return None if answer and answer.calls and prompt.outputs else answer


def _first(rules: "Sequence[tuple[re.Pattern[str], ScriptedReply]]", text: str) -> BrainAnswer | None:
    for pattern, row in rules:
        if found := pattern.search(text):
            reply = _expand(found, row.reply)
            calls = tuple(_call(found, each) for each in row.calls)
            return BrainAnswer(reply if calls or row.delegates else reply or " ", calls, row.delegates)
    return None


def _echo(prompt: PromptSummary) -> str:
    if prompt.outputs:
        answered = "; ".join(each or "(nothing)" for each in prompt.outputs)
        return f"The function{'s' if len(prompt.outputs) > 1 else ''} answered: {answered}"
    if prompt.text.strip():
        return f"You said: {prompt.text}"
    if prompt.audio_s > 0:
        return f"I heard {prompt.audio_s:.1f} s of audio."
    if prompt.images:
        return f"I was shown {prompt.images} image{'s' if prompt.images > 1 else ''}."
    return "Hello! I am the local endpoint of rt-run, and I answer by rules."


def _call(found: re.Match[str], scripted: "ScriptedCall") -> Call:
    arguments = scripted.arguments
    text = arguments if isinstance(arguments, str) else dumps(_filled(found, arguments))
    return Call(scripted.name, text, scripted.server, _expand(found, scripted.output), scripted.fails)


def _filled(found: re.Match[str], value: JsonValue) -> JsonValue:
    """A value with the groups of the match in its texts."""
    match value:
        case str():
            return _expand(found, value)
        case list():
            return [_filled(found, each) for each in value]
        case dict():
            return {key: _filled(found, each) for key, each in value.items()}
        case _:
            return value


def _sample_call(prompt: PromptSummary, offer: Offer) -> Call:
    """A call of the function that must be called, of the first one where any will do."""
    name = offer.name or next(iter(offer.functions), "")
    return Call(name, dumps(sample_arguments(offer.functions.get(name, {}).get("parameters") or {}, prompt.text)))


def _expand(found: re.Match[str], reply: str) -> str:
    try:
        return found.expand(reply)
    except (re.error, IndexError):
        return reply
