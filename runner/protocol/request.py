"""A request of the client that the endpoint has to answer."""

from typing import Literal, NamedTuple

from runner.protocol.json_fields import JsonObject

RequestKind = Literal["response", "out_of_band", "commit"]
"""A response in the conversation, one out of band, or an `input_audio_buffer.commit`."""


class Request(NamedTuple):
    """One request of the client, or the one that turn detection made in its place."""

    event_id: str
    kind: RequestKind
    event: JsonObject
    """The client event, which a retry sends again."""
    failures: int = 0
    """How often it has failed for a temporary reason."""
    retried_id: str = ""
    """The `event_id` under which the client sent it first, where this is a retry."""
    overtaken: int = 0
    """How often it was refused because another response was in flight."""

    @property
    def first_id(self) -> str:
        """The `event_id` under which the client sent it first."""
        return self.retried_id or self.event_id


RESPONSE: JsonObject = {"type": "response.create"}
