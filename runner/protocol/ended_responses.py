"""The responses that have ended, the last of them at least."""

_REMEMBERED = 64


class EndedResponses:
    """The ids of responses that are over: what still comes of one of them is late."""

    def __init__(self) -> None:
        self._ids: dict[str, None] = {}

    def __contains__(self, response_id: object) -> bool:
        return response_id in self._ids

    def add(self, response_id: str) -> None:
        """A response has ended."""
        self._ids[response_id] = None
        if len(self._ids) > _REMEMBERED:
            del self._ids[next(iter(self._ids))]

    def discard(self, response_id: str) -> None:
        """A response has begun; some servers use the id of one that is over again."""
        self._ids.pop(response_id, None)
