"""The requests of the client, and whether they are of the conversation or out of band."""

from typing import Final, Literal, NamedTuple

from runner.protocol.json_fields import JsonObject

RequestKind = Literal["response", "out_of_band", "commit"]
"""A response in the conversation, one out of band, or an `input_audio_buffer.commit`."""

FILLER: Final = "filler_"
"""What the ids of requests for a word begin with that is said while functions run."""
GO_ON: Final = "go_on_"
"""What the ids of requests begin with that continue a turn whose functions are answered."""


class Request(NamedTuple):
    """One request of the client, or the one that turn detection made in its place."""

    event_id: str
    kind: RequestKind
    event: JsonObject
    """The client event, which a retry sends again."""
    failures: int = 0
    """How often it has failed for a temporary reason."""
    retried_id: str = ""
    """The `event_id` under which the client sent it first, where this is a retry or continues a turn."""
    overtaken: int = 0
    """How often it was refused because another response was in flight."""
    at_s: float = 0.0
    """When the client sent it first, in Unix seconds; 0 where it did not."""

    @property
    def first_id(self) -> str:
        """The `event_id` under which the client sent it first, or the request whose turn it continues."""
        return self.retried_id or self.event_id

    def afresh(self) -> "Request":
        """The same, as if it had never failed."""
        return self._replace(failures=0, overtaken=0)

    @property
    def is_filler(self) -> bool:
        """Whether it asks for a word that is said while functions run, which nobody misses."""
        return self.event_id.startswith(FILLER)


RESPONSE: Final[JsonObject] = {"type": "response.create"}
"""What turn detection asks for in the place of the client."""


def out_of_band(event: JsonObject) -> bool:
    """Whether this `response.create` asks for a response outside the conversation, which may run beside another."""
    response = event.get("response")
    return isinstance(response, dict) and response.get("conversation") == "none"


def conversation_of(response: JsonObject) -> str | None:
    """The conversation that a response names: None where it says null, nothing where it does not say."""
    conversation = response.get("conversation_id", "")
    return conversation if conversation is None or isinstance(conversation, str) else ""
