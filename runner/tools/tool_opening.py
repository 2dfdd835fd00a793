"""Errors of a tool that cannot be opened, with its name."""

from collections.abc import Iterator
from contextlib import contextmanager

from runner.errors import ProfileError, SecretError


@contextmanager
def opening(name: str) -> Iterator[None]:
    """Say of which tool it is that something is missing.

    Raises:
        ProfileError: The tool can never be had.
        SecretError: A secret of the tool is missing.
    """
    try:
        yield
    except (ProfileError, SecretError) as error:
        raise type(error)(f"the tool {name}: {error.message}", hint=error.hint) from error.__cause__
