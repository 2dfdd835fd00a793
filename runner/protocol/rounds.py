"""The functions that a response has called and the client runs: they are answered together, and the turn goes on."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

from runner.protocol.effects import ApprovalAsked, Effect, FunctionAnswered, FunctionCalled

if TYPE_CHECKING:
    from runner.protocol.item import Item

Standing = Literal["going-on", "interrupted", "spent"]
"""Whether the turn goes on once its functions are answered: unless it was interrupted, or has had all its rounds."""

_REMEMBERED_TURNS = 256
_REMEMBERED_CALLS = 1024


class CallFacts(NamedTuple):
    """How the call of a function has ended."""

    outcome: str
    duration_s: float
    ended_at_s: float = 0.0
    """When, in Unix seconds."""


@dataclass(eq=False, slots=True)
class Round:
    """The calls of one response, which are answered together."""

    response_id: str
    turn_id: str
    """The `event_id` of the first `response.create` of the turn; nothing where turn detection began it."""
    number: int
    """Which round of its turn it is, from 1."""
    calls: Sequence[FunctionCalled]
    approvals: Sequence[ApprovalAsked]
    """What the endpoint asks approval for, beside."""
    has_words: bool
    """Whether the response has said something, too."""
    standing: Standing = "going-on"
    is_delegated: bool = False
    """Whether the model behind a Live session has called, whose session asks for its answer by itself."""

    @property
    def goes_on(self) -> bool:
        """Whether its turn goes on once its functions are answered."""
        return self.standing == "going-on"


class Rounds:
    """The rounds of a session, over all its connections; each call is handed out once.

    Attributes:
        runs: Says whether the client runs a function with this name; others are answered by whoever uses the session.
        approves: Whether somebody answers when the endpoint asks for approval.
        most: How many rounds a turn may have.
        open: The rounds whose functions are not all answered, or whose turn was not continued yet.
        calls: How many functions were called.
        fillers: How often something was asked to be said meanwhile.
    """

    def __init__(self) -> None:
        self.runs: Callable[[str], bool] = lambda _name: False
        self.approves = False
        self.most = 1
        self.open: list[Round] = []
        self.calls = 0
        self.fillers = 0
        self._begun: set[Round] = set()
        self._turns: dict[str, tuple[str, int]] = {}
        """By the `event_id` of a request that continues a turn: the turn, and its rounds so far."""
        self._facts: dict[str, CallFacts] = {}

    @property
    def is_going_on(self) -> bool:
        """Whether a turn goes on once its functions are answered."""
        return any(each.goes_on for each in self.open)

    def awaits(self, request_id: str) -> bool:
        """Whether the turn goes on that the client has first asked for under this `event_id`."""
        return any(each.turn_id == request_id and each.goes_on for each in self.open)

    def call(
        self, response_id: str, request_id: str, made: Sequence[Item], *, is_over: bool, is_delegated: bool = False
    ) -> tuple[list[Effect], bool]:
        """A response is over, or will get no further; open a round of the functions that it has called.

        Args:
            response_id: The response.
            request_id: The `event_id` under which the client first asked for it; nothing where it did not.
            made: What the response has made.
            is_over: Whether it has ended by itself, so that its calls are to be run.
            is_delegated: Whether it is one of the model behind a Live session.

        Returns:
            What it has called and asked approval for, and whether the turn goes on.
        """
        new = [each for each in made if each.status == "completed" and not each.is_announced and _is_call(each)]
        for each in new:
            each.is_announced = True
        called = [
            FunctionCalled(response_id, each.call_id, each.name, each.text, each.id)
            for each in _distinct([each for each in new if each.call_id])
        ]
        asked = [
            ApprovalAsked(response_id, each.id, each.server, each.name, each.text) for each in new if not each.call_id
        ]
        self.calls += len(called)
        run, answered = [each for each in called if self.runs(each.name)], asked if self.approves else []
        effects: list[Effect] = [*called, *asked]
        if not (run or answered):
            return effects, False
        turn_id, number = self._turns.pop(request_id, (request_id, 0))
        standing: Standing = "interrupted" if not is_over else "going-on" if number < self.most else "spent"
        has_words = any(each.type == "message" and (each.text or each.audio_characters) for each in made)
        self.open.append(Round(response_id, turn_id, number + 1, run, answered, has_words, standing, is_delegated))
        return effects, standing == "going-on"

    def begin(self) -> list[Round]:
        """The rounds that have not begun, which begin now."""
        new = [each for each in self.open if each not in self._begun]
        self._begun.update(new)
        return new

    def follow(self, before: Round, event_id: str) -> None:
        """The turn of a round goes on with a `response.create` that has this `event_id`."""
        self._turns[before.turn_id or event_id] = before.turn_id or event_id, before.number
        self._turns[event_id] = before.turn_id or event_id, before.number
        while len(self._turns) > _REMEMBERED_TURNS:
            del self._turns[next(iter(self._turns))]

    @property
    def turns(self) -> Mapping[str, tuple[str, int]]:
        """By the `event_id` of a request that continues a turn: the turn, and how many rounds it has had."""
        return self._turns

    def restore(self, rounds: Sequence[Round], turns: Mapping[str, tuple[str, int]]) -> None:
        """Go on with what was written down: rounds that are not over, and turns that have had some."""
        self.open += rounds
        self._turns.update(turns)

    def turn_of(self, event_id: str) -> str:
        """The first request of the turn that this `response.create` continues; nothing where it begins one."""
        turn_id, _ = self._turns.get(event_id, ("", 0))
        return "" if turn_id == event_id else turn_id

    def end(self, round_: Round) -> None:
        """Everything about a round is done."""
        self.open.remove(round_)
        self._begun.discard(round_)

    def interrupt(self, responses: Collection[str] | None = None) -> list[Round]:
        """The turns of these responses, or all turns, do not go on; returns the rounds that were to."""
        interrupted = [
            each for each in self.open if each.goes_on and (responses is None or each.response_id in responses)
        ]
        for each in interrupted:
            each.standing = "interrupted"
        return interrupted

    def note(self, call_id: str, facts: CallFacts) -> None:
        """Remember how a call has ended, until its output stands in the conversation."""
        self._facts[call_id] = facts
        if len(self._facts) > _REMEMBERED_CALLS:
            # Some servers never confirm an output.
            del self._facts[next(iter(self._facts))]

    def answered(self, item: Item, call: Item | None) -> FunctionAnswered:
        """The output of a function stands in the conversation, with the call if that is known."""
        facts = self._facts.pop(item.call_id, CallFacts("", 0.0))
        name, arguments = (call.name, call.text) if call else ("", "")
        outcome, duration_s, ended_at_s = facts
        return FunctionAnswered(
            item.call_id, name, arguments, item.text, outcome, duration_s, item.id, ended_at_s=ended_at_s
        )


def _is_call(item: Item) -> bool:
    return item.type == "mcp_approval_request" or (item.type == "function_call" and bool(item.call_id))


def _distinct(calls: Sequence[Item]) -> list[Item]:
    """The calls, each once: some servers name an item otherwise at its end."""
    said = {each.call_id for each in calls if each.text}
    return [*{(each.call_id, each.text): each for each in calls if each.text or each.call_id not in said}.values()]
