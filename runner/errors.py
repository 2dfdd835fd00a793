"""What can go wrong, as one tree; each branch knows the exit code of the process.

RunnerError                 70  a bug in rt-run itself, unless a subclass says otherwise
├── UsageError               2  the command line
├── CommandRefused           1  a running session refuses what `rt-run ctl` asks of it
├── SessionAbsent           69  no such session runs
├── ProfileError            78  a profile is missing, malformed or contradicts itself
├── SecretError             78  a secret's reference leads nowhere
├── SessionRefused          78  the endpoint refuses what the profile asks for
├── AccessRefused           77  the endpoint refuses the credential, or the account behind it
├── ProtocolError           76  the peer broke WebSocket or Realtime rules
├── EndpointBusy            75  rate limit, overload, expiry: the same thing may work later
├── InputError, OutputError 74  a file, pipe, terminal or sound device failed
├── EndpointUnreachable     69  no connection, or it was lost
└── IllegalEvent            70  a caller of the Python API sent what the state does not allow

The numbers are those of sysexits.h, so that a service manager knows which failures are worth a restart.
"""

from typing import ClassVar

from runner.redaction import redact

_LONGEST_REASON = 500


class RunnerError(Exception):
    """A failure that rt-run explains to its user instead of tracing; its texts hold no secret that is known by then.

    Args:
        message: What happened, in one sentence without a final full stop.
        hint: What the user can do about it.
        code: The endpoint's own error code, where it sent one.
        status: The HTTP status or the WebSocket close code that came with it, 0 for neither.
    """

    exit_code: ClassVar[int] = 70

    def __init__(self, message: str, *, hint: str = "", code: str = "", status: int = 0) -> None:
        self.message, self.hint, self.code = redact(message), redact(hint), redact(code)
        super().__init__(self.message)
        self.status = status

    @property
    def facts(self) -> dict[str, str | int]:
        """The error as keys of a log line."""
        facts: dict[str, str | int] = {"error": self.message, "code": self.code, "status": self.status}
        return {key: value for key, value in facts.items() if value}


class UsageError(RunnerError):
    """The command line asks for something that does not exist."""

    exit_code = 2


class CommandRefused(RunnerError):
    """A running session, or its endpoint, refuses what it is asked for."""

    exit_code = 1


class SessionAbsent(RunnerError):
    """The session that a command is for does not run."""

    exit_code = 69


class ProfileError(RunnerError):
    """A profile is missing, malformed, or refused by its schema."""

    exit_code = 78


class SecretError(RunnerError):
    """A secret's reference leads nowhere: an unset variable, an unreadable file, a failing command."""

    exit_code = 78


class SessionRefused(RunnerError):
    """The endpoint will never accept what the profile asks for: the model, the address, the configuration."""

    exit_code = 78


class AccessRefused(RunnerError):
    """The endpoint refuses the credential, or the account behind it has no quota left."""

    exit_code = 77


class ProtocolError(RunnerError):
    """The peer broke the rules of WebSocket or of the Realtime protocol."""

    exit_code = 76


class BrokenWire(ProtocolError):
    """The bytes of this connection are no WebSocket frames; those of another connection may be."""


class EndpointBusy(RunnerError):
    """The endpoint cannot serve the session now: rate limit, overload, or the session's own expiry.

    Args:
        message: What happened.
        hint: What the user can do about it.
        code: The endpoint's own error code.
        status: The HTTP status or the WebSocket close code.
        retry_after_s: The wait that the endpoint asked for, in seconds, where it did.
    """

    exit_code = 75

    def __init__(
        self, message: str, *, hint: str = "", code: str = "", status: int = 0, retry_after_s: float | None = None
    ) -> None:
        super().__init__(message, hint=hint, code=code, status=status)
        self.retry_after_s = retry_after_s


class InputError(RunnerError):
    """An input of the session cannot be read."""

    exit_code = 74


class OutputError(RunnerError):
    """An output of the session cannot be written."""

    exit_code = 74


class EndpointUnreachable(RunnerError):
    """The endpoint cannot be connected to, or the connection was lost."""

    exit_code = 69


class IllegalEvent(RunnerError):
    """A client event that the session's state does not allow now."""


def failed_attempt(raised: Exception) -> RunnerError:
    """The error of an attempt to connect that has raised this: itself where rt-run explains it, else a loss."""
    if isinstance(raised, RunnerError):
        return raised
    cause = first_cause(raised)
    if isinstance(cause, RunnerError):
        return cause
    text = redact(" ".join(reason_of(cause).split()))[:_LONGEST_REASON]
    return EndpointUnreachable(f"the attempt to connect failed: {type(cause).__name__}: {text}")


def first_cause(error: Exception) -> Exception:
    """The first exception of a group, which a library's task groups have wrapped; any other one is its own."""
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    return error


def reason_of(error: Exception) -> str:
    """Why an operation failed, in the operating system's words without number and file, or else in the error's own."""
    return str(getattr(error, "strerror", None) or error) or type(error).__name__
