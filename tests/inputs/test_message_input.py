"""One message: a question, a document, or both."""

import os

import pytest

from runner.errors import InputError
from runner.inputs.message_input import MessageInput
from tests.helpers.endpoint_scripts import attentive, conversation
from tests.helpers.hearing_peers import at_once, session_with
from tests.helpers.standard_input import standard_input

pytestmark = pytest.mark.anyio


async def said(text: bytes | None, question: str, *, problem: str = "") -> list[tuple[str, str]]:
    """What a session holds once the input has ended, well or with a problem."""
    async with session_with(attentive) as (session, _), standard_input() as (broadcast, sending):
        os.write(sending, text or b"")
        os.close(sending)
        lines = None if text is None else broadcast.listen(max_line_bytes=1024)
        source = MessageInput(question, lines, max_bytes=1024)
        if problem:
            with pytest.raises(InputError, match=problem):
                await source.feed(session, at_once, None)
        else:
            assert await source.feed(session, at_once, None) == "input-end"
        source.close()
        return conversation(session)


@pytest.mark.parametrize(
    ("text", "question", "message"),
    [
        (None, "Well?", "Well?"),
        (b"\xef\xbb\xbf  One\r\n\r\n- two\n\n", "", "  One\n\n- two"),
        (b"One\ntwo", "Summarise it.", "One\ntwo\n\nSummarise it."),
    ],
)
async def test_it_is_one_message(text: bytes | None, question: str, message: str) -> None:
    """A document keeps its lines, and loses what is no text: its mark, line breaks of Windows, and its empty end."""
    assert await said(text, question) == [("user", message), ("assistant", "answer 1")]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (b" \n\n", "standard input holds no document"),
        (b"One\n\xff", "stdin:2: not UTF-8 at byte 1"),
        (b"One\n" * 300, "stdin: longer than 1024 bytes"),
        (b"1" * 1025, "stdin:1: longer than 1024 bytes"),
    ],
)
async def test_what_is_no_document_is_refused(text: bytes, problem: str) -> None:
    """Nothing is asked about it."""
    assert await said(text, "Well?", problem=problem) == []
