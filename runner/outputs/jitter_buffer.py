"""What waits to be played by a device: filled by the session, emptied by the device's own thread."""

from collections import deque
from collections.abc import Callable
from threading import Lock
from time import monotonic
from typing import NamedTuple

from runner.audio.playout import MAX_ITEMS
from runner.audio.resampling import Resampler

_SAMPLE_BYTES = 2
_LEAST_WAIT_S = 0.02
"""What is too short for the resampler to give anything of it is played after this long, in seconds."""


class _Block(NamedTuple):
    """What the device was handed at once of one item, and when that is heard."""

    item_id: str
    samples: int
    starts_s: float
    ends_s: float


class JitterBuffer:
    """A jitter buffer that counts what it hands over; all methods may be called from any thread.

    An answer begins to play once `buffer_ms` more than its first piece have gathered or so much time has passed, at its
    start and after the buffer has run dry; so there is always that much to bridge a piece that is late. What was handed
    to the device is heard by the device's latency later.

    Args:
        from_rate: Samples a second of what goes in.
        to_rate: Samples a second that the device takes.
        buffer_ms: How much is gathered.
        clock: The time in seconds, for the device's thread as well, which has no event loop.

    Attributes:
        underruns: How often an answer had to be waited for in its middle.
        taken_s: When the device last took something, on that clock.
    """

    def __init__(self, from_rate: int, to_rate: int, buffer_ms: int, *, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self.underruns = 0
        self.taken_s = clock()
        self._from_rate = from_rate
        self._to_rate = to_rate
        self._buffer_s = buffer_ms / 1000
        self._lock = Lock()
        self._resampler: Resampler | None = None
        self._waiting: deque[tuple[str, memoryview]] = deque()
        self._waiting_bytes = 0
        self._gathers_since_s = 0.0
        self._first_bytes = 0
        self._is_flowing = False
        self._last_item = ""
        self._fed_item = ""
        self._handed: dict[str, int] = {}
        self._unheard: deque[_Block] = deque()

    @property
    def waiting_bytes(self) -> int:
        """How much waits to be handed over."""
        return self._waiting_bytes

    @property
    def remaining_s(self) -> float:
        """How long it takes until all of it was heard."""
        with self._lock:
            ends_s = self._unheard[-1].ends_s if self._unheard else 0.0
            return self._waiting_bytes / (self._to_rate * _SAMPLE_BYTES) + max(0.0, ends_s - self._clock())

    def put(self, item_id: str, pcm: bytes) -> None:
        """Play a piece of an item after all that waits."""
        with self._lock:
            is_first = not self._is_flowing and not self._waiting
            if item_id != self._fed_item:
                # What is held back of the answer before is that answer's.
                self._complete(self._fed_item)
                self._fed_item = item_id
            if self._resampler is None:
                self._resampler = Resampler(self._from_rate, self._to_rate)
            self._add(item_id, self._resampler.convert(pcm))
            if is_first:
                self._gathers_since_s, self._first_bytes = self._clock(), self._waiting_bytes
                self.underruns += item_id == self._last_item

    def take(self, size_bytes: int, latency_s: float) -> bytes:
        """The next samples for the device, which are heard after its latency; silence where there are none."""
        with self._lock:
            self.taken_s = now_s = self._clock()
            if not self._waiting and now_s - self._gathers_since_s >= max(self._buffer_s, _LEAST_WAIT_S):
                self._complete(self._fed_item)
            self._is_flowing = self._is_flowing or self._has_gathered(now_s)
            pieces: list[bytes] = []
            heard_s = now_s + max(latency_s, (self._unheard[-1].ends_s - now_s) if self._unheard else 0.0)
            size_left = size_bytes
            while self._is_flowing and size_left and self._waiting_bytes:
                item_id, data = self._waiting.popleft()
                if len(data) > size_left:
                    self._waiting.appendleft((item_id, data[size_left:]))
                    data = data[:size_left]
                pieces.append(bytes(data))
                size_left -= len(data)
                self._waiting_bytes -= len(data)
                heard_s = self._hand_over(item_id, len(data) // _SAMPLE_BYTES, heard_s)
                if not self._waiting:
                    self._complete(item_id)
            self._is_flowing = self._is_flowing and bool(self._waiting)
            while self._unheard and self._unheard[0].ends_s <= now_s:
                self._unheard.popleft()
        return b"".join(pieces) + bytes(size_left)

    def stop(self) -> None:
        """Drop what waits; what the device has already will still be heard, and counts."""
        with self._lock:
            self._waiting.clear()
            self._waiting_bytes = 0
            self._unheard.clear()
            self._resampler = None
            self._is_flowing = False
            self._last_item = ""

    def forget(self, item_id: str) -> None:
        """Count what comes under this name anew."""
        with self._lock:
            self._handed.pop(item_id, None)

    def heard_ms(self, item_id: str) -> float:
        """How much of an item was heard; after `stop`, will have been heard."""
        with self._lock:
            now_s = self._clock()
            rest = sum(
                block.samples * min(1.0, (block.ends_s - now_s) / (block.ends_s - block.starts_s))
                for block in self._unheard
                if block.item_id == item_id and block.ends_s > now_s
            )
            return (self._handed.get(item_id, 0) - rest) * 1000 / self._to_rate

    def _has_gathered(self, now_s: float) -> bool:
        if not self._waiting:
            return False
        gathered_s = (self._waiting_bytes - self._first_bytes) / (self._to_rate * _SAMPLE_BYTES)
        return max(gathered_s, now_s - self._gathers_since_s) >= self._buffer_s

    def _add(self, item_id: str, pcm: bytes) -> None:
        if pcm:
            self._waiting.append((item_id, memoryview(pcm)))
            self._waiting_bytes += len(pcm)

    def _complete(self, item_id: str) -> None:
        """Nothing follows at once: play what the resampler holds back."""
        if self._resampler is not None and self._from_rate != self._to_rate:
            self._add(item_id, self._resampler.convert(b"", last=True))
        self._resampler = None

    def _hand_over(self, item_id: str, samples: int, heard_s: float) -> float:
        self._last_item = item_id
        self._handed[item_id] = self._handed.get(item_id, 0) + samples
        if len(self._handed) > MAX_ITEMS:
            del self._handed[next(iter(self._handed))]
        ends_s = heard_s + samples / self._to_rate
        self._unheard.append(_Block(item_id, samples, heard_s, ends_s))
        return ends_s
