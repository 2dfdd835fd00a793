"""Each kind of endpoint gets exactly the URL and headers that its service documents."""

from typing import Any

import pytest

from runner.connect.address import address_of, chat_address
from runner.settings.profile import Profile

MODEL = {"name": "gpt-realtime-2"}
TRANSCRIPTION = {"type": "transcription"}
TRANSLATION = {"type": "translation"}


def _profile(endpoint: dict[str, Any], **tables: Any) -> Profile:
    return Profile.model_validate({"version": 1, "endpoint": endpoint, "auth": {"kind": "none"}, **tables})


OPENAI = {"kind": "openai"}
AZURE = {"kind": "azure", "base_url": "https://contoso.openai.azure.com"}
CUSTOM = {"kind": "custom", "base_url": "http://127.0.0.1:8000/v1/"}
PREVIEW = {**AZURE, "api_version": "2025-04-01-preview"}


@pytest.mark.parametrize(
    ("endpoint", "tables", "url"),
    [
        (OPENAI, {"model": MODEL}, "https://api.openai.com/v1/realtime?model=gpt-realtime-2"),
        (OPENAI, {"session": TRANSCRIPTION}, "https://api.openai.com/v1/realtime?intent=transcription"),
        ({**OPENAI, "call_id": "rtc_1"}, {}, "https://api.openai.com/v1/realtime?call_id=rtc_1"),
        (AZURE, {"model": MODEL}, "https://contoso.openai.azure.com/openai/v1/realtime?model=gpt-realtime-2"),
        ({**AZURE, "base_url": "https://c.azure.com/"}, {"model": MODEL}, "https://c.azure.com/openai/v1/realtime?model=gpt-realtime-2"),
        (AZURE, {"session": TRANSCRIPTION}, "https://contoso.openai.azure.com/openai/v1/realtime?intent=transcription"),
        ({**AZURE, "call_id": "rtc_1"}, {}, "https://contoso.openai.azure.com/openai/v1/realtime?call_id=rtc_1"),
        (
            PREVIEW,
            {"model": MODEL},
            "https://contoso.openai.azure.com/openai/realtime?api-version=2025-04-01-preview&deployment=gpt-realtime-2",
        ),
        (
            PREVIEW,
            {"session": {**TRANSCRIPTION, "audio": {"input": {"transcription": {"model": "w"}}}}},
            "https://contoso.openai.azure.com/openai/realtime?api-version=2025-04-01-preview&deployment=w&intent=transcription",
        ),
        (CUSTOM, {"model": {"name": "a b&c"}}, "http://127.0.0.1:8000/v1/realtime?model=a%20b%26c"),
        (
            CUSTOM,
            {"model": MODEL, "session": TRANSCRIPTION},
            "http://127.0.0.1:8000/v1/realtime?model=gpt-realtime-2&intent=transcription",
        ),
        (CUSTOM, {"session": TRANSCRIPTION}, "http://127.0.0.1:8000/v1/realtime?intent=transcription"),
        (CUSTOM, {}, "http://127.0.0.1:8000/v1/realtime"),
        ({**CUSTOM, "base_url": "http://[::1]:8000/v1"}, {"model": MODEL}, "http://[::1]:8000/v1/realtime?model=gpt-realtime-2"),
        ({**CUSTOM, "query": {"region": "ü", "model": "x"}}, {"model": MODEL}, "http://127.0.0.1:8000/v1/realtime?region=%C3%BC&model=gpt-realtime-2"),
        ({"kind": "local"}, {"model": MODEL}, "http://local/v1/realtime?model=gpt-realtime-2"),
        ({"kind": "local"}, {}, "http://local/v1/realtime?model=local"),
        ({"kind": "local"}, {"session": TRANSCRIPTION}, "http://local/v1/realtime?intent=transcription"),
        (
            OPENAI,
            {"model": {"name": "gpt-realtime-translate"}, "session": TRANSLATION},
            "https://api.openai.com/v1/realtime/translations?model=gpt-realtime-translate",
        ),
        (CUSTOM, {"session": TRANSLATION, "model": MODEL}, "http://127.0.0.1:8000/v1/realtime/translations?model=gpt-realtime-2"),
        ({"kind": "local"}, {"session": TRANSLATION}, "http://local/v1/realtime/translations?model=local"),
    ],
)  # fmt: skip
def test_the_url_is_the_documented_one(endpoint: dict[str, Any], tables: dict[str, Any], url: str) -> None:
    """Kind by kind, with and without a slash at the end of the base."""
    assert address_of(_profile(endpoint, **tables), {}).url == url


@pytest.mark.parametrize(
    ("endpoint", "url"),
    [
        (OPENAI, "https://api.openai.com/v1/chat/completions"),
        (AZURE, "https://contoso.openai.azure.com/openai/v1/chat/completions"),
        (PREVIEW, "https://contoso.openai.azure.com/openai/v1/chat/completions"),
        ({**CUSTOM, "query": {"region": "x"}}, "http://127.0.0.1:8000/v1/chat/completions?region=x"),
    ],
)
def test_text_models_answer_beside_the_sessions(endpoint: dict[str, Any], url: str) -> None:
    """With the headers of the sessions; on Azure by its current API, whatever the sessions speak."""
    address = chat_address(_profile({**endpoint, "headers": {"X-Team": "a"}}, model=MODEL), {"api-key": "k"})

    assert (address.url, dict(address.headers)) == (url, {"X-Team": "a", "api-key": "k"})


def test_headers_name_the_account_and_the_credential_wins() -> None:
    """Names are compared without regard to case."""
    endpoint = {
        **OPENAI,
        "organization": "org",
        "project": "proj",
        "safety_identifier": "user",
        "headers": {"X-Team": "support", "openai-project": "other"},
    }

    address = address_of(_profile(endpoint, model=MODEL), {"Authorization": "Bearer k"})

    assert dict(address.headers) == {
        "X-Team": "support",
        "OpenAI-Organization": "org",
        "OpenAI-Project": "proj",
        "OpenAI-Safety-Identifier": "user",
        "Authorization": "Bearer k",
    }
