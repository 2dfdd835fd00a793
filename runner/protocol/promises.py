"""What the endpoint still owes: the answers to our requests, and what its turn detection has promised."""

from typing import Literal

from runner.protocol.fields import JsonObject

Request = Literal["response", "aside", "commit"]
"""A response in the conversation, one out of band, or an `input_audio_buffer.commit`."""

Turn = Literal["none", "speaking", "stopped", "committed"]
"""How far turn detection is with what somebody says; `committed` while the response to it has not begun."""


class Promises:
    """Requests, responses and turns that are not over; every one of them ends by an event, an error or the close."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, Request]] = []
        """Our requests that were not answered yet, by `event_id`, the oldest first."""
        self.active: set[str] = set()
        """The responses in flight in the default conversation."""
        self.asides: set[str] = set()
        """The responses in flight out of band."""
        self.transcribing: set[str] = set()
        """The items whose audio is still being written down."""
        self.turn: Turn = "none"
        """What turn detection hears."""
        self._gave_up = False
        self._doubtful = ""

    @property
    def busy(self) -> bool:
        """Whether a response of the default conversation is asked for or in flight."""
        return bool(self.active or self.requested_by)

    @property
    def pending(self) -> bool:
        """Whether anything is still to come: a response, a transcription, the end of what somebody says."""
        return bool(self.requests or self.active or self.asides or self.transcribing) or self.turn != "none"

    @property
    def requested_by(self) -> str:
        """The id of our `response.create` for the conversation that was not answered yet, or nothing."""
        return next((event_id for event_id, kind in self.requests if kind == "response"), "")

    def begin(self, response_id: str, response: JsonObject) -> None:
        """A response has begun: one that we asked for, or one that turn detection did."""
        if response_id not in self.active | self.asides:
            (self.active if self._claim(response) else self.asides).add(response_id)

    def end(self, response_id: str, response: JsonObject) -> bool:
        """A response is over; returns whether it belongs to the conversation.

        The end counts even where the beginning was lost, or nobody would ever be asked again.
        """
        if response_id in self.active:
            self.active.discard(response_id)
            return True
        if response_id in self.asides:
            self.asides.discard(response_id)
            return False
        expected = self._expected()
        if not expected or (_conversation(response) is None and "aside" not in expected):
            return False
        return self._claim(response)

    def abandon(self, response_id: str) -> None:
        """A response is over and cannot be read; where its id is unknown too, all responses count as over."""
        if response_id in self.active | self.asides:
            self.active.discard(response_id)
            self.asides.discard(response_id)
            return
        self.active.clear()
        self.asides.clear()
        self.requests = [each for each in self.requests if each[1] == "commit"]
        self.turn = "speaking" if self.turn == "speaking" else "none"

    def refused(self, cause: str, cause_type: str) -> bool:
        """An `error` event has come; returns whether it is the answer to a request for a response.

        Some servers leave the cause out. The oldest request is then taken for it, with a doubt: if a response to it
        begins all the same, that response counts, and a later refusal of the request it was taken for counts too.
        """
        if cause and cause == self._doubtful:
            self._doubtful = ""
            return True
        if cause:
            found = next((each for each in self.requests if each[0] == cause), None)
            if cause_type.startswith("input_audio_buffer.") and self.turn == "speaking":
                self.turn = "none"
        else:
            found = min(self.requests, key=lambda each: each[1] == "commit", default=None)
            self._gave_up = self._gave_up or (found is not None and found[1] == "response")
            self.turn = "none"
        if found is None:
            return False
        self.requests.remove(found)
        return found[1] != "commit"

    def commit(self, *, answered: bool) -> None:
        """Audio was committed, by us or by turn detection; `answered` says whether the latter makes a response."""
        own = next((each for each in self.requests if each[1] == "commit"), None)
        if own:
            self.requests.remove(own)
        if own is None or self.turn == "stopped":
            self.turn = "committed" if answered else "none"
        elif self.turn == "speaking":
            self.turn = "none"

    def drop_turn(self) -> None:
        """Nobody is heard any more; the response to what was committed still comes."""
        self.turn = "committed" if self.turn == "committed" else "none"

    def transcribed(self, item_id: str) -> None:
        """An item was written down, or cannot be."""
        # Some servers do not say which item they committed; it waits under no name.
        self.transcribing.discard(item_id if item_id in self.transcribing else "")

    def clear(self) -> None:
        """The session is over, and with it everything that was promised."""
        self.requests.clear()
        self.active.clear()
        self.asides.clear()
        self.transcribing.clear()
        self.turn = "none"

    def _expected(self) -> list[Request]:
        expected: list[Request] = [kind for _, kind in self.requests if kind != "commit"]
        return [*expected, "response"] if self.turn in {"stopped", "committed"} else expected

    def _claim(self, response: JsonObject) -> bool:
        """Find the request that a response answers; returns whether the response belongs to the conversation.

        The API names the conversation, or says null out of band; some servers leave the field out or fill it in for
        every response. What we asked for therefore decides, and the field where that leaves a choice.
        """
        expected, conversation = self._expected(), _conversation(response)
        kind: Request = "aside" if conversation is None else "response"
        if expected and (kind not in expected or conversation == ""):
            kind = expected[0]
        found = next((each for each in self.requests if each[1] == kind), None)
        if found:
            self.requests.remove(found)
        if kind == "aside":
            return False
        answers_turn = self.turn in {"stopped", "committed"}
        self._doubtful = found[0] if found and (self._gave_up or answers_turn) else ""
        self._gave_up = False
        if answers_turn:
            self.turn = "none"
        return True


def _conversation(response: JsonObject) -> str | None:
    """The conversation that a response names: None where it says null, nothing where it does not say."""
    conversation = response.get("conversation_id", "")
    return conversation if conversation is None or isinstance(conversation, str) else ""
