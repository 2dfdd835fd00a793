"""The command from start to exit code: input, signals, outputs, failures."""

import json
import os
import signal
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from runner.api.client_events import CLIENT_EVENT_TYPES
from tests.helpers.command_process import TIMEOUT_S, Command, local, profile

TRANSCRIPT = '[[outputs]]\nkind = "stdout"\n[[outputs]]\nkind = "transcript"\npath = "said/{profile}.jsonl"\n'
QUESTION = "one two three four five six seven eight nine ten\n"
ANSWER = f"You said: {QUESTION}"
BRIEF_FLUSH = """
from functools import partial
from runner.cli import run_command
run_command.run_profiles = partial(run_command.run_profiles, flush_least_s=0.5)
"""


def transcript(folder: Path) -> list[tuple[str, str, str]]:
    """What the transcript says: role, text and status of each turn."""
    lines = map(json.loads, (folder / "said" / "test.jsonl").read_text().splitlines())
    return [(line["role"], line["text"], line["status"]) for line in lines]


def test_it_is_a_filter(tmp_path: Path) -> None:
    """Each line of standard input gets its answer, in order; the end of input is a good end."""
    ended = Command("--profile", local(tmp_path), folder=tmp_path).end("Hello\n\n  \nWhat is new?")

    assert (ended.code, ended.stdout) == (0, "You said: Hello\nYou said: What is new?\n")
    assert ended.logged("session_closed")["reason"] == "input-end"
    assert ended.logged("session_closed")["responses"] == 2


def test_a_run_has_the_values_of_its_variables(tmp_path: Path) -> None:
    """In texts and in the names of files; without one that is required it does not begin."""
    more = '[variables]\ncustomer = { required = true }\n[[outputs]]\nkind = "transcript"\npath = "{customer}.jsonl"\n'
    name = local(tmp_path, more=more)

    refused = Command("--profile", name, folder=tmp_path).end("Hello\n")
    ended = Command("--profile", name, "--var", "customer=../Ada", folder=tmp_path).end("Hello\n")

    assert (refused.code, ended.code) == (78, 0)
    assert "--var customer=…" in refused.logged("run_failed")["error"]
    assert "Hello" in (tmp_path / "_._Ada.jsonl").read_text()


@pytest.mark.parametrize(("loop", "used"), [("asyncio", "asyncio"), ("uvloop", "uvloop"), ("auto", "uvloop")])
def test_the_profile_chooses_the_loop(tmp_path: Path, loop: str, used: str) -> None:
    """Uvloop is used where it is installed, unless the profile says otherwise."""
    name = local(tmp_path, more=f'[run]\nloop = "{loop}"\n')

    ended = Command("--profile", name, "-v", folder=tmp_path).end("Hello\n")

    assert (ended.code, ended.stdout) == (0, "You said: Hello\n")
    assert ended.logged("loop_started")["loop"] == used


def test_a_loop_that_is_not_installed_is_named(tmp_path: Path) -> None:
    """A profile that asks for uvloop says what to install where it is missing."""
    name = local(tmp_path, more='[run]\nloop = "uvloop"\n')
    without = "import sys; sys.modules['uvloop'] = None; from runner.__main__ import main; main()"

    done = subprocess.run(
        [sys.executable, "-c", without, "--profile", name],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 78
    assert "`run.loop` is uvloop, which is not installed" in done.stderr
    assert "'rt-run[fast]'" in done.stderr


def test_events_go_in_and_out_as_json_lines(tmp_path: Path) -> None:
    """With `format = "events"` on both sides the command is the protocol itself; a second request waits its turn."""
    name = local(
        tmp_path,
        interval_ms=5,
        more='[input]\nkind = "stdin"\nformat = "events"\n[[outputs]]\nkind = "stdout"\nformat = "events"',
    )
    item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hi"}]}
    events = [
        {"type": "conversation.item.create", "item": item},
        {"type": "response.create"},
        {"type": "response.create"},
    ]

    ended = Command("--profile", name, folder=tmp_path).end("\n".join(map(json.dumps, events)))

    types = [json.loads(line)["type"] for line in ended.stdout.splitlines()]
    assert ended.code == 0
    assert types[0] == "session.created"
    assert types.count("response.done") == 2
    assert "error" not in types
    assert not set(types) & set(CLIENT_EVENT_TYPES)


@pytest.mark.parametrize(
    ("form", "text", "problem"),
    [
        ("events", "{oops", "stdin:1: not JSON"),
        ("events", "\n[]", "stdin:2: not a client event"),
        ("text", "fine\n\udcff\n", "stdin:2: not UTF-8 at byte 1"),
    ],
)
def test_bad_input_is_reported_with_its_line(tmp_path: Path, form: str, text: str, problem: str) -> None:
    """What cannot be read ends the run with 74, after the answers that were asked for."""
    name = local(tmp_path, interval_ms=5, more=f'[input]\nkind = "stdin"\nformat = "{form}"')
    command = Command("--profile", name, folder=tmp_path)
    assert command.process.stdin
    command.process.stdin.write(text.encode(errors="surrogateescape"))
    ended = command.end()

    assert ended.code == 74
    assert problem in ended.logged("run_failed")["error"]
    if form == "text":
        assert ended.stdout == "You said: fine\n"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_in_mid_answer_drains(tmp_path: Path, number: signal.Signals) -> None:
    """The answer finishes, the transcript is complete, and the exit code says which signal it was."""
    command = Command("--profile", local(tmp_path, interval_ms=40, more=TRANSCRIPT), folder=tmp_path)
    command.write(QUESTION)
    begun = command.read(8)
    command.send_signal(number)
    ended = command.end()

    assert ended.code == (0 if number == signal.SIGTERM else 130)
    assert begun + ended.stdout == ANSWER
    assert transcript(tmp_path) == [("user", QUESTION.strip(), "completed"), ("assistant", ANSWER.strip(), "completed")]


def test_an_answer_longer_than_the_grace_period_is_cancelled(tmp_path: Path) -> None:
    """What was said until then is kept, marked as incomplete, and the end is still a clean one."""
    name = local(tmp_path, interval_ms=1000, more=TRANSCRIPT + "[run]\ngrace_s = 4\n")
    command = Command("--profile", name, folder=tmp_path)
    command.write(QUESTION)
    begun = command.read(3)
    command.send_signal(signal.SIGTERM)
    ended = command.end()

    assert ended.code == 0
    assert ended.logged("response_cancelled")["reason"] == "signal"
    role, text, status = transcript(tmp_path)[-1]
    assert (role, status) == ("assistant", "incomplete")
    assert begun + ended.stdout == text + "\n"


def test_a_second_signal_forces(tmp_path: Path) -> None:
    """Who asks twice does not wait for the answer."""
    more = "[run]\ngrace_s = 1000\n"
    command = Command("--profile", local(tmp_path, interval_ms=1000, more=more), folder=tmp_path)
    command.write(QUESTION)
    command.read(3)
    command.send_signal(signal.SIGINT)
    command.wait_for_log("signal_received")
    command.send_signal(signal.SIGTERM)
    ended = command.end()

    assert ended.code == 128 + signal.SIGTERM
    assert ended.logged("forced")["signal"] == "SIGTERM"


def test_no_grace_forces_at_once(tmp_path: Path) -> None:
    """A grace period of nothing is a forced end, and the exit code says so."""
    command = Command("--profile", local(tmp_path, interval_ms=1000, more="[run]\ngrace_s = 0\n"), folder=tmp_path)
    command.write(QUESTION)
    command.read(3)
    command.send_signal(signal.SIGTERM)

    assert command.end().code == 128 + signal.SIGTERM


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("delay_ms", [0, 20, 60, 120, 200, 300, 400])
def test_a_signal_at_any_moment_of_the_start_ends_it(tmp_path: Path, delay_ms: int, number: signal.Signals) -> None:
    """During imports, reading, connecting: no hang, no traceback, the same exit code as ever."""
    command = Command("--profile", local(tmp_path), folder=tmp_path, is_forked=False)
    while not command.catches(signal.SIGTERM):
        time.sleep(0.001)
    time.sleep(delay_ms / 1000)
    command.send_signal(number)

    # Its input stays open, so nothing but the signal can be what ends it.
    assert command.process.wait(TIMEOUT_S) == (0 if number == signal.SIGTERM else 130)
    command.end()


@pytest.mark.parametrize(("until", "answers"), [("response-done", 1), ("input-end", 2)])
def test_a_run_knows_when_it_is_over(tmp_path: Path, until: str, answers: int) -> None:
    """`run.until` decides what ends a run besides a signal."""
    name = local(tmp_path, interval_ms=5, more=f'[run]\nuntil = "{until}"\n')

    ended = Command("--profile", name, folder=tmp_path).end("Hello\nHello\n")

    assert ended.code == 0
    assert ended.stdout.count("You said: Hello\n") == answers
    assert ended.logged("session_closed")["reason"] == until


@pytest.mark.parametrize("more", ['[run]\nuntil = "signal"\n', '[input]\nkind = "none"\n'])
def test_a_service_lives_until_a_signal(tmp_path: Path, more: str) -> None:
    """The end of standard input, which a service has at once, ends nothing."""
    command = Command("--profile", local(tmp_path, more=more), folder=tmp_path, stdin=subprocess.DEVNULL)
    command.wait_for_log("session_opened")
    with pytest.raises(subprocess.TimeoutExpired):
        command.process.wait(0.3)
    command.send_signal(signal.SIGTERM)
    ended = command.end()

    assert ended.code == 0
    assert ended.logged("session_closed")["reason"] == "signal"


def test_a_question_that_comes_after_the_answer_is_no_failure(tmp_path: Path) -> None:
    """With `response-done` the run waits until its answer is heard, and takes no second question meanwhile."""
    heard = '[[outputs]]\nkind = "stdout"\nformat = "audio"\npace = "real-time"\n'
    name = profile(tmp_path, f'[endpoint]\nkind = "local"\n{heard}[run]\nuntil = "response-done"\n')
    command = Command("--profile", name, folder=tmp_path)
    samples, log = command.process.communicate(b"Hello\nHello\n")
    command.release()

    assert command.process.returncode == 0, log
    assert samples
    assert b'"reason": "response-done"' in log


def test_a_full_disk_is_reported(tmp_path: Path) -> None:
    """An output that cannot be written ends the run with 74, and the answer on standard output is whole."""
    name = local(tmp_path, more='[[outputs]]\nkind = "stdout"\n[[outputs]]\nkind = "events"\npath = "/dev/full"\n')

    ended = Command("--profile", name, folder=tmp_path).end("Hello\n")

    assert ended.code == 74
    assert "/dev/full cannot be written: No space left on device" in ended.logged("run_failed")["error"]


def test_an_output_that_cannot_be_opened_stops_before_connecting(tmp_path: Path) -> None:
    """The path is named, and no session was opened for nothing."""
    (tmp_path / "said").write_text("a file, not a folder")

    ended = Command("--profile", local(tmp_path, more=TRANSCRIPT), folder=tmp_path).end()

    assert ended.code == 74
    assert "said/test.jsonl cannot be opened" in ended.logged("run_failed")["error"]
    assert not [line for line in ended.log if line["event"] == "session_opened"]


def test_a_reader_that_leaves_is_a_good_end(tmp_path: Path) -> None:
    """`rt-run … | head -1` is no failure."""
    command = Command("--profile", local(tmp_path, interval_ms=20), folder=tmp_path)
    assert command.process.stdout
    command.write(QUESTION)
    command.read(3)
    command.process.stdout.close()
    command.process.stdout = None
    assert command.process.stdin
    command.process.stdin.close()
    command.process.stdin = None
    ended_code = command.process.wait(TIMEOUT_S)
    assert command.process.stderr
    log = command.process.stderr.read().decode()
    command.process.stderr.close()

    assert ended_code == 0, log
    assert "Traceback" not in log
    assert '"reason": "output-closed"' in log


def test_a_slow_output_holds_up_neither_the_session_nor_the_end(tmp_path: Path) -> None:
    """Nobody reads a named pipe: answers come all the same, the end waits a bounded time and says what was lost."""
    os.mkfifo(tmp_path / "pipe")
    more = '[[outputs]]\nkind = "stdout"\n[[outputs]]\nkind = "events"\npath = "pipe"\n[run]\ngrace_s = 0.5\n'
    opened: list[int] = []
    opener = threading.Thread(target=lambda: opened.append(os.open(tmp_path / "pipe", os.O_RDONLY)))
    opener.start()
    command = Command("--profile", local(tmp_path, more=more), folder=tmp_path, before=BRIEF_FLUSH)
    lines = "".join(f"{number} {'x' * 400}\n" for number in range(60))
    ended = command.end(lines)
    opener.join()
    os.close(opened[0])

    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)
    assert ended.stdout.count("You said: ") == 60
    assert ended.code == 74
    assert "pipe" in ended.logged("run_failed")["error"]


def test_a_wrong_secret_reference_stops_with_78(tmp_path: Path) -> None:
    """The variable is named; nothing is connected."""
    name = profile(tmp_path, '[endpoint]\nkind = "openai"\n[model]\nname = "gpt-realtime-2"\n')

    ended = Command("--profile", name, folder=tmp_path).end()

    assert ended.code == 78
    assert "OPENAI_API_KEY is not set" in ended.logged("run_failed")["error"]


def test_an_unreachable_endpoint_is_69(tmp_path: Path) -> None:
    """Host and port are named."""
    name = profile(tmp_path, '[endpoint]\nkind = "custom"\nbase_url = "http://127.0.0.1:9/v1"\n[model]\nname = "x"\n')

    ended = Command("--profile", name, "--set", "run.reconnect.max_attempts=0", folder=tmp_path).end()

    assert ended.code == 69
    assert "127.0.0.1:9" in ended.logged("run_failed")["error"]


def test_logs_are_for_people_where_asked(tmp_path: Path) -> None:
    """`--log-format console` writes lines and a last word with its hint; `-q` leaves only trouble."""
    name = profile(tmp_path, '[endpoint]\nkind = "openai"\n[model]\nname = "gpt-realtime-2"\n')

    ended = Command("--profile", name, "--log-format", "console", "-q", folder=tmp_path).end()

    assert ended.stderr.splitlines()[-2:] == [
        "rt-run: the environment variable OPENAI_API_KEY is not set",
        "  hint: export OPENAI_API_KEY=…, or refer to a file or command instead",
    ]
    assert len(ended.stderr.splitlines()) == 2


def test_nothing_to_answer_is_an_end_too(tmp_path: Path) -> None:
    """`response-done` with no question does not wait for an answer."""
    ended = Command("--profile", local(tmp_path, more='[run]\nuntil = "response-done"\n'), folder=tmp_path).end()

    assert (ended.code, ended.stdout) == (0, "")


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-", ">/dev/null"])
def test_missing_streams_are_no_fault(tmp_path: Path, closed: str) -> None:
    """Whoever starts us without some standard stream gets a run without it."""
    line = f'exec "{sys.executable}" -m runner -q --profile {local(tmp_path)} {closed}'
    done = subprocess.run(
        ["sh", "-c", line], cwd=tmp_path, input="Hello\n", capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(("target", "code"), [("| true", 0), (">/dev/full", 74)])
@pytest.mark.parametrize("command", ["schema", "--version"])
def test_commands_bear_a_reader_that_leaves_and_a_full_disk(
    tmp_path: Path, command: str, target: str, code: int
) -> None:
    """Neither is a fault of ours, and neither is silent about what was lost."""
    line = f'set -o pipefail; "{sys.executable}" -m runner {command} {target}'
    done = subprocess.run(["bash", "-c", line], cwd=tmp_path, capture_output=True, text=True, check=False)

    assert "Traceback" not in done.stderr
    assert "internal_error" not in done.stderr
    assert done.returncode == code


def test_a_transcript_is_for_its_owner_only(tmp_path: Path) -> None:
    """Conversations are private, whatever the umask."""
    Command("--profile", local(tmp_path, more=TRANSCRIPT), folder=tmp_path).end("Hello\n")

    assert (tmp_path / "said" / "test.jsonl").stat().st_mode & 0o077 == 0
