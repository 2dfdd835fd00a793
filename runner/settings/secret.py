"""References to secrets; the values themselves never stand in a profile."""

from pathlib import Path
from typing import Annotated, Any

from pydantic import Discriminator, Field, Tag

from runner.api.strict import Section


class EnvSecret(Section):
    """A secret in an environment variable."""

    env: Annotated[str, Field(min_length=1, pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
    """The variable's name."""


class FileSecret(Section):
    """A secret in a file, such as a container's or Kubernetes' mounted secret."""

    file: Path
    """The file; a relative path starts at the profile. One final line break is dropped."""


class CredentialSecret(Section):
    """A secret handed over by systemd (`LoadCredential=`), read from `$CREDENTIALS_DIRECTORY`."""

    credential: Annotated[str, Field(min_length=1, pattern=r"^[^/\x00]+$")]
    """The credential's name."""


class CommandSecret(Section):
    """A secret that a command prints, such as a password manager's."""

    command: Annotated[list[str], Field(min_length=1)]
    """The program and its arguments; no shell is involved. One final line break is dropped."""
    timeout_s: Annotated[float, Field(gt=0, le=300)] = 10.0
    """How long the command may take, in seconds."""


KINDS = ("env", "file", "credential", "command")
"""The key that tells one kind of reference from another."""


def _kind(value: Any) -> str | None:
    if isinstance(value, dict):
        return next((kind for kind in KINDS if kind in value), None)
    return next((kind for kind in KINDS if hasattr(value, kind)), None)


SecretRef = Annotated[
    Annotated[EnvSecret, Tag("env")]
    | Annotated[FileSecret, Tag("file")]
    | Annotated[CredentialSecret, Tag("credential")]
    | Annotated[CommandSecret, Tag("command")],
    Discriminator(
        _kind,
        custom_error_type="secret_reference",
        custom_error_message="a secret is a reference, never a value",
    ),
]
"""Where a secret comes from: `{ env = … }`, `{ file = … }`, `{ credential = … }` or `{ command = […] }`."""
