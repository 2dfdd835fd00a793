"""Opening a state file: what is in it, or why no session goes on from it."""

from __future__ import annotations

from hashlib import sha256
from time import time
from typing import TYPE_CHECKING, Final

from pydantic_core import from_json

from runner.errors import InputError, ProfileError
from runner.resume.saved_state import SavedState, content_of, first_line, laid_over
from runner.resume.state_file import StateFile
from runner.resume.state_model import VERSION, StateChange, StateHeader

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_BEGINNING: Final = b'{"format":"rt-run state"'
_ANEW: Final = "--fresh begins anew"
_FOREIGN: Final = "state-foreign"
"""What the log calls it where a state is refused since it is not this session's."""


def open_state(path: Path, header: StateHeader, *, is_fresh: bool) -> tuple[StateFile, SavedState]:
    """Open the state of a session, which nobody else goes on with until the file is closed.

    Args:
        path: The file.
        header: Whose session it is to be.
        is_fresh: Whether it begins anew, whatever the file says.

    Raises:
        ProfileError: The file is the state of another profile, of other variables, or of another version.
        InputError: It cannot be read, or is none.
        OutputError: It cannot be written, or another process has it.
    """
    file = StateFile(path)
    try:
        data = file.read()
        saved = _known(file, data, header, is_fresh=is_fresh)
        file.hide()
        if saved is None or saved.over:
            saved = SavedState(header)
            file.replace(first_line(header))
    except BaseException:
        file.close()
        raise
    return file, saved


def header_of(profile: str, variables: Mapping[str, str]) -> StateHeader:
    """The header of a session that begins now.

    Args:
        profile: The name of its profile.
        variables: The values of the variables that are not secret; a state file has hashes of them.
    """
    hashes = {name: sha256(value.encode(errors="replace")).hexdigest() for name, value in variables.items()}
    return StateHeader(profile=profile, variables=hashes, begun_at_s=time())


def _known(file: StateFile, data: bytes, header: StateHeader, *, is_fresh: bool) -> SavedState | None:
    """What a file says, None where it says nothing yet, or nothing that counts."""
    if not (data.startswith(_BEGINNING) or _BEGINNING.startswith(data)):
        msg = f"{file.name} is no state of a session"
        raise InputError(msg, hint="run.resume.path names a file of its own, which rt-run makes")
    *lines, _torn = data.split(b"\n")
    if is_fresh or not lines:
        return None
    _judge(file, lines[0], header)
    size_bytes = len(lines[0]) + 1
    changes: list[StateChange] = []
    for number, each in enumerate(lines[1:], 2):
        try:
            changes.append(StateChange.model_validate_json(content_of(each)))
        except ValueError:
            if number < len(lines):
                msg = f"{file.name} is damaged in line {number}"
                raise InputError(msg, hint=_ANEW) from None
            # The machine stopped while it was written.
            break
        size_bytes += len(each) + 1
    if size_bytes < len(data):
        file.cut(size_bytes)
    return laid_over(header, changes)


def _judge(file: StateFile, line: bytes, header: StateHeader) -> None:
    """Refuse the state of another version, profile or variable."""
    version = _version(line)
    if version != VERSION:
        msg = f"{file.name} has the format {version}, and this rt-run reads {VERSION}"
        raise ProfileError(msg, hint=f"go on with the rt-run that has written it; {_ANEW}", code=_FOREIGN)
    try:
        known = StateHeader.model_validate_json(content_of(line))
    except ValueError:
        msg = f"{file.name} is damaged in line 1"
        raise InputError(msg, hint=_ANEW) from None
    if known.profile != header.profile:
        msg = f"{file.name} is of the profile {known.profile!r}, not of {header.profile!r}"
        raise ProfileError(
            msg, hint=f"put {{profile}} into run.resume.path, so that each has its own; {_ANEW}", code=_FOREIGN
        )
    names = sorted({*known.variables, *header.variables})
    if other := next((name for name in names if known.variables.get(name) != header.variables.get(name)), ""):
        msg = f"{file.name} is of a session in which the variable {other} has another value"
        raise ProfileError(
            msg, hint=f"put {{{other}}} into run.resume.path, so that each has its own; {_ANEW}", code=_FOREIGN
        )


def _version(line: bytes) -> object:
    """The version of a header, our own where it says none."""
    try:
        said = from_json(line)
    except ValueError:
        return VERSION
    return said.get("version", VERSION) if isinstance(said, dict) else VERSION
