"""A reference to a secret → the secret, which is hidden from logs before any other code gets it."""

import os
import re
from pathlib import Path

import anyio
import anyio.to_thread

from runner import redaction
from runner.errors import SecretError, reason_of
from runner.profile.keys import is_key_shaped
from runner.settings.secret import CommandSecret, CredentialSecret, EnvSecret, FileSecret, SecretRef

MAX_SECRET_BYTES = 64 * 1024
"""No key, token or certificate of any service is longer, in bytes."""
_FILE_TIMEOUT_S = 10.0
_ASSIGNMENT = re.compile(
    r"(?:export\s+)?(?:[A-Z][A-Z0-9]*_[A-Z0-9_]+|(?i:[a-z0-9_-]*(?:key|token|secret)))\s*[=:](?=\s*[^=\s])"
)


async def resolve(reference: SecretRef, *, is_key: bool = True) -> str:
    """Fetch the secret that a reference points at.

    Args:
        reference: Where it is.
        is_key: Whether it is one word, such as a key or a token; else it is taken as it is.

    Raises:
        SecretError: The reference leads nowhere, times out, or yields text that cannot be a key where it has to be one.
            No message holds the secret.
    """
    secret, source = await _fetch(reference)
    secret = secret.removesuffix("\n").removesuffix("\r")
    redaction.hide(secret, slot=reference.model_dump_json())
    if not secret:
        msg = f"{source} holds an empty secret"
        raise SecretError(msg)
    problem, hint = _attached(secret) if is_key else ("", "")
    if problem:
        msg = f"{source} holds a secret {problem}"
        raise SecretError(msg, hint=hint)
    return secret


def _attached(secret: str) -> tuple[str, str]:
    """What came along when a secret was copied, and a hint; two empty texts where nothing did."""
    if secret[0] == secret[-1] and secret[0] in "\"'`" and len(secret) > 1:
        return "in quotes, which are no part of it", "leave the quotes out; `docker run --env-file` keeps them"
    if secret.lower().startswith(("bearer ", "basic ")):
        return f"that begins with {secret.partition(' ')[0]}", "leave that word out: rt-run writes the header itself"
    if _ASSIGNMENT.match(secret):
        return "with the name of a variable before it", "leave out the name: the value alone is the key"
    if (secret[0], secret[-1]) in {("{", "}"), ("<", ">")}:
        what = "that is a JSON object" if secret[0] == "{" else "that is a placeholder"
        return what, "the key alone belongs there"
    if not (secret.isascii() and secret.isprintable()) or secret != secret.strip():
        problem = "with a space, line break or special character that cannot stand in a header"
        return problem, "was more than the key itself copied?"
    if " #" in secret or (" " in secret and any(map(is_key_shaped, secret.split()))):
        return "with a space within", "was more than the key itself copied, such as a comment after it?"
    return "", ""


async def _fetch(reference: SecretRef) -> tuple[str, str]:
    match reference:
        case EnvSecret(env=name):
            return _from_environment(name), f"the environment variable {name}"
        case FileSecret(file=path):
            return await _from_file(path), f"the file {path}"
        case CredentialSecret(credential=name):
            return await _from_credential(name), f"the credential {name}"
        case CommandSecret(command=command):
            return await _from_command(reference), f"the command {command[0]}"


def _from_environment(name: str) -> str:
    if (secret := os.environ.get(name)) is None:
        msg = f"the environment variable {name} is not set"
        raise SecretError(msg, hint=f"export {name}=…, or refer to a file or command instead")
    return secret


async def _from_file(path: Path) -> str:
    what = f"the secret's file {path}"
    try:
        with anyio.fail_after(_FILE_TIMEOUT_S):
            # A pipe without a writer, or a network's file, must not outlast a signal.
            content = await anyio.to_thread.run_sync(_read, path, abandon_on_cancel=True)
    except TimeoutError:
        msg = f"{what} was not read within {_FILE_TIMEOUT_S:g} s"
        raise SecretError(msg) from None
    except (OSError, ValueError) as error:
        msg = f"{what} cannot be read: {reason_of(error)}"
        raise SecretError(msg) from None
    return _decoded(content, what)


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(MAX_SECRET_BYTES + 1)


async def _from_credential(name: str) -> str:
    if (folder := os.environ.get("CREDENTIALS_DIRECTORY")) is None:
        msg = f"the credential {name} is not there: CREDENTIALS_DIRECTORY is not set"
        raise SecretError(msg, hint=f"run as a systemd service with LoadCredential={name}:PATH")
    return await _from_file(Path(folder) / name)


async def _from_command(reference: CommandSecret) -> str:
    from runner.child_process import run_program

    program = reference.command[0]
    try:
        with anyio.fail_after(reference.timeout_s):
            # What it leaves behind, such as the agent of a password manager, goes on.
            ended = await run_program(reference.command, longest_bytes=MAX_SECRET_BYTES, ends_group=False)
    except TimeoutError:
        msg = f"the secret's command {program} took longer than {reference.timeout_s:g} s"
        raise SecretError(msg) from None
    except (OSError, ValueError) as error:
        msg = f"the secret's command {program} cannot be started: {reason_of(error)}"
        raise SecretError(msg) from None
    if ended.is_cut:
        msg = f"the output of the secret's command {program} is longer than {MAX_SECRET_BYTES} bytes"
        raise SecretError(msg)
    if ended.exit_code:
        msg = f"the secret's command {program} failed with exit code {ended.exit_code}"
        raise SecretError(msg, hint="run it by hand to see why")
    return _decoded(ended.output, f"the output of the secret's command {program}")


def _decoded(content: bytes, what: str) -> str:
    if len(content) > MAX_SECRET_BYTES:
        msg = f"{what} is longer than {MAX_SECRET_BYTES} bytes"
        raise SecretError(msg)
    try:
        return content.decode()
    except UnicodeDecodeError:
        msg = f"{what} is not UTF-8"
        raise SecretError(msg) from None
