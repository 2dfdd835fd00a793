"""What tools are given beside their arguments."""

import pytest

from runner.errors import SecretError
from runner.settings.secret import EnvSecret
from runner.tools.given_texts import request_headers

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("name", "secret", "value"),
    [
        ("Authorization", "token", "Bearer token"),
        ("authorization", "Basic dXNlcg==", "Basic dXNlcg=="),
        ("X-Api-Key", "token", "token"),
    ],
)
async def test_a_token_gets_the_word_before_it(
    name: str, secret: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where nothing else says how it authenticates."""
    monkeypatch.setenv("TOKEN_OF_TOOL", secret)

    assert await request_headers({name: EnvSecret(env="TOKEN_OF_TOOL")}) == {name: value}


@pytest.mark.parametrize(("name", "value"), [("Host", "x.test"), ("X-A", "a\nX-B: 1")])
async def test_what_http_does_not_take_is_no_header(name: str, value: str) -> None:
    """Not from a program either."""
    with pytest.raises(SecretError, match=f"the header {name}"):
        await request_headers({name: value})
