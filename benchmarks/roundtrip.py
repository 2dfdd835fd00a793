"""How long a small event takes to the server, and its answer back."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from benchmarks.clients import AGENTS, HTTPX_WS, OPENAI, RT_RUN, served
from benchmarks.measure import Claim, Comparison, Contender, Part

_CLAIMS = [Claim(RT_RUN, OPENAI, at_most=1 / 3), Claim(RT_RUN, HTTPX_WS, at_most=1.0)]
# It sends small events as raw messages only, and builds a validator for each.
_WITHOUT = [AGENTS]


@contextmanager
def comparisons(server_core: int | None) -> Iterator[list[Comparison]]:
    """What there is to compare, while a server runs on a core of its own where there is one."""
    with served(server_core) as server:
        yield [
            _comparison("Round trip of a small event", server.contenders("round_trip", without=_WITHOUT), _CLAIMS),
            _comparison(
                "Round trip of a small event over TLS", server.contenders("round_trip", tls=True, without=_WITHOUT), ()
            ),
        ]


def _comparison(title: str, contenders: Sequence[Contender], claims: Sequence[Claim]) -> Comparison:
    parts = [Part("p50", f"{title}, median", "µs", claims), Part("p99", f"{title}, 99th percentile", "µs")]
    return Comparison(title, "", contenders, parts=parts)
