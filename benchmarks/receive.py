"""What a received delta costs: from its frame to PCM or text in the program's hands."""

from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.clients import AGENTS, OPENAI, PICOWS, RT_RUN, WEBSOCKETS, served
from benchmarks.measure import Claim, Comparison, Part
from benchmarks.worker import INTERVAL_MS

_KINDS = {"audio": "Received audio delta (100 ms) to PCM", "text": "Received text delta"}
_BURST_CLAIMS = {
    "audio": [
        Claim(RT_RUN, OPENAI, at_most=1 / 12),
        Claim(RT_RUN, AGENTS, at_most=1 / 5),
        Claim(RT_RUN, PICOWS, at_most=2.0),
    ],
    "text": [Claim(RT_RUN, OPENAI, at_most=1 / 25), Claim(RT_RUN, AGENTS, at_most=1 / 15)],
}
_PACED_CLAIMS = [Claim(RT_RUN, OPENAI, at_most=0.3), Claim(RT_RUN, WEBSOCKETS, at_most=0.7)]


@contextmanager
def comparisons(server_core: int | None) -> Iterator[list[Comparison]]:
    """What there is to compare, while a server runs on a core of its own where there is one."""
    with served(server_core) as server:
        yield [
            Comparison(
                "Received deltas over TLS" if tls else "Received deltas",
                "",
                server.contenders("received", tls=tls),
                parts=[part for kind in _KINDS for part in _parts(kind, tls=tls)],
            )
            for tls in (False, True)
        ]


def _parts(kind: str, *, tls: bool) -> list[Part]:
    title = _KINDS[kind] + (" over TLS" if tls else "")
    burst, paced = f"{title}, in a burst", f"{title}, one every {INTERVAL_MS} ms"
    return [
        Part(f"{kind}, burst", burst, "client CPU µs an event", () if tls else _BURST_CLAIMS[kind]),
        Part(f"{kind}, paced", paced, "client CPU µs an event", () if tls else _PACED_CLAIMS),
        Part(f"{kind}, rate", burst, "events/s"),
    ]
