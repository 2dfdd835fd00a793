"""Standard output that does not take every letter."""

import json
import os
from pathlib import Path

import pytest

from runner.__main__ import _escape
from tests.helpers.command_process import Command, local


@pytest.mark.parametrize(
    ("text", "written"),
    [("Zürich", b"Z\\u00fcrich"), ("日本", b"\\u65e5\\u672c"), ("a😀b", b"a\\ud83d\\ude00b"), ("\udc80", b"\\udc80")],
)
def test_letters_that_cannot_be_written_are_escaped(text: str, written: bytes) -> None:
    """As JSON has them, so that what a program reads stays JSON."""
    import codecs

    codecs.register_error("rt-run-test", _escape)

    assert text.encode("ascii", "rt-run-test") == written
    assert json.loads(f'"{written.decode()}"') == text


def test_only_what_cannot_be_written_is_escaped() -> None:
    """What cannot be read is another matter."""
    with pytest.raises(UnicodeDecodeError):
        _escape(UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid"))


def test_commands_print_where_no_utf_8_is_taken(tmp_path: Path) -> None:
    """A schema, a profile and what is wrong with it, on a terminal of an older kind."""
    name = local(tmp_path)
    path = tmp_path / "profiles" / f"{name}.toml"
    path.write_text(path.read_text().replace("version = 1", 'version = 1\ndescription = "Zürich, 日本 😀"'))
    environment = {"PYTHONIOENCODING": "latin-1"}
    ended = {}
    for arguments in (("schema",), ("show", name), ("list", "--output", "json"), ("check", "bröken")):
        command = Command(*arguments, folder=tmp_path, environment=environment, is_forked=False)
        out, err = command.process.communicate()
        command.release()
        assert b"Traceback" not in err
        ended[arguments[0]] = (command.process.wait(), out.decode("latin-1"))

    assert {name: code for name, (code, _) in ended.items()} == {"schema": 0, "show": 0, "list": 0, "check": 78}
    assert json.loads(ended["schema"][1])
    assert json.loads(ended["list"][1])[0]["description"] == "Zürich, 日本 😀"
    assert "Zürich, \\u65e5" in ended["show"][1]


def test_a_variable_that_is_not_utf_8_is_a_problem_of_the_profile(tmp_path: Path) -> None:
    """Half a letter would be refused by the endpoint; whole ones are taken whatever the locale."""
    name = local(tmp_path)
    codes = []
    for value in (b"h\xf6flich", "höflich".encode()):
        environment = {"RT_RUN_SESSION__INSTRUCTIONS": os.fsdecode(value)}
        ended = Command("-p", name, folder=tmp_path, environment=environment, is_forked=False).end("Hello\n")
        codes.append(ended.code)
        if ended.code:
            problem = ended.logged("run_failed")["problems"][0]
            assert (problem["file"], problem["problem"]) == ("RT_RUN_SESSION__INSTRUCTIONS", "is not UTF-8")

    assert codes == [78, 0]
