"""Which session a client asks for, by the address and the headers of its WebSocket."""

import re
from typing import Final, Literal, NamedTuple
from urllib.parse import parse_qsl

from runner.local.server.asgi import Scope
from runner.local.session.effective_config import SessionKind

Kind = SessionKind | Literal["translation", "live"]

_DEFAULT_MODEL: Final = "gpt-realtime-2.1"
_FORK: Final = re.compile(r"/live/sessions/(?P<id>[^/]+)/fork$")


class RequestedSession(NamedTuple):
    """The session that a client asks for.

    Args:
        kind: Its type.
        model: The model that the address names; nothing for a Live session, which names it in its first event.
        forked_id: The stored Live session that is to be forked, or nothing.
        is_deployment: Whether `model` is the name of a deployment, as on Azure.
        wants_beta: Whether the client speaks the beta shape of the API.
    """

    kind: Kind
    model: str
    is_deployment: bool
    wants_beta: bool
    forked_id: str = ""

    @property
    def lacks_model(self) -> bool:
        """Whether the address must name a model and does not."""
        return not self.model and self.kind in {"realtime", "translation"}


def kind_at(path: str) -> Literal["realtime", "translation", "live"] | None:
    """The kind of sessions at this path; None where there are none. A transcription shares a conversation's path."""
    path = path.rstrip("/")
    if path.endswith("/realtime"):
        return "realtime"
    if path.endswith("/realtime/translations"):
        return "translation"
    return "live" if path.endswith("/live/sessions") or _FORK.search(path) else None


def requested_session(scope: Scope) -> RequestedSession | None:
    """The session that a WebSocket's request is for; None where there is none at its address."""
    kind: Kind | None = kind_at(scope["path"])
    if kind is None:
        return None
    query = dict(parse_qsl(scope.get("query_string", b"").decode("latin-1")))
    if kind == "realtime" and query.get("intent") == "transcription":
        kind = "transcription"
    model = query.get("model") or query.get("deployment") or (_DEFAULT_MODEL if query.get("call_id") else "")
    # On Azure `model`, or in older clients `deployment`, names a deployment.
    fork = _FORK.search(scope["path"].rstrip("/"))
    is_deployment = scope["path"].startswith("/openai/")
    return RequestedSession(kind, model, is_deployment, _wants_beta(scope), fork["id"] if fork else "")


def _wants_beta(scope: Scope) -> bool:
    headers = [value.decode("latin-1") for name, value in scope["headers"] if name.lower() == b"openai-beta"]
    offered = scope.get("subprotocols", [])
    return any("realtime=v1" in value for value in headers) or "openai-beta.realtime-v1" in offered
