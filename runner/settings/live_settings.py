"""The table `session` of a profile whose session is a Live one."""

from typing import Literal

from pydantic import JsonValue

from runner.api.live_session import LiveSession


class LiveSettings(LiveSession):
    """The API's Live session object; all fields but `type` are the API's own."""

    type: Literal["live"] = "live"
    """The kind of the session; never sent, since the address says it."""
    extra: dict[str, JsonValue] = {}
    """Fields of the API that rt-run does not know yet; merged into `session.start` as they are."""
