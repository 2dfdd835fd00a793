"""The buffer before a device: what it gathers, counts and drops."""

from array import array

import pytest

from runner.outputs.jitter_buffer import JitterBuffer

RATE = 24_000
BLOCK = RATE // 50 * 2


class Clock:
    """Time that passes where a test says so."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        """The time, in seconds."""
        return self.now_s


def piece(ms: int, value: int = 7) -> bytes:
    """So much sound."""
    return array("h", [value]).tobytes() * (ms * RATE // 1000)


def drained(sound: JitterBuffer, blocks: int) -> bytes:
    """What a device takes that plays at once."""
    return b"".join(sound.take(BLOCK, 0.0) for _ in range(blocks))


def test_an_answer_begins_when_enough_has_gathered() -> None:
    """More than the first piece is there, or time has passed; until then there is silence."""
    clock = Clock()
    sound = JitterBuffer(RATE, RATE, 60, clock=clock)
    sound.put("a", piece(40))
    assert drained(sound, 1) == bytes(BLOCK)
    sound.put("a", piece(60))
    assert drained(sound, 5) == piece(100)
    assert drained(sound, 1) == bytes(BLOCK)

    sound.put("b", piece(20))
    clock.now_s += 0.06
    assert drained(sound, 1) == piece(20)
    assert sound.underruns == 0


def test_an_answer_that_runs_dry_is_counted_and_gathers_again() -> None:
    """A pause in the middle of an item is an underrun; the silence between two items is none."""
    sound = JitterBuffer(RATE, RATE, 20, clock=Clock())
    for item, underruns in (("a", 0), ("a", 1), ("b", 1)):
        sound.put(item, piece(20))
        sound.put(item, piece(20))
        assert drained(sound, 3) == piece(40) + bytes(BLOCK)
        assert sound.underruns == underruns


def test_what_was_handed_over_is_heard_the_latency_later() -> None:
    """While it plays the latency is not heard yet; once stopped, what the device has will be."""
    sound = JitterBuffer(RATE, RATE, 0, clock=Clock())
    sound.put("a", piece(100))
    for _ in range(3):
        sound.take(BLOCK, 10.0)
    assert sound.heard_ms("a") == 0
    assert sound.remaining_s == pytest.approx(10.06 + 0.04)
    sound.stop()
    assert sound.heard_ms("a") == pytest.approx(60)
    assert sound.remaining_s == 0
    assert drained(sound, 1) == bytes(BLOCK)


def test_a_device_of_another_rate_gets_all_of_it() -> None:
    """The converter holds nothing back when an answer is over, so that it is known to be heard whole."""
    pytest.importorskip("soxr")
    sound = JitterBuffer(8_000, 48_000, 0, clock=Clock())
    pcm = array("h", [1000] * 800).tobytes()
    for _ in range(5):
        sound.put("a", pcm)
    taken = b"".join(sound.take(1920, 0.0) for _ in range(30))
    sound.stop()

    assert sound.heard_ms("a") == pytest.approx(500, abs=0.2)
    assert taken.rstrip(b"\0")


@pytest.mark.parametrize("rate", [16_000, 44_100, 48_000])
def test_two_answers_in_a_row_are_counted_apart(rate: int) -> None:
    """What the converter holds back of the first is the first's; a short one is played as well."""
    pytest.importorskip("soxr")
    clock = Clock()
    sound = JitterBuffer(RATE, rate, 0, clock=clock)
    sound.put("a", piece(1000))
    sound.put("b", piece(1000))
    for _ in range(110):
        sound.take(rate // 50 * 2, 0.0)
    sound.put("c", piece(5))
    clock.now_s += 0.03
    for _ in range(3):
        sound.take(rate // 50 * 2, 0.0)
    sound.stop()

    assert sound.heard_ms("a") == pytest.approx(1000, abs=0.2)
    assert sound.heard_ms("b") == pytest.approx(1000, abs=0.2)
    assert sound.heard_ms("c") == pytest.approx(5, abs=0.2)
