"""Live sessions beside realtime sessions, and beside those of the API's own library: all with frames of one length."""

from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.measure import Claim, Comparison, Contender, Part
from benchmarks.server import serving
from benchmarks.sessions import TALKED_S, bounded, printed

LIVE_VOICES = 100
"""Sessions that one core shall bear without any of them being late."""
_LIVE, _REALTIME, _LIBRARY = "rt-run, Live", "rt-run, realtime", "openai-python, Live"
_PEERS = {_LIVE: "rt-run-live", _REALTIME: "rt-run", _LIBRARY: "openai-python-live"}
_MOST_ROUNDS = 5


@contextmanager
def comparisons(server_core: int | None) -> Iterator[list[Comparison]]:
    """One comparison; a neutral server runs meanwhile, on a core of its own where there is one."""
    with serving(server_core) as (address,):
        yield [_voices(f"{address}/v1")]


def _voices(base_url: str) -> Comparison:
    late = bounded(
        "bound: 20 ms, all frames", p99_late_ms=20.0, frame_cpu_us=1000.0, sent_percent=100.0, waited_percent=1.0
    )
    arguments = base_url, str(LIVE_VOICES), str(TALKED_S)
    contenders = [Contender(name, printed("voices", peer, *arguments)) for name, peer in _PEERS.items()]
    title = f"{LIVE_VOICES} voice sessions on one core"
    cheap = [Claim(_LIVE, _REALTIME, at_most=1.3), Claim(_LIVE, _LIBRARY, at_most=0.4)]
    parts = [
        Part("p99_late_ms", f"{title}: lateness of sent frames, p99", "ms", [Claim(_LIVE, late.name, at_most=1.0)]),
        Part("frame_cpu_us", f"{title}: client CPU for a frame each way", "us", cheap),
        Part("sent_percent", f"{title}: frames sent", "% of those due", [Claim(late.name, _LIVE, at_most=1.01)]),
        Part("waited_percent", f"{title}: waiting for a core that another program had", "% of the time"),
    ]
    return Comparison(title, "", [late, *contenders], parts=parts, most_rounds=_MOST_ROUNDS)
