"""What tools are given beside their arguments: variables and headers, with the secrets that settings refer to."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from runner.connect import secrets
from runner.errors import SecretError
from runner.settings.headers import request_header_problem

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from runner.settings.secret import SecretRef

PASSED_VARIABLES = (
    "HOME",
    "LANG",
    "LC_ALL",
    "LC_CTYPE",
    "LOGNAME",
    "PATH",
    "SHELL",
    "TERM",
    "TMPDIR",
    "TZ",
    "USER",
)
"""The variables of rt-run's own environment that every program gets; none of them holds a secret."""


async def program_environment(given: Mapping[str, str | SecretRef], passed: Sequence[str]) -> dict[str, str]:
    """The environment of a program: what it is given, what is passed on by name, and nothing else.

    Raises:
        SecretError: A reference leads nowhere.
    """
    variables = {name: os.environ[name] for name in (*PASSED_VARIABLES, *passed) if name in os.environ}
    return {**variables, **await _texts(given)}


async def request_headers(given: Mapping[str, str | SecretRef]) -> dict[str, str]:
    """The headers of a request; a token that a reference of `Authorization` leads to gets `Bearer` before it.

    Raises:
        SecretError: A reference leads nowhere, or to what HTTP does not take.
    """
    headers = await _texts(given)
    for name, value in headers.items():
        is_token = name.lower() == "authorization" and not isinstance(given[name], str) and " " not in value
        headers[name] = f"Bearer {value}" if is_token else value
        problem, hint = request_header_problem(name, headers[name])
        if problem:
            raise SecretError(f"the header {name} {problem}", hint=hint)
    return headers


async def _texts(given: Mapping[str, str | SecretRef]) -> dict[str, str]:
    return {
        name: value if isinstance(value, str) else await secrets.resolve(value, is_key=False)
        for name, value in given.items()
    }
