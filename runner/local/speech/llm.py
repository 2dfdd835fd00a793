"""Answers by a small language model on this machine: a GGUF file, run by llama.cpp."""

import secrets
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from threading import Lock
from typing import Any, Final

from runner.errors import ProfileError, reason_of
from runner.installation import install_command
from runner.settings import endpoint

_CONTEXT_TOKENS: Final = 4096
_TOO_LONG: Final = "exceed_context_size_error"
_MAGIC: Final = b"GGUF"


class NoAnswer(Exception):
    """The model cannot answer a conversation."""


class LlamaModel:
    """Answers conversations, one at a time; all sessions share one that is loaded once.

    Args:
        settings: The model's file, and the maximum of tokens in an answer.

    Raises:
        ProfileError: llama.cpp is not installed, or cannot load the file.
    """

    def __init__(self, settings: endpoint.LlmBrain) -> None:
        self._max_tokens = settings.max_tokens
        self._lock = Lock()
        self._server = _server(settings.gguf)

    def answer(self, messages: Sequence[Mapping[str, str]]) -> str:
        """Returns the next message of a conversation; the same conversation always gets the same answer.

        The model keeps what it has read, so that it reads only the new messages of a conversation. It leaves out the
        older half of a conversation that exceeds its context.

        Args:
            messages: The conversation's messages, each with `role` (`system`, `user` or `assistant`) and `content`.

        Raises:
            NoAnswer: The last message alone exceeds the context, or the model cannot read the conversation.
        """
        instructions = [dict(each) for each in messages if each["role"] == "system"]
        turns = [dict(each) for each in messages if each["role"] != "system"]
        with self._lock:
            while True:
                request = {"messages": instructions + turns, "max_tokens": self._max_tokens, "temperature": 0}
                reply: dict[str, Any] = self._server.handle_chat_completions(request)
                error = reply.get("error")
                if error is None:
                    return str(reply["choices"][0]["message"].get("content") or "").strip()
                if error.get("type") != _TOO_LONG or len(turns) < 2:
                    raise NoAnswer(error.get("message", "no reason given"))
                turns = turns[(len(turns) + 1) // 2 :]


def _server(gguf: Path) -> Any:
    try:
        import xllamacpp
    except ImportError as error:
        msg = f"the endpoint's brain needs what is not installed: {error}"
        raise ProfileError(msg, hint=_remedy(error)) from error
    _check(gguf)
    with tempfile.TemporaryDirectory(prefix="rt-run-") as folder:
        params = xllamacpp.CommonParams()
        params.model.path = str(gguf)
        params.n_ctx = _CONTEXT_TOKENS
        params.n_parallel = 1
        params.cpuparams.n_threads = params.cpuparams_batch.n_threads = params.n_threads_http = 1
        params.cache_ram_mib = 0
        params.offline = True
        params.verbosity = -1
        params.ui = False
        # llama.cpp insists on a socket, which is not used: it lies in a folder that is removed once the model is ready.
        params.hostnames = [str(Path(folder, "llama.sock"))]
        params.api_keys = [secrets.token_urlsafe()]
        try:
            return xllamacpp.Server(params)
        except RuntimeError as error:
            msg = f"{gguf} is not a language model that llama.cpp can load"
            raise ProfileError(msg, hint="take an instruct model with a chat template, in GGUF") from error


def _remedy(error: ImportError) -> str:
    if "libgomp" in str(error):
        return "install your system's package of libgomp, such as: apt install libgomp1"
    return install_command("llm")


def _check(gguf: Path) -> None:
    try:
        with gguf.open("rb") as file:
            magic = file.read(len(_MAGIC))
    except OSError as error:
        msg = f"the model {gguf} cannot be read: {reason_of(error)}"
        raise ProfileError(msg, hint="endpoint.brain.gguf is the path of a GGUF file") from error
    if magic != _MAGIC:
        msg = f"{gguf} is not a GGUF file"
        raise ProfileError(msg, hint="endpoint.brain.gguf is the path of a GGUF file")
