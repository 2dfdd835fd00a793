"""The secrets that a run needs besides its credential: those of tools, of their servers and of reports."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from runner.connect.secrets import resolve
from runner.errors import SecretError
from runner.profile.problems import problem_at
from runner.settings.secret import CommandSecret, CredentialSecret, EnvSecret, FileSecret

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runner.profile.keys import Key
    from runner.profile.load import LoadedProfile
    from runner.profile.problems import Problem
    from runner.settings.secret import SecretRef

_CREDENTIAL = "auth"


async def absent_secrets(loaded: LoadedProfile) -> list[Problem]:
    """A problem for each reference to a secret that leads nowhere here, but for that of the credential.

    Each is followed as a run does it, within the same limits; none is kept.
    """
    problems: list[Problem] = []
    for key, reference in _references(loaded.profile, ()):
        if key[0] == _CREDENTIAL:
            continue
        try:
            await resolve(reference)
        except SecretError as error:
            place = loaded.origins.place(key)
            problems.append(problem_at(place, key, error.message, error.hint, code="secret-missing"))
    return problems


def _references(value: Any, key: Key) -> Iterator[tuple[Key, SecretRef]]:
    """Every reference to a secret in a profile, with its key."""
    match value:
        case EnvSecret() | FileSecret() | CredentialSecret() | CommandSecret():
            yield key, value
        case BaseModel():
            for name in type(value).model_fields:
                yield from _references(getattr(value, name), (*key, name))
        case dict():
            for name, each in value.items():
                yield from _references(each, (*key, name))
        case list():
            for index, each in enumerate(value):
                yield from _references(each, (*key, index))
        case _:
            pass
