"""References to secrets: where each leads, and how each fails."""

import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import anyio
import pytest
from pydantic import TypeAdapter

from runner import redaction
from runner.connect import secrets
from runner.errors import SecretError
from runner.settings.secret import SecretRef
from tests.helpers.transport_peers import PROMPT_S

pytestmark = pytest.mark.anyio

KEY = "made-up-key-of-a-test"
PYTHON = [sys.executable, "-S", "-c"]


@pytest.fixture
def anyio_backend() -> str:
    """One event loop: what differs between the two is tried elsewhere."""
    return "asyncio"


async def resolved(**reference: Any) -> str:
    """What a reference of a profile leads to."""
    checked: SecretRef = TypeAdapter(SecretRef).validate_python(reference)
    return await secrets.resolve(checked)


def written(folder: Path, content: bytes, name: str = "key") -> Path:
    """A file with this content."""
    path = folder / name
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("kind", ["env", "file", "credential", "command"])
async def test_every_kind_leads_to_its_secret(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Variable, file, systemd's credential and command; the log hides what was found."""
    path = written(tmp_path, f"{KEY}-{kind}\n".encode())
    monkeypatch.setenv("A_KEY", f"{KEY}-{kind}")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    reference: dict[str, Any] = {
        "env": "A_KEY",
        "file": path,
        "credential": "key",
        "command": [*PYTHON, "import sys; sys.stdout.write(open(sys.argv[1]).read())", str(path)],
    }

    assert await resolved(**{kind: reference[kind]}) == f"{KEY}-{kind}"
    assert redaction.redact(f"key={KEY}-{kind}") == "key=[hidden]"


@pytest.mark.parametrize("ending", [b"", b"\n", b"\r\n", b"\r"])
async def test_one_final_line_break_is_dropped(ending: bytes, tmp_path: Path) -> None:
    """An editor's or `echo`'s line break is none of the secret's."""
    assert await resolved(file=written(tmp_path, KEY.encode() + ending)) == KEY


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "holds an empty secret"),
        (b"\n", "holds an empty secret"),
        (b"\r\n", "holds an empty secret"),
        (KEY.encode() + b"\n\n", "cannot stand in a header"),
        (b" " + KEY.encode(), "cannot stand in a header"),
        (KEY.encode() + b"\t", "cannot stand in a header"),
        (KEY.encode() + b"\r\nX-Injected: 1", "cannot stand in a header"),
        (KEY.encode() + b"\x00", "cannot stand in a header"),
        (f"{KEY}é".encode(), "cannot stand in a header"),
        (b"\xef\xbb\xbf" + KEY.encode(), "cannot stand in a header"),
        (KEY.encode() + b"\xff", "is not UTF-8"),
        (KEY.encode() + b"x" * secrets.MAX_SECRET_BYTES, f"is longer than {secrets.MAX_SECRET_BYTES} bytes"),
    ],
)
@pytest.mark.parametrize("kind", ["file", "command"])
async def test_what_cannot_be_a_secret_is_refused_unseen(
    kind: str, content: bytes, problem: str, tmp_path: Path
) -> None:
    """Empty, broken over lines, with characters that no header holds, not text, endless: told, and never shown."""
    path = written(tmp_path, content)
    reference: Any = path if kind == "file" else ["cat", str(path)]
    with pytest.raises(SecretError) as caught:
        await resolved(**{kind: reference})

    assert problem in caught.value.message
    assert KEY not in caught.value.message + caught.value.hint
    assert caught.value.exit_code == 78


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (f'"{KEY}"', "in quotes"),
        (f"'{KEY}'", "in quotes"),
        (f"Bearer {KEY}", "begins with Bearer"),
        (f"bearer {KEY}", "begins with bearer"),
        (f"Basic {KEY}", "begins with Basic"),
        (f"OPENAI_API_KEY={KEY}", "the name of a variable"),
        (f"export AZURE_OPENAI_API_KEY={KEY}", "the name of a variable"),
        (f"OPENAI_API_KEY: {KEY}", "the name of a variable"),
        (f"api-key: {KEY}", "the name of a variable"),
        (f"token={KEY}", "the name of a variable"),
        (f'{{"api_key": "{KEY}"}}', "a JSON object"),
        (f"<{KEY}>", "a placeholder"),
        (f"{KEY} # mine", "a space within"),
        ("Token sk-proj-abcdefghijkl", "a space within"),
        ("sk-proj-abcdefghijkl other", "a space within"),
    ],
)
async def test_what_came_along_with_a_key_is_named(content: str, problem: str, tmp_path: Path) -> None:
    """It would go out as it is, and come back as a key that nobody knows; the message never holds the key."""
    with pytest.raises(SecretError, match=problem) as caught:
        await resolved(file=written(tmp_path, content.encode()))

    assert KEY not in caught.value.message + caught.value.hint
    assert "proj" not in caught.value.message + caught.value.hint


@pytest.mark.parametrize(
    "content", ["a=b", "dGVzdA==", "KEY=", "A_KEY==", "'", 'x"y', "Bearer", "https://a:b", "key", "monkey=", "{", "<a"]
)
async def test_what_a_key_may_have_is_not_taken_for_more(content: str, tmp_path: Path) -> None:
    """Padding, a quote within, a word that only begins like a scheme."""
    assert await resolved(file=written(tmp_path, content.encode())) == content


async def test_a_variable_that_is_not_utf8_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """As the same bytes in a file are."""
    monkeypatch.setenv("A_KEY", os.fsdecode(KEY.encode() + b"\xff"))
    with pytest.raises(SecretError, match="cannot stand in a header") as caught:
        await resolved(env="A_KEY")

    assert KEY not in caught.value.message


async def test_inner_spaces_are_allowed() -> None:
    """Some gateways' keys consist of several words, and a header may hold them."""
    os.environ["A_KEY_OF_WORDS"] = "two words"
    try:
        assert await resolved(env="A_KEY_OF_WORDS") == "two words"
    finally:
        del os.environ["A_KEY_OF_WORDS"]


@pytest.mark.parametrize(
    ("reference", "problem"),
    [
        ({"env": "NOT_SET_ANYWHERE"}, "the environment variable NOT_SET_ANYWHERE is not set"),
        ({"file": "missing"}, "cannot be read: No such file or directory"),
        ({"file": "."}, "cannot be read: Is a directory"),
        ({"file": "nul\x00byte"}, "cannot be read: embedded null byte"),
        ({"credential": "key"}, "CREDENTIALS_DIRECTORY is not set"),
        ({"command": ["./no-such-program"]}, "cannot be started: No such file or directory"),
        ({"command": ["nul\x00byte"]}, "cannot be started"),
        ({"command": [""]}, "cannot be started"),
        ({"command": ["false"]}, "the secret's command false failed with exit code 1"),
        ({"command": [*PYTHON, "import os; os.kill(os.getpid(), 9)"]}, "failed with exit code -9"),
    ],
)
async def test_a_reference_that_leads_nowhere_says_so(
    reference: dict[str, Any], problem: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message names the variable, file, credential or program."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    with pytest.raises(SecretError) as caught:
        await resolved(**reference)

    assert problem in caught.value.message


async def test_what_a_failing_command_says_is_not_repeated(capfd: pytest.CaptureFixture[str]) -> None:
    """Its output may hold the secret, on either stream."""
    script = f"import sys; print('{KEY}'); print('{KEY}', file=sys.stderr); sys.exit(3)"
    with pytest.raises(SecretError, match="exit code 3") as caught:
        await resolved(command=[*PYTHON, script])

    assert KEY not in caught.value.message + caught.value.hint
    assert capfd.readouterr() == ("", "")


async def test_a_command_has_no_input_of_ours() -> None:
    """A program that asks for a passphrase gets the end of input at once, and not the session's questions."""
    assert await resolved(command=[*PYTHON, "import sys; print(len(sys.stdin.read()))"]) == "0"


@pytest.mark.parametrize("script", ["sleep 30", "trap '' TERM; sleep 30", "echo key; sleep 30 & wait"])
async def test_a_command_that_hangs_is_given_up(script: str) -> None:
    """It is ended by force, in time, whatever it or its children hold open."""
    started_s = time.monotonic()
    with pytest.raises(SecretError, match=r"took longer than 0\.5 s"):
        await resolved(command=["sh", "-c", script], timeout_s=0.5)

    assert time.monotonic() - started_s < PROMPT_S
    await anyio.sleep(0.1)  # uvloop warns of a loop that ends before it has noticed the end of a process


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        (f"sleep 60 & echo {KEY}", KEY),
        (f"(sleep 60; echo late) & printf %s {KEY}", KEY),
        (f"sleep 60 & head -c 60000 /dev/zero | tr '\\0' k; echo {KEY}", f"{'k' * 60_000}{KEY}"),
    ],
)
async def test_what_a_command_leaves_behind_is_not_waited_for(script: str, expected: str, tmp_path: Path) -> None:
    """A helper that keeps the output open does not hold the key, and lives on: a command may start an agent."""
    child = tmp_path / "child"
    assert (
        await resolved(command=["sh", "-c", script.replace("& ", f"& echo $! >{child}; ", 1)], timeout_s=30) == expected
    )

    os.kill(int(child.read_text()), signal.SIGKILL)


@pytest.mark.parametrize("script", ["sleep 60 & echo $! >%s; wait", "sh -c 'sleep 60 & echo $! >%s; wait' & wait"])
async def test_a_command_that_is_given_up_leaves_nothing_behind(script: str, tmp_path: Path) -> None:
    """All that it has started is killed with it, or every attempt would leave one more."""
    child = tmp_path / "child"
    for timeout_s in (0.5, 2, 8):
        with pytest.raises(SecretError, match="took longer"):
            await resolved(command=["sh", "-c", script % child], timeout_s=timeout_s)
        # On a busy machine a shell may not have come so far.
        if child.exists() and child.read_text():
            break

    with anyio.fail_after(PROMPT_S):
        while _is_running(int(child.read_text())):  # noqa: ASYNC110  # a process of others has no event
            await anyio.sleep(0.01)


def _is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


async def test_a_command_without_end_is_cut_short() -> None:
    """An endless output is refused as soon as it is too long, and not collected until the time is up."""
    started_s = time.monotonic()
    with pytest.raises(SecretError, match="is longer than"):
        await resolved(command=["cat", "/dev/zero"], timeout_s=30)

    assert time.monotonic() - started_s < PROMPT_S


async def test_a_file_without_end_is_cut_short() -> None:
    """A device is no key."""
    with pytest.raises(SecretError, match="is longer than"):
        await resolved(file="/dev/zero")


async def test_a_pipe_that_nobody_writes_to_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Opening it would block for ever; a timeout, or whoever cancels, is heeded all the same."""
    os.mkfifo(tmp_path / "pipe")
    monkeypatch.setattr(secrets, "_FILE_TIMEOUT_S", 0.2)
    with pytest.raises(SecretError, match=r"was not read within 0\.2 s"):
        await resolved(file=tmp_path / "pipe")
    monkeypatch.setattr(secrets, "_FILE_TIMEOUT_S", 20.0)
    with anyio.move_on_after(0.2) as limit:
        await resolved(file=tmp_path / "pipe")

    assert limit.cancelled_caught
    # Let the threads go that still wait for a writer; opened for both, a pipe waits for nobody.
    os.close(os.open(tmp_path / "pipe", os.O_RDWR))


async def test_a_pipe_may_bring_the_secret(tmp_path: Path) -> None:
    """As a shell's `<(pass show key)` does."""
    os.mkfifo(tmp_path / "pipe")

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(anyio.Path(tmp_path / "pipe").write_text, f"{KEY}\n")
        assert await resolved(file=tmp_path / "pipe") == KEY


async def test_a_secret_is_fetched_anew_each_time(tmp_path: Path) -> None:
    """A key that was rotated counts at the next connection."""
    assert await resolved(file=written(tmp_path, b"first-key")) == "first-key"
    assert await resolved(file=written(tmp_path, b"second-key")) == "second-key"
