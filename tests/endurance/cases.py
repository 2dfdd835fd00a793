"""The faults of the local endpoint, and what has to become of a session that meets them."""

from typing import Any, Literal, NamedTuple

Outcome = Literal["unaffected", "recovered"] | int
"""No other connection was needed, or one was and the session went on, or the exit code."""

MIDDLE = {"after_events": 10}
"""In the middle of the first answer."""


class Case(NamedTuple):
    """One fault, or several in turn."""

    name: str
    faults: list[dict[str, Any]]
    outcome: Outcome
    settings: tuple[str, ...] = ()
    """More settings of the profile, as `--set` takes them."""


SOON_LATE = ("endpoint.connect_timeout_s=1.5",)
SOON_DEAD = ("endpoint.ping_interval_s=0.3", "endpoint.ping_timeout_s=0.5")
SOON_SILENT = ("run.stall_timeout_s=1",)
"""Short patience where silence is the fault; elsewhere that of a profile, so that a busy machine is none."""


def _closed(code: int, outcome: Outcome, reason: str = "") -> Case:
    name = f"close {code}" + (f" ({reason})" if reason else "")
    return Case(name, [{"kind": "close", "code": code, "reason": reason, **MIDDLE}], outcome)


def _refused(status: int, outcome: Outcome, code: str = "", **keys: Any) -> Case:
    coded = {"code": code} if code else {}
    name = f"handshake refused with {status}" + (f" ({code})" if code else "")
    return Case(name, [{"kind": "refuse", "status": status, **coded, **keys}], outcome)


def _error(code: str, outcome: Outcome) -> Case:
    return Case(f"error event `{code}`", [{"kind": "error", "code": code, "message": "on purpose", **MIDDLE}], outcome)


def _failed(code: str, outcome: Outcome, **keys: Any) -> Case:
    name = f"response fails with `{code}`" + (", always" if keys.get("responses") == 0 else "")
    return Case(name, [{"kind": "response-failed", "code": code, "message": "on purpose", **keys}], outcome)


CASES = [
    _refused(500, "recovered"),
    _refused(503, "recovered", times=2),
    _refused(429, "recovered", "rate_limit_exceeded", retry_after_s=1),
    _refused(429, 77, "insufficient_quota", times=0),
    _refused(400, 78, times=0),
    _refused(401, 77, times=0),
    _refused(403, 77, times=0),
    _refused(404, 78, "model_not_found", times=0),
    Case("handshake refused with 503, always", [{"kind": "refuse", "status": 503, "times": 0}], 75),
    Case("handshake answered too late", [{"kind": "delay", "delay_s": 3}], "recovered", SOON_LATE),
    Case("handshake accepted, then silence", [{"kind": "silent"}], "recovered", SOON_LATE),
    Case("configuration refused", [{"kind": "refuse-update", "times": 0}], 78),
    Case("configuration not as asked", [{"kind": "drift", "settings": {"instructions": "x"}}], "unaffected"),
    Case(
        'configuration not as asked, `on_drift = "fail"`',
        [{"kind": "drift", "settings": {"instructions": "x"}, "times": 0}],
        78,
        ("run.on_drift=fail",),
    ),
    Case("connection cut before the configuration", [{"kind": "drop", "after_events": 1}], "recovered"),
    Case("connection cut in mid-answer", [{"kind": "drop", **MIDDLE}], "recovered"),
    Case(
        'connection cut in mid-answer, `response_in_flight = "drop"`',
        [{"kind": "drop", **MIDDLE}],
        69,
        ("run.reconnect.response_in_flight=drop",),
    ),
    Case("every connection cut", [{"kind": "drop", "after_events": 1, "times": 0}], 69),
    _closed(1000, "recovered"),
    _closed(1001, "recovered", "Your session hit the maximum duration of 60 minutes."),
    _closed(1008, 76),
    Case(
        'close 1008, classified as "temporary"',
        [{"kind": "close", "code": 1008, **MIDDLE}],
        "recovered",
        ('run.reconnect.classify={"1008"="temporary"}',),
    ),
    _closed(1009, 76),
    _closed(1011, "recovered"),
    _closed(1012, "recovered"),
    _closed(1013, "recovered"),
    _closed(3000, 77, "invalid_request_error.invalid_api_key"),
    _closed(4000, 76, "invalid_request_error.beta_api_shape_disabled"),
    Case("session expires", [{"kind": "expire", "after_s": 0.2}], "recovered", ("run.rollover.margin_s=0",)),
    Case("no event any more", [{"kind": "stall", **MIDDLE}], "recovered", SOON_SILENT),
    Case("no pong any more", [{"kind": "no-pong", **MIDDLE}], "recovered", SOON_DEAD),
    Case("nothing is read any more", [{"kind": "deaf", "after_events": 2}], "recovered", SOON_DEAD),
    Case("everything dribbles", [{"kind": "slow", "bytes_per_s": 6000}], "unaffected"),
    _error("server_error", "unaffected"),
    _error("session_expired", "recovered"),
    _error("insufficient_quota", 77),
    _error("invalid_api_key", 77),
    Case("rate limits used up", [{"kind": "rate-limits", "reset_seconds": 0.5, **MIDDLE}], "unaffected"),
    _failed("rate_limit_exceeded", "unaffected"),
    _failed("server_error", "unaffected"),
    _failed("server_error", 75, responses=0, times=0),
    _failed("insufficient_quota", 77),
    _failed("content_policy", 76, type="invalid_request_error"),
    Case("event of an unknown type", [{"kind": "unknown-event", **MIDDLE}], "unaffected"),
    Case("event twice", [{"kind": "duplicate", "after_events": 3}], "unaffected"),
    Case("message that is not JSON", [{"kind": "malformed", **MIDDLE}], "unaffected"),
    Case("binary message", [{"kind": "binary", **MIDDLE}], "unaffected"),
    Case("message that is not UTF-8", [{"kind": "not-utf8", **MIDDLE}], "recovered"),
    Case("message larger than allowed", [{"kind": "oversized", "size_bytes": 4_000_000, **MIDDLE}], "recovered"),
    Case("bytes that are no WebSocket", [{"kind": "garbage", **MIDDLE}], "recovered"),
]
