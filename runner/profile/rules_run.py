"""Rules about how a session lives on and what it may spend; `rules.py` has their codes."""

import os.path
import re
from collections.abc import Iterator

from runner.profile.keys import Key, at
from runner.profile.tables import Finding, Tables
from runner.settings.control import LONGEST_SOCKET_BYTES
from runner.settings.profile import is_live

_PLACEHOLDER = re.compile(r"\{\w*\}")
_RUN_ID_BYTES = 12
_SIGN = re.compile(r"[45]\d\d|[1-4]\d{3}|[A-Za-z].*")


def cost_without_prices(tables: Tables) -> Iterator[Finding]:
    """A limit on money where nothing costs any."""
    limits = tables.run.limits if tables.run else None
    prices = limits.prices if limits else None
    # Only a Live session is billed by its minutes.
    unused = {"live_minute"} if tables.session and not is_live(tables.session) else set()
    if prices is not None and any(getattr(prices, name) for name in type(prices).model_fields.keys() - unused):
        return
    hint = "write what tokens cost in [run.limits.prices], or remove it"
    if limits and limits.max_cost is not None:
        yield ("run", "limits", "max_cost"), "can never be reached: nothing has a price", hint, "key"
    if tables.batch and tables.batch.max_cost is not None and "run" not in tables.invalid:
        yield ("batch", "max_cost"), "can never be reached: nothing has a price", hint, "key"


def minutes_without_price(tables: Tables) -> Iterator[Finding]:
    """A limit on money in a Live session whose minutes cost none, though something else does."""
    limits = tables.run.limits if tables.run else None
    prices = limits.prices if limits else None
    if not is_live(tables.session) or limits is None or limits.max_cost is None or prices is None:
        return
    if not prices.live_minute and any(getattr(prices, name) for name in type(prices).model_fields):
        problem = "leaves out the minutes of the Live session, which have no price"
        hint = "write live_minute = …, what a minute costs, in [run.limits.prices]"
        yield ("run", "limits", "max_cost"), problem, hint, "key"


def sessions_share_file(tables: Tables) -> Iterator[Finding]:
    """Several sessions that would write into one file."""
    if not tables.run or tables.run.sessions == 1:
        return
    keys: list[Key] = [("outputs", index, "path") for index in range(len(tables.outputs or ()))]
    for key in (*keys, ("journal", "path"), ("run", "resume", "path")):
        path = at(tables.tree, key)
        if isinstance(path, str) and "{session}" not in path and "{run_id}" not in path:
            yield key, f"{tables.run.sessions} sessions would write this file", "put {session} into its name", "value"


def outputs_share_file(tables: Tables) -> Iterator[Finding]:
    """Two outputs, or an output, the journal, the report and the state, that would write into one file."""
    keys: list[Key] = [("outputs", index, "path") for index in range(len(tables.outputs or ()))]
    first: dict[str, str] = {}
    for key in (*keys, ("journal", "path"), ("report", "path"), ("run", "resume", "path")):
        path = at(tables.tree, key)
        if not isinstance(path, str) or path.startswith("/dev/"):
            continue
        name = f"output {int(key[1]) + 1}" if key[0] == "outputs" else f"the {'state' if key[0] == 'run' else key[0]}"
        other = first.setdefault(os.path.normpath(path), name)
        if other != name:
            yield key, f"{other} writes this file too", "give each a file of its own", "value"


def reconnect_delays(tables: Tables) -> Iterator[Finding]:
    """A first wait longer than the longest."""
    reconnect = tables.run.reconnect if tables.run else None
    if reconnect and reconnect.initial_delay_s > reconnect.max_delay_s:
        given = "initial_delay_s" if "initial_delay_s" in reconnect.model_fields_set else "max_delay_s"
        first_s, longest_s = reconnect.initial_delay_s, reconnect.max_delay_s
        problem = f"the first wait ({first_s:g} s) is longer than the longest ({longest_s:g} s)"
        yield ("run", "reconnect", given), problem, "initial_delay_s must not exceed max_delay_s", "value"


def classify_sign(tables: Tables) -> Iterator[Finding]:
    """A key of `classify` that no refused handshake and no close frame can carry."""
    for sign in tables.run.reconnect.classify if tables.run else ():
        if not _SIGN.fullmatch(sign):
            hint = "an HTTP status is 400 to 599, a close code 1000 to 4999, an error code a word"
            yield ("run", "reconnect", "classify", sign), "no connection fails with this", hint, "key"


def retry_without_history(tables: Tables) -> Iterator[Finding]:
    """A response that would be asked for again on a connection that does not know the question."""
    run = tables.run
    if run and run.reconnect.max_attempts and run.reconnect.response_in_flight == "retry":
        for name in ("max_items", "max_tokens"):
            if getattr(run.history, name) == 0:
                problem = "a response asked for again after a loss would answer a question that is gone"
                yield ("run", "history", name), problem, 'write run.reconnect.response_in_flight = "drop"', "value"
                break


def control_path(tables: Tables) -> Iterator[Finding]:
    """A control socket whose path no socket can have, however short the values of its placeholders are."""
    path = at(tables.tree, ("control", "path"))
    if isinstance(path, str):
        size = len(_PLACEHOLDER.sub("", path).encode()) + _RUN_ID_BYTES * ("{run_id}" in path)
        if size > LONGEST_SOCKET_BYTES:
            hint = f"a socket's path has {LONGEST_SOCKET_BYTES} bytes at most"
            yield ("control", "path"), f"has {size} bytes", hint, "value"
