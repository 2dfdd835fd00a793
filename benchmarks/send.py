"""What it costs to send sound: 100 ms of PCM16 at 24 kHz an event."""

from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.clients import OPENAI, RT_RUN, RT_RUN_EVENTS, WEBSOCKETS, served
from benchmarks.measure import Claim, Comparison, Part

_TITLE = "Sent audio, 100 ms an event, from PCM"
_CLAIMS = [Claim(RT_RUN, OPENAI, at_most=1 / 10), Claim(RT_RUN, WEBSOCKETS, at_most=0.6)]
_PARTS = [Part("cpu", _TITLE, "client CPU µs an event", _CLAIMS), Part("rate", _TITLE, "events/s")]


@contextmanager
def comparisons(server_core: int | None) -> Iterator[list[Comparison]]:
    """What there is to compare, while a server runs on a core of its own where there is one."""
    with served(server_core) as server:
        # How events are read makes no difference here.
        yield [Comparison(_TITLE, "", server.contenders("sent", without=[RT_RUN_EVENTS]), parts=_PARTS)]
