"""What a server of chat completions streams is read, however servers write it."""

import json
from typing import Any

import pytest

from runner.local.speech.chat_stream import MAX_LINE_BYTES, ChatStream
from runner.local.speech.language_model import NoAnswer
from runner.local.speech.replies import Call
from tests.helpers.chat_server import called, said


def read(content: bytes, size: int = 7) -> tuple[str, list[Call], str]:
    """The text, the calls and the reason to stop of a stream that comes in pieces of this size."""
    stream = ChatStream()
    parts: list[str | Call] = [
        text for at in range(0, len(content), size) for text in stream.feed(content[at : at + size])
    ]
    parts += stream.finish()
    calls = [each for each in parts if isinstance(each, Call)]
    return "".join(each for each in parts if isinstance(each, str)), calls, stream.finish_reason


def chunk(*calls: dict[str, Any], **choice: Any) -> bytes:
    """One event with calls of functions."""
    return f"data:{json.dumps({'choices': [{'delta': {'tool_calls': list(calls)}, **choice}]})}\r\n\r\n".encode()


def test_text_comes_in_the_pieces_of_the_model() -> None:
    """Wherever the network cuts them, in the middle of a letter too."""
    stream = ChatStream()
    content = said("Grüß", " Gott", finish_reason="length")

    assert [text for byte in content for text in stream.feed(bytes([byte]))] == ["Grüß", " Gott"]
    assert (stream.finish(), stream.finish_reason, stream.is_over) == ([], "length", True)


def test_calls_are_put_together() -> None:
    """Several at once, each with arguments that come in pieces, after a text."""
    assert read(called(("look", '{"at": "x"}'), ("go", ""), text="One moment.")) == (
        "One moment.",
        [Call("look", '{"at": "x"}'), Call("go", "{}")],
        "tool_calls",
    )


def test_calls_without_an_index_are_reported_apart_by_their_ids() -> None:
    """Some servers give every call the same index or none, and write arguments as an object."""
    first = {"id": "a", "function": {"name": "one", "arguments": {"n": 1}}}
    second = {"id": "b", "function": {"name": "two", "arguments": "{}"}}

    _, calls, _ = read(chunk(first, finish_reason=None) + chunk(second, finish_reason="tool_calls"))

    assert calls == [Call("one", '{"n":1}'), Call("two", "{}")]


def test_pieces_of_several_calls_are_reported_apart_by_an_index_that_is_a_text() -> None:
    """Or a number with a fraction of nothing."""
    pieces = [("0", "one", '{"n"'), (1.0, "two", '{"m"'), ("0", "", ":1}"), ("1", "", ":2}")]
    calls = [{"index": index, "function": {"name": name, "arguments": text}} for index, name, text in pieces]

    assert read(chunk(*calls, finish_reason="tool_calls"))[1] == [Call("one", '{"n":1}'), Call("two", '{"m":2}')]


def test_text_comes_in_parts_and_in_a_last_line_without_an_end() -> None:
    """Nothing of it is lost."""
    parts = [{"type": "text", "text": "Hal"}, {"type": "text", "text": "lo"}, {"type": "image"}]
    line = f"data: {json.dumps({'choices': [{'delta': {'content': parts}, 'finish_reason': 'stop'}]})}".encode()

    assert read(line)[0] == "Hallo"


@pytest.mark.parametrize(
    "content",
    [
        b": a comment\r\n\r\nevent: x\r\ndata: [DONE]\r\n",
        b'data: {"choices": []}\n\ndata: {"choices": [{"delta": null, "finish_reason": "stop"}]}\n\n',
        b'data: {"choices": [{"delta": {"content": 5, "tool_calls": [7]}, "finish_reason": "stop"}]}\n',
    ],
)
def test_what_says_nothing_is_passed_over(content: bytes) -> None:
    """Comments, names of events, chunks without a choice, values of another type."""
    assert read(content)[:2] == ("", [])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'data: {"error": {"message": "out of memory"}}\n', "out of memory"),
        (b'data: {"error": "overloaded"}\n', "overloaded"),
        (b"data: no JSON\n", "no JSON object"),
        (b"data: " + b"[" * 10_000 + b"\n", "no JSON object"),
        (b'data: {"choices": [{"delta": {"content": "Hal"}}]}\n', "breaks off"),
        (b'data: {"choices": [{"delta": {"content": "Hal"}, "finish_reason": "error"}]}\n', "breaks off: error"),
        (chunk({"function": {"arguments": "{}"}}, finish_reason="tool_calls"), "without its name"),
        (b'data: {"error": "overloaded"}', "overloaded"),
        (b'data: {"choi', "breaks off"),
        (b"<html>", "breaks off"),
        (b"x" * (MAX_LINE_BYTES + 1), "longer than"),
    ],
)
def test_what_is_no_answer_is_an_error(content: bytes, message: str) -> None:
    """An error in the stream, something else than a stream, one that breaks off, and one without end."""
    with pytest.raises(NoAnswer, match=message):
        read(content, size=len(content))
