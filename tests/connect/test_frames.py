"""The frame codec, compared with `websockets`' own on generated streams."""

import itertools
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Close as TheirClose
from websockets.frames import Frame, Opcode
from websockets.protocol import CLIENT, SERVER, Protocol

from runner.connect.frames import (
    Binary,
    BrokenFrames,
    Close,
    FrameEvent,
    FrameReader,
    Ping,
    Pong,
    encode_close,
    encode_ping,
    encode_pong,
    encode_text,
)

LIMIT_BYTES = 1024
CONTROL = {Opcode.CLOSE, Opcode.PING, Opcode.PONG}


def read(pieces: list[bytes], limit_bytes: int = LIMIT_BYTES) -> tuple[list[FrameEvent], int | None]:
    """The events of our reader, and the close code of its complaint, if it has one."""
    reader, events = FrameReader(limit_bytes), list[FrameEvent]()
    for event in (event for piece in pieces for event in reader.feed(piece)):
        if isinstance(event, BrokenFrames):
            return events, event.close_code
        if isinstance(event, bytes) and not _may_be_text(event, whole=True):
            return events, 1007
        events.append(event)
    return events, None


def reference(stream: list[bytes]) -> tuple[list[FrameEvent], int | None]:  # noqa: C901  # one branch a kind of frame
    """The same by `websockets`, fed frame by frame, with its messages put together here.

    Two choices of `websockets` that RFC 6455 does not ask for are levelled: it counts control frames against the
    message around them, and it refuses a close frame between two fragments.
    """
    protocol = Protocol(CLIENT, max_size=LIMIT_BYTES)
    events: list[FrameEvent] = []
    kind, parts = Opcode.TEXT, b""
    for data in stream:
        is_control = Opcode.CLOSE <= data[0] & 0x0F <= Opcode.PONG
        protocol.max_message_size = None if is_control else LIMIT_BYTES
        protocol.receive_data(data)
        for frame in protocol.events_received():
            assert isinstance(frame, Frame)
            if frame.opcode is Opcode.PING:
                events.append(Ping(bytes(frame.data)))
            elif frame.opcode is Opcode.PONG:
                events.append(Pong(bytes(frame.data)))
            elif frame.opcode is not Opcode.CLOSE:
                if frame.opcode is not Opcode.CONT:
                    kind, parts = frame.opcode, b""
                parts += bytes(frame.data)
                if kind is Opcode.TEXT and not _may_be_text(parts, whole=frame.fin):
                    return events, 1007
                if frame.fin:
                    events.append(parts if kind is Opcode.TEXT else Binary(parts))
        if protocol.close_rcvd is not None:
            return [*events, Close(protocol.close_rcvd.code, protocol.close_rcvd.reason)], None
        if protocol.parser_exc is not None:
            assert protocol.close_sent is not None
            return events, protocol.close_sent.code
    return events, None


def _may_be_text(data: bytes, *, whole: bool) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError as error:
        return not whole and error.reason == "unexpected end of data"
    return True


def frame(first: int, payload: bytes, *, mask: bool = False) -> bytes:
    """A server's frame, as right or wrong as its first byte says."""
    right = bytearray(Frame(Opcode.BINARY, payload).serialize(mask=mask))
    right[0] = first
    return bytes(right)


texts = st.text(max_size=60).map(str.encode) | st.binary(max_size=20)
payloads = st.one_of(
    texts, st.binary(max_size=130), st.sampled_from([b"x" * size for size in (125, 126, 127, 600, 1024)])
)
closes = st.builds(
    lambda code, reason: code.to_bytes(2) + reason,
    st.one_of(
        st.sampled_from([999, 1000, 1001, 1004, 1005, 1006, 1014, 1015, 2999, 3000, 4999, 5000]), st.integers(0, 65535)
    ),
    st.text(max_size=20).map(str.encode) | st.binary(max_size=4),
) | st.binary(max_size=1)
whole_frames = st.builds(frame, st.sampled_from([0x81, 0x82]), payloads)
control_frames = st.builds(frame, st.sampled_from([0x89, 0x8A]), st.binary(max_size=125))
close_frames = st.builds(frame, st.just(0x88), closes)
any_frames = st.builds(frame, st.integers(0, 255), payloads, mask=st.sampled_from([False] * 9 + [True]))
large_frames = st.builds(
    frame, st.sampled_from([0x81, 0x82, 0x01, 0x02, 0x00, 0x80]), st.just(b"y" * (LIMIT_BYTES + 1))
)


@st.composite
def fragmented(draw: st.DrawFn) -> list[bytes]:
    """A message cut anywhere, inside characters too, with control frames between the parts."""
    payload, stream = draw(payloads), list[bytes]()
    cuts = sorted(draw(st.lists(st.integers(0, len(payload)), max_size=4)))
    bounds = [0, *cuts, len(payload)]
    first = draw(st.sampled_from([0x01, 0x02]))
    for index, (start, end) in enumerate(itertools.pairwise(bounds)):
        opcode = first if index == 0 else 0x00
        stream.append(frame(opcode | (0x80 if index == len(bounds) - 2 else 0), payload[start:end]))
        stream.extend(draw(st.lists(control_frames, max_size=1)))
    return stream


streams = st.lists(
    st.one_of(
        whole_frames.map(lambda item: [item]),
        control_frames.map(lambda item: [item]),
        fragmented(),
        fragmented(),
        close_frames.map(lambda item: [item]),
        large_frames.map(lambda item: [item]),
        any_frames.map(lambda item: [item]),
    ),
    max_size=6,
).map(lambda groups: [item for group in groups for item in group])


def pieces(stream: bytes, cuts: list[int]) -> list[bytes]:
    """The stream cut at these places, wherever they fall."""
    bounds = [0, *sorted(cut % (len(stream) + 1) for cut in cuts), len(stream)]
    return [stream[start:end] for start, end in itertools.pairwise(bounds)]


@given(streams, st.lists(st.integers(0, 5000), max_size=8))
def test_agrees_with_websockets_on_every_stream(stream: list[bytes], cuts: list[int]) -> None:
    """Whatever the frames, their order, their faults and the cuts between reads, both see the same."""
    expected = reference(stream)

    assert read(pieces(b"".join(stream), cuts)) == expected


@given(streams)
def test_a_stream_reads_alike_byte_by_byte(stream: list[bytes]) -> None:
    """Reading one byte at a time makes no difference."""
    data = b"".join(stream)

    assert read([data[index : index + 1] for index in range(len(data))]) == read([data])


@given(streams, st.integers(0, 5000))
def test_half_a_stream_gives_the_first_events_only(stream: list[bytes], cut: int) -> None:
    """A stream that stops anywhere gives no event that the whole one does not give."""
    data = b"".join(stream)
    events, _ = read([data[: cut % (len(data) + 1)]])

    assert events == read([data])[0][: len(events)]


@given(payloads, st.integers(0, 200))
def test_encoded_messages_are_understood_by_a_server(payload: bytes, repeat: int) -> None:
    """`websockets`' server reads back every frame that a client encodes."""
    payload *= repeat
    protocol = Protocol(SERVER, max_size=None)
    protocol.receive_data(encode_text(payload) + encode_ping(payload[:125]))
    protocol.receive_data(encode_pong(payload[:125]) + encode_close(4000, "done"))

    received = [(frame.opcode, bytes(frame.data)) for frame in _frames(protocol)]

    assert received == [
        (Opcode.TEXT, payload),
        (Opcode.PING, payload[:125]),
        (Opcode.PONG, payload[:125]),
        (Opcode.CLOSE, (4000).to_bytes(2) + b"done"),
    ]
    assert protocol.close_rcvd == TheirClose(4000, "done")


def _frames(protocol: Protocol) -> Iterator[Frame]:
    for event in protocol.events_received():
        assert isinstance(event, Frame)
        yield event


def test_every_frame_has_its_own_mask() -> None:
    """Masks are fresh, so equal messages look different on the wire."""
    assert len({encode_text("hello")[2:6] for _ in range(100)}) == 100


def test_a_large_message_is_refused_before_it_arrives() -> None:
    """The header alone is enough to refuse, and nothing of the payload is kept."""
    reader = FrameReader(LIMIT_BYTES)
    (fault,) = reader.feed(bytes((0x82, 127)) + (1 << 40).to_bytes(8))

    assert isinstance(fault, BrokenFrames)
    assert fault.close_code == 1009
    assert reader.feed(b"z" * 100_000) == []
    assert not reader._rest


def test_fragments_that_add_up_are_refused() -> None:
    """The limit holds for the whole message, and the fragment that breaks it is not waited for."""
    stream = frame(0x02, b"a" * LIMIT_BYTES) + frame(0x00, b"") + frame(0x80, b"b")[:2]

    assert read([stream]) == ([], 1009)


def test_control_frames_do_not_count_as_message() -> None:
    """A ping inside a message of the largest size is no fault."""
    stream = frame(0x02, b"a" * LIMIT_BYTES) + frame(0x89, b"p" * 125) + frame(0x80, b"")

    assert read([stream]) == ([Ping(b"p" * 125), Binary(b"a" * LIMIT_BYTES)], None)


def test_a_close_between_fragments_is_a_close() -> None:
    """Control frames may stand between fragments, the last one too."""
    assert read([frame(0x01, b"half") + frame(0x88, b"\x03\xe9")]) == ([Close(1001, "")], None)


def test_bad_text_in_the_first_fragment_is_refused_at_once() -> None:
    """Text is checked as it comes."""
    assert read([frame(0x01, b"\xff")]) == ([], 1007)


def test_what_follows_a_close_is_dropped() -> None:
    """After a close frame nothing counts, not even faults."""
    assert read([frame(0x88, b"") + frame(0x81, b"late"), b"\xff\xff\xff"]) == ([Close(1005, "")], None)


def test_a_long_reason_is_cut_at_a_character() -> None:
    """A close frame holds 123 bytes of reason, and never half a character."""
    protocol = Protocol(SERVER)
    protocol.receive_data(encode_close(1000, "é" * 100))

    assert protocol.close_rcvd == TheirClose(1000, "é" * 61)


@pytest.mark.parametrize("code", [0, 999, 1004, 1006, 1015, 2999, 5000])
def test_a_code_that_must_not_be_sent_is_refused(code: int) -> None:
    """Our own close frames keep to the RFC."""
    with pytest.raises(ValueError, match=str(code)):
        encode_close(code)


def test_a_ping_that_is_too_long_is_refused() -> None:
    """Our own control frames keep to the RFC."""
    with pytest.raises(ValueError, match="125"):
        encode_ping(b"x" * 126)
