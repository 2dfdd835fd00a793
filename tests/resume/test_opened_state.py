"""A state is gone on with, or refused with the reason."""

from pathlib import Path

import pytest

from runner.errors import InputError, ProfileError, RunnerError
from runner.resume.opened_state import header_of, open_state
from runner.resume.saved_state import SavedState, first_line, line, summed
from runner.resume.state_model import SavedItem, StateChange, StateHeader

MINE = header_of("support", {"customer": "Ada"})


def opened(path: Path, header: StateHeader = MINE, *, is_fresh: bool = False) -> SavedState:
    """What a file says."""
    file, saved = open_state(path, header, is_fresh=is_fresh)
    file.close()
    return saved


def written(path: Path, *changes: StateChange) -> bytes:
    """Write a state of these changes; returns its bytes."""
    data = first_line(MINE) + b"".join(map(line, changes))
    path.write_bytes(data)
    return data


def said(item_id: str, text: str) -> StateChange:
    """A change that brings an item."""
    return StateChange(at_s=1.0, starts=1, items=(SavedItem(id=item_id, type="message", role="user", texts={0: text}),))


@pytest.mark.parametrize("torn", [b"", b'{"at_s":1', b"\0" * 40, b'{"at_s":1\n', b"\n"])
def test_a_last_line_that_is_torn_does_not_count(tmp_path: Path, torn: bytes) -> None:
    """The machine stopped while it was written; the next line is written where it began."""
    path = tmp_path / "state"
    whole = written(path, said("a", "Hello"))
    path.write_bytes(whole + torn)

    assert list(opened(path).items) == ["a"]
    assert path.read_bytes() == whole


@pytest.mark.parametrize("start", [b"", b"{", b'{"format":"rt-run sta', b'{"format":"rt-run state","version":1,'])
def test_a_header_that_is_torn_is_a_beginning(tmp_path: Path, start: bytes) -> None:
    """Of a session that was ended in its first moment nothing was promised."""
    path = tmp_path / "state"
    path.write_bytes(start)

    assert opened(path).items == {}
    assert path.read_bytes() == first_line(MINE)


def test_changes_are_laid_over_each_other(tmp_path: Path) -> None:
    """Items come, change, move and go; the last word of everything else counts."""
    path = tmp_path / "state"
    written(
        path,
        said("a", "one"),
        said("b", "two"),
        StateChange(at_s=2.0, gone=("a",), usage={"own": {"responses": 1}}),
        said("c", "three"),
        StateChange(at_s=3.0, order=("c", "b"), usage={"own": {"responses": 2}}, session_id="sess_1"),
        said("b", "2"),
    )
    saved = opened(path)

    assert [(each.id, each.texts[0]) for each in saved.items.values()] == [("c", "three"), ("b", "2")]
    assert (saved.usage, saved.session_id) == ({"own": {"responses": 2}}, "sess_1")
    path.write_bytes(saved.lines())
    assert opened(path) == saved


@pytest.mark.parametrize(
    ("data", "kind", "message"),
    [
        (b"Dear diary\n", InputError, "is no state of a session"),
        (b'{"a": 1}\n', InputError, "is no state of a session"),
        (first_line(header_of("other", {"customer": "Ada"})), ProfileError, "of the profile 'other', not of 'support'"),
        (
            first_line(header_of("support", {"customer": "Bob"})),
            ProfileError,
            "variable customer has another value",
        ),
        (b'{"format":"rt-run state","version":1,"new":true}\n', ProfileError, "the format 1, and this rt-run reads 2"),
        (summed(b'{"format":"rt-run state","version":2}'), InputError, "damaged in line 1"),
        (first_line(MINE).replace(b"support", b"suppord"), InputError, "damaged in line 1"),
        (
            first_line(MINE) + line(said("a", "17")).replace(b"17", b"19") + line(said("b", "x")),
            InputError,
            "in line 2",
        ),
        (first_line(MINE) + b"nonsense\n" + line(said("a", "x")), InputError, "damaged in line 2"),
        (
            first_line(MINE) + summed(b'{"at_s":1,"work":{"requests":[{"event":{"type":"response.kreate"}}]}}') + b"\n",
            InputError,
            "damaged in line 2",
        ),
        (
            first_line(MINE) + summed(b'{"at_s":1,"usage":{"own":{"input_tukens":1}}}') + line(said("a", "x")),
            InputError,
            "damaged in line 2",
        ),
    ],
)
def test_what_is_not_its_own_is_refused_and_left_alone(
    tmp_path: Path, data: bytes, kind: type[RunnerError], message: str
) -> None:
    """The state of another profile, variable or version, a damaged one, and a file that is none."""
    path = tmp_path / "state"
    path.write_bytes(data)
    path.chmod(0o644)
    with pytest.raises(kind, match=message) as refused:
        opened(path)

    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (data, 0o644)
    assert refused.value.hint
    assert refused.value.code == ("state-foreign" if kind is ProfileError else "")
    if b"rt-run" in data:
        assert opened(path, is_fresh=True).items == {}
    else:
        with pytest.raises(InputError):
            opened(path, is_fresh=True)


def test_a_conversation_that_is_over_is_not_gone_on_with(tmp_path: Path) -> None:
    """Where good-bye was said, the next process begins anew."""
    path = tmp_path / "state"
    written(path, said("a", "Hello"), StateChange(at_s=2.0, over="hung-up"))

    assert opened(path) == SavedState(MINE)
    assert path.read_bytes() == first_line(MINE)
