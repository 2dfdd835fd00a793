"""A small language model answers; the real llama.cpp runs a model that is made here."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from runner.errors import ProfileError
from runner.local.speech.llm import LlamaModel, NoAnswer
from runner.settings import endpoint
from tests.helpers.gguf_model import sentence, write_model

CHAIN = sentence("[assistant]", "Good", " day", "</s>") | sentence("tired", " night", "</s>")
TEMPLATE = "{% for each in messages %}[{{ each.role }}]{{ each.content }}{% endfor %}[assistant]"
FIRST_WORDS_LAST = "{% for each in messages %}[{{ each.role }}]{% endfor %}{{ messages[0].content }}"
HELLO = [{"role": "user", "content": "Hello"}]


@pytest.fixture
def settings(tmp_path: Path) -> endpoint.LlmBrain:
    """A model that says "Good day" to everything."""
    pytest.importorskip("xllamacpp", reason="needs the extra llm")
    return endpoint.LlmBrain(kind="llm", gguf=write_model(tmp_path / "model.gguf", CHAIN, TEMPLATE))


def test_a_model_answers(settings: endpoint.LlmBrain) -> None:
    """It says what the file makes it say, and the same every time."""
    brain = LlamaModel(settings)

    assert [brain.answer(HELLO) for _ in range(2)] == ["Good day"] * 2


def test_an_answer_is_no_longer_than_the_settings_say(settings: endpoint.LlmBrain) -> None:
    """One token is one word here."""
    assert LlamaModel(settings.model_copy(update={"max_tokens": 1})).answer(HELLO) == "Good"


def test_instructions_reach_the_model(settings: endpoint.LlmBrain, tmp_path: Path) -> None:
    """This model answers to the first message only, which is the system's."""
    gguf = write_model(tmp_path / "other.gguf", CHAIN, FIRST_WORDS_LAST)

    brain = LlamaModel(settings.model_copy(update={"gguf": gguf}))

    assert brain.answer([{"role": "system", "content": "tired"}, *HELLO]) == "night"


def test_a_conversation_that_is_too_long_loses_its_older_half(settings: endpoint.LlmBrain) -> None:
    """Thirty long messages are more than the model reads; it answers all the same."""
    turn = [{"role": "user", "content": "x" * 300}, {"role": "assistant", "content": "y" * 300}]

    assert LlamaModel(settings).answer([*turn * 15, *HELLO]) == "Good day"


def test_a_message_that_is_too_long_has_no_answer(settings: endpoint.LlmBrain) -> None:
    """Nothing can be left out of it, and the model says so."""
    with pytest.raises(NoAnswer, match="context size"):
        LlamaModel(settings).answer([{"role": "user", "content": "x" * 5000}])


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "cannot be read: No such file"), (b"hello", "is not a GGUF file"), (b"GGUF\3\0\0\0", "llama.cpp can load")],
)
def test_a_file_that_is_no_model_is_explained(tmp_path: Path, content: bytes | None, message: str) -> None:
    """There is no such file, it is something else, or it breaks off."""
    pytest.importorskip("xllamacpp", reason="needs the extra llm")
    path = tmp_path / "model.gguf"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(ProfileError, match=message) as raised:
        LlamaModel(endpoint.LlmBrain(kind="llm", gguf=path))

    assert raised.value.hint


SPEAK = """
import sys, os
from pathlib import Path
from runner.local.speech.llm import LlamaModel
from runner.settings import endpoint
brain = LlamaModel(endpoint.LlmBrain(kind="llm", gguf=Path(sys.argv[1])))
open_ports = [line for name in ("tcp", "tcp6") for line in Path("/proc/self/net", name).read_text().splitlines()[1:]]
own = {os.readlink(each) for each in Path("/proc/self/fd").iterdir() if each.is_symlink()}
assert not any(f"socket:[{line.split()[9]}]" in own for line in open_ports), "it listens"
brain.answer([{"role": "user", "content": "Hello"}])
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_a_model_prints_nothing_and_opens_no_port(settings: endpoint.LlmBrain) -> None:
    """Standard output belongs to the session, and the network to nobody."""
    done = subprocess.run([sys.executable, "-c", SPEAK, settings.gguf], capture_output=True, text=True, check=False)

    assert (done.stdout, done.stderr, done.returncode) == ("", "", 0)


ABSENT = """
from pathlib import Path
from runner.errors import ProfileError
from runner.local.speech.llm import LlamaModel
from runner.settings import endpoint
try:
    LlamaModel(endpoint.LlmBrain(kind="llm", gguf=Path("model.gguf")))
except ProfileError as error:
    print(error.hint)
"""


@pytest.mark.parametrize(
    ("missing", "hint"),
    [("No module named 'xllamacpp'", "rt-run[llm]"), ("libgomp.so.1: cannot open shared object file", "libgomp1")],
)
def test_what_is_missing_is_named(repository: Path, tmp_path: Path, missing: str, hint: str) -> None:
    """The hint says what to install: the package, or the system's library that it needs."""
    (tmp_path / "xllamacpp.py").write_text(f"raise ImportError({missing!r})\n")
    done = subprocess.run(
        [sys.executable, "-c", ABSENT],
        env={"PYTHONPATH": os.pathsep.join([str(tmp_path), str(repository), *sys.path])},
        capture_output=True,
        text=True,
        check=True,
    )

    assert hint in done.stdout
