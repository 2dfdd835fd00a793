"""As whom a session connects: the three kinds, and the one that a profile without any gets."""

from typing import Any

import pytest
from pydantic import TypeAdapter

from runner.settings.auth import KEY_VARIABLES, ApiKeyAuth, Auth, EntraAuth, default_auth
from runner.settings.secret import EnvSecret
from tests.settings.conftest import Refused


def test_an_api_key_is_a_reference(refused: Refused) -> None:
    """The key itself is refused, and no error repeats it."""
    assert refused(Auth, {"kind": "api-key", "api_key": "sk-1234567890"}) == {"api-key.api_key": "secret_reference"}
    assert refused(Auth, {"kind": "api-key"}) == {"api-key.api_key": "missing"}
    assert refused(Auth, {"kind": "api-key", "api_key": {"env": "KEY"}, "header": "basic"}) == {
        "api-key.header": "literal_error"
    }


def test_entra_needs_nothing_but_its_kind() -> None:
    """azure-identity finds the credential, for the scope that Azure OpenAI wants."""
    auth = EntraAuth(kind="entra")

    assert (auth.credential, auth.scope, auth.timeout_s) == (
        "default",
        "https://cognitiveservices.azure.com/.default",
        30.0,
    )


@pytest.mark.parametrize(
    ("key", "value", "error"),
    [
        ("credential", "password", "literal_error"),
        ("scope", "https://ai.azure.com", "string_pattern_mismatch"),
        ("authority", "login.microsoftonline.com", "url_parsing"),
        ("timeout_s", 0, "greater_than"),
        ("timeout_s", 301, "less_than_equal"),
        ("client_secret", "hunter2", "secret_reference"),
        ("tenant", "contoso", "extra_forbidden"),
    ],
)
def test_entra_refuses(refused: Refused, key: str, value: Any, error: str) -> None:
    """Each key has its own constraint."""
    assert refused(Auth, {"kind": "entra", key: value}) == {f"entra.{key}": error}


def test_an_authority_is_spoken_to_with_tls(refused: Refused) -> None:
    """azure-identity refuses any other, on loopback too."""
    assert refused(Auth, {"kind": "entra", "authority": "https://login.microsoftonline.us"}) == {}
    assert refused(Auth, {"kind": "entra", "authority": "http://127.0.0.1:1"}) == {"entra.authority": "https"}


def test_no_auth_takes_no_key(refused: Refused) -> None:
    """A key beside `none` would silently be unused."""
    assert refused(Auth, {"kind": "none"}) == {}
    assert refused(Auth, {"kind": "none", "api_key": {"env": "KEY"}}) == {"none.api_key": "extra_forbidden"}


@pytest.mark.parametrize("table", [{"kind": "oauth"}, {}])
def test_the_kind_decides(refused: Refused, table: dict[str, str]) -> None:
    """An unknown kind, or none, is an error of the table and of nothing in it."""
    assert refused(Auth, table) == {"": "union_tag_invalid" if table else "union_tag_not_found"}


@pytest.mark.parametrize("kind", KEY_VARIABLES)
def test_hosted_endpoints_have_a_key_by_default(kind: str) -> None:
    """The default is valid and reads the endpoint's usual variable."""
    auth = TypeAdapter[Any](Auth).validate_python(default_auth(kind))

    assert auth == ApiKeyAuth(kind="api-key", api_key=EnvSecret(env=KEY_VARIABLES[kind]))


@pytest.mark.parametrize("kind", ["local", "custom", None, 7, ["openai"]])
def test_others_have_none_by_default(kind: Any) -> None:
    """A value that is no kind has none either; the endpoint's own validation refuses it."""
    assert default_auth(kind) == {"kind": "none"}
