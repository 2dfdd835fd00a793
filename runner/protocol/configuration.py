"""The configuration of a session: what the client has asked for, and what the endpoint has confirmed."""

from collections import OrderedDict
from functools import reduce

from runner.audio.format import PCM, AudioFormat
from runner.protocol.json_fields import JsonObject
from runner.protocol.session_format import format_of
from runner.protocol.session_update import merged

_REMEMBERED_UPDATES = 256
_NEVER_NULL = frozenset({"audio", "input", "output", "format", "type", "output_modalities"})
"""Settings that cannot be switched off."""


class Configuration:
    """The `session` object on one connection, as the client asked for it and as the endpoint confirmed it.

    Args:
        before: The configuration on the session's connection before this one; `asked` goes on.
    """

    def __init__(self, before: "Configuration | None" = None) -> None:
        self.asked: JsonObject = before.asked if before else {}
        """All updates that the endpoint has granted, laid over each other."""
        self.reported: JsonObject = {}
        """The configuration of this connection, as the endpoint reports it; only drift is judged by it."""
        self.effective: JsonObject = {}
        """The configuration that behaviour goes by: what the endpoint reports, else what was asked for."""
        self.input_format: AudioFormat = PCM
        """The format of the audio that the client sends."""
        self.output_format: AudioFormat = PCM
        """The format of the assistant's audio."""
        self._updates: OrderedDict[str, JsonObject] = OrderedDict()

    @property
    def wanted(self) -> JsonObject:
        """All updates, those included that the endpoint has still to answer."""
        return reduce(merged, self._updates.values(), self.asked)

    @property
    def is_settled(self) -> bool:
        """Whether the endpoint has confirmed or refused every update."""
        return not self._updates

    def ask(self, event_id: str, session: JsonObject) -> None:
        """The client has sent a `session.update`, or the start of a Live session; its history is no setting."""
        self._updates[event_id] = {name: value for name, value in session.items() if name != "input"}
        if len(self._updates) > _REMEMBERED_UPDATES:
            self._updates.popitem(last=False)

    def report(self, session: JsonObject) -> None:
        """The endpoint says what holds; what it does not show is as it was asked for."""
        self.reported = session
        self.effective = merged(self.asked, _without_nulls(session))
        self.input_format = format_of(self.effective, "input")
        self.output_format = format_of(self.effective, "output")

    def confirm(self, session: JsonObject) -> None:
        """The endpoint has granted the oldest update that it had not answered, if there is one."""
        if self._updates:
            self.asked = merged(self.asked, self._updates.popitem(last=False)[1])
        self.report(session)

    def refuse(self, event_id: str) -> None:
        """The endpoint has answered an event with an error; if it was an update, nothing of it holds."""
        self._updates.pop(event_id, None)

    @property
    def hearing(self) -> JsonObject:
        """The settings of the input audio, as far as they can be read."""
        return _below(self.effective, "audio", "input")

    @property
    def detects_turns(self) -> bool:
        """Whether the endpoint detects by itself when the user has finished speaking."""
        return isinstance(self.hearing.get("turn_detection"), dict)

    @property
    def answers_turns(self) -> bool:
        """Whether the endpoint makes a response to every turn that it detects; a commit of the client makes none."""
        detection = self.hearing.get("turn_detection")
        conversing = self.effective.get("type") != "transcription"
        return conversing and isinstance(detection, dict) and detection.get("create_response") is not False

    @property
    def interrupts(self) -> bool:
        """Whether the user stops the answer by starting to speak."""
        detection = self.hearing.get("turn_detection")
        return isinstance(detection, dict) and detection.get("interrupt_response") is not False


def _without_nulls(session: JsonObject) -> JsonObject:
    """The object without nulls where the API knows none: they show nothing."""
    return {
        name: _without_nulls(value) if isinstance(value, dict) and name in _NEVER_NULL else value
        for name, value in session.items()
        if not (value is None and name in _NEVER_NULL)
    }


def _below(session: JsonObject, *path: str) -> JsonObject:
    """The object under these keys, an empty one where there is none."""
    for key in path:
        value = session.get(key)
        session = value if isinstance(value, dict) else {}
    return session
