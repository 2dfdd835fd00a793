"""Secrets that stand where none belongs: refused before anything looks at them, and shown by nobody."""

from typing import Any

import pytest

from runner.cli.report import report
from runner.profile import ProfileProblems
from runner.profile.keys import is_key_shaped, looks_secret, redacted
from tests.profile.conftest import OPENAI

KEYS = [
    "fa1b2c3d4e5f60718293a4b5c6d7e8f9",
    "FA1B2C3D4E5F60718293A4B5C6D7E8F9",
    "Fh3kLm9QpRs7TuVwXyZaBcDeFgHiJkLmNoPqRsTuVwXyZ0123456JQQJ99BBACYeBjFXJ3w3AAABACOGabcd",
    "sk-proj-abcdefabcdefabcdefabcdef1234",
    "ek_68af296e8e408191a1120ab6383263c2",
    "abC8Q~xx.yy_zz-AAABBBCCCDDDEEE123456789",
    "gsk7Yb2Qv9Lm4Xc8Zt1Wr6",
]
NAMES = [
    "OPENAI_API_KEY",
    "AZURE_OPENAI_API_KEY_2025",
    "azure_openai_api_key_prod_2",
    "OpenAIApiKeyProduction1",
    "openai-key-production-2025",
    "/run/secrets/openai2025keyfile",
    "my-Key-File-For-Production-2025.txt",
    "keys/3f9a8b7c6d5e4f3a2b1c",
    "get-secret",
]


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize(
    "reference", ['{ env = "%s" }', '{ file = "%s" }', '{ credential = "%s" }', '{ command = ["%s", "x"] }']
)
@pytest.mark.parametrize("source", ["file", "flag", "variable"])
def test_a_key_in_place_of_its_name_is_refused(load: Any, key: str, reference: str, source: str) -> None:
    """In every kind of reference, wherever it is said; no form of the report has it."""
    text, value = OPENAI + '[auth]\nkind = "api-key"\n', reference % key
    text += f"api_key = {value}\n" if source == "file" else ""
    flags = [f"auth.api_key={value}"] if source == "flag" else []
    variables = {"RT_RUN_AUTH__API_KEY": value} if source == "variable" else {}
    with pytest.raises(ProfileProblems) as raised:
        load(text, *flags, **variables)

    said = repr(raised.value) + "".join(report(form, raised.value.problems) for form in ("text", "json", "github"))
    assert key[:12] not in said
    assert {each.code for each in raised.value.problems} == {"literal-secret"}
    assert "OPENAI_API_KEY" in raised.value.problems[0].hint


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_a_name(name: str) -> None:
    """However long it is, and whatever year is in it."""
    assert not is_key_shaped(name)


@pytest.mark.parametrize(
    "slashes", ["https:/", "https:", "https:///", "https:\\\\", "HTTPS://", "ht\\ttps://", "wss:/"]
)
@pytest.mark.parametrize("user", ["user:PASSWORD@", ":PASSWORD@", "PASSWORD@"])
@pytest.mark.parametrize("key", ["endpoint.base_url", "endpoint.proxy", "auth.authority"])
def test_an_address_has_no_user_however_it_is_written(load: Any, slashes: str, user: str, key: str) -> None:
    """What is parsed is judged, not what it looks like: HTTP would send the user instead of the key."""
    with pytest.raises(ProfileProblems) as raised:
        load(OPENAI, f'{key}="{slashes}{user}gw.test/v1"', 'auth.kind="entra"')

    assert "literal-secret" in {each.code for each in raised.value.problems}
    assert "PASSWORD" not in str(raised.value)


def test_a_tools_address_has_no_user(problems_of: Any) -> None:
    """It goes to the endpoint, and is shown."""
    tool = 'tools = [{ type = "mcp", server_label = "a", server_url = "https://u:PASSWORD@x.test/mcp" }]'
    (told,) = problems_of(OPENAI + f"[session]\n{tool}\n")

    assert "session.tools.0.server_url: a URL must not carry a user name or password" in told


@pytest.mark.parametrize(
    "text",
    ["eyJ" * 330_000, "eyJhbGci." * 100_000, "a" * 1_000_000, "sk-a." * 200_000, "://" * 330_000, "a8Q~" * 250_000],
)
def test_the_search_for_secrets_is_linear(load: Any, text: str) -> None:
    """A mebibyte of anything is looked through at once: a square of its length would take minutes."""
    assert looks_secret(text) == (redacted(text) != text)
    with pytest.raises(ProfileProblems):
        load(OPENAI.replace('"openai"', f'"custom"\nbase_url = "{text}"\nproxy = "{text}"'))


def test_a_token_is_found_wherever_a_word_begins() -> None:
    """Also behind a letter, as in the text of a line break."""
    token = "eyJhbGciOiJIUzI1.eyJzdWIi.c2ln"

    assert redacted(f"Bearer {token} x") == "Bearer [hidden] x"
    assert redacted(f"\\n{token}") == "\\[hidden]"
    assert redacted("eyJ is short") == "eyJ is short"
