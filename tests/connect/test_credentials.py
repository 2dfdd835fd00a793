"""As whom a session connects: keys in the right header, and tokens from a stand-in for Entra ID."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anyio
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from websockets.http11 import Request, Response

from runner import redaction
from runner.connect import credentials
from runner.connect.credentials import credential_headers
from runner.errors import AccessRefused, EndpointUnreachable, ProfileError, RunnerError, SecretError
from runner.installation import install_command
from runner.session.opening import open_session
from runner.settings.profile import Profile
from tests.helpers.endpoint_scripts import PATIENCE_S
from tests.helpers.peer import Peer, profile_for, refusal, serving
from tests.helpers.transport_peers import PROMPT_S, Proxy, answering, listening

pytestmark = pytest.mark.anyio

KEY = "made-up-key-of-a-test"
OPENAI = {"kind": "openai"}
AZURE = {"kind": "azure", "base_url": "https://contoso.openai.azure.com"}
PREVIEW = {**AZURE, "api_version": "2025-04-01-preview"}
CUSTOM = {"kind": "custom", "base_url": "http://127.0.0.1:8000/v1"}
LOCAL = {"kind": "local"}
SCOPE = "https://cognitiveservices.azure.com/.default"


@dataclass(frozen=True)
class Entra:
    """A stand-in for Entra ID and for the metadata service of a virtual machine."""

    authority: str
    metadata: str
    ca_file: str
    log: Path

    def requests(self) -> list[str]:
        """What was asked for, a line each."""
        return self.log.read_text().splitlines() if self.log.exists() else []

    def profile(
        self, *, ca_file: str | None = "", proxy: str | None = None, timeout_s: float = 20, **auth: Any
    ) -> Profile:
        """A profile that asks here for its token."""
        trust = self.ca_file if ca_file == "" else ca_file
        application = {"tenant_id": "tenant", "client_id": "client", "authority": self.authority}
        table = {"kind": "entra", "timeout_s": timeout_s, **application, **auth}
        endpoint = {**AZURE, **({"ca_file": trust} if trust else {}), "proxy": proxy}
        return profile(endpoint, {key: value for key, value in table.items() if value is not None})


@pytest.fixture(scope="session")
def entra_program(repository: Path) -> Path:
    """The stand-in; skips where it or azure-identity is missing."""
    pytest.importorskip("azure.identity", reason="azure-identity is not installed (extra `azure`)")
    program = repository.parent / "shared" / "tools" / "fake_entra.py"
    if not program.exists():
        pytest.skip("there is no stand-in for Entra ID beside the checkout")
    return program


@contextmanager
def stand_in(program: Path, folder: Path, *arguments: str) -> Iterator[Entra]:
    """A running stand-in; the first argument is how long its tokens live, in seconds."""
    process = subprocess.Popen([sys.executable, program, folder, *arguments], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    guard = threading.Timer(15, process.kill)
    guard.start()
    try:
        found = json.loads(process.stdout.readline())
        guard.cancel()
        yield Entra(
            f"https://localhost:{found['https']}",
            f"http://127.0.0.1:{found['http']}",
            found["ca"],
            folder / "requests.log",
        )
    finally:
        guard.cancel()
        process.kill()
        process.wait(5)
        process.stdout.close()


@pytest.fixture(scope="session")
def running_entra(entra_program: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Entra]:
    """A running stand-in, ended with the tests."""
    with stand_in(entra_program, tmp_path_factory.mktemp("entra")) as found:
        yield found


@pytest.fixture
def entra(running_entra: Entra, monkeypatch: pytest.MonkeyPatch) -> Iterator[Entra]:
    """A stand-in whose tokens nobody has cached, in an environment that names no identity."""
    for name in ("AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET", "AZURE_FEDERATED_TOKEN_FILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("IDENTITY_ENDPOINT", "IDENTITY_HEADER", "MSI_ENDPOINT", "AZURE_AUTHORITY_HOST"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CLIENT_SECRET", "made-up-client-secret")
    # azure-identity sleeps between its attempts; the attempts are what matters here.
    monkeypatch.setattr("azure.core.pipeline.transport.RequestsTransport.sleep", lambda _transport, _duration_s: None)
    running_entra.log.write_text("")
    credentials._credential.cache_clear()
    yield running_entra
    credentials._credential.cache_clear()


def profile(endpoint: dict[str, Any], auth: dict[str, Any]) -> Profile:
    """A profile with this endpoint and auth."""
    return Profile.model_validate({"version": 1, "endpoint": endpoint, "auth": auth, "model": {"name": "m"}})


@pytest.mark.parametrize("endpoint", [OPENAI, AZURE, CUSTOM, LOCAL])
async def test_no_auth_is_no_header(endpoint: dict[str, Any]) -> None:
    """Trusted gateways and the local endpoint get nothing."""
    assert await credential_headers(profile(endpoint, {"kind": "none"})) == {}


@pytest.mark.parametrize(
    ("endpoint", "header", "expected"),
    [
        (OPENAI, None, {"Authorization": f"Bearer {KEY}"}),
        (CUSTOM, None, {"Authorization": f"Bearer {KEY}"}),
        (AZURE, None, {"api-key": KEY}),
        (PREVIEW, None, {"api-key": KEY}),
        (AZURE, "bearer", {"Authorization": f"Bearer {KEY}"}),
        (CUSTOM, "api-key", {"api-key": KEY}),
    ],
)
async def test_a_key_goes_where_its_service_looks(
    endpoint: dict[str, Any], header: str | None, expected: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Azure has a header of its own, everybody else takes a bearer token, and `auth.header` decides otherwise."""
    monkeypatch.setenv("A_KEY", KEY)
    auth = {"kind": "api-key", "api_key": {"env": "A_KEY"}, **({"header": header} if header else {})}

    assert await credential_headers(profile(endpoint, auth)) == expected


async def test_a_key_that_is_not_there_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    """The reference's own error comes through."""
    monkeypatch.delenv("A_KEY", raising=False)
    with pytest.raises(SecretError, match="A_KEY is not set"):
        await credential_headers(profile(OPENAI, {"kind": "api-key", "api_key": {"env": "A_KEY"}}))


async def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without azure-identity the profile is told what to install."""
    monkeypatch.setitem(sys.modules, "azure.core.exceptions", None)
    with pytest.raises(ProfileError, match="azure-identity is not installed") as caught:
        await credential_headers(profile(AZURE, {"kind": "entra"}))

    assert caught.value.hint == install_command("azure")
    assert caught.value.exit_code == 78


@pytest.mark.parametrize("kind", ["env", "file", "command"])
async def test_a_client_secret_buys_a_token(entra: Entra, kind: str, tmp_path: Path) -> None:
    """The secret comes from a reference of any kind; the token goes into a bearer header and is hidden from logs."""
    (tmp_path / "secret").write_text("made-up-client-secret\n")
    reference: dict[str, Any] = {
        "env": "CLIENT_SECRET",
        "file": tmp_path / "secret",
        "command": ["cat", str(tmp_path / "secret")],
    }
    patience = {"timeout_s": PATIENCE_S} if kind == "command" else {}
    wanted = entra.profile(credential="client-secret", client_secret={kind: reference[kind], **patience})

    headers = await credential_headers(wanted)

    assert list(headers) == ["Authorization"]
    assert headers["Authorization"].startswith("Bearer tok-")
    assert redaction.redact(headers["Authorization"]) == "Bearer [hidden]"
    (request,) = (line for line in entra.requests() if line.startswith("POST"))
    assert "/tenant/oauth2/v2.0/token" in request
    assert SCOPE in request


async def test_the_scope_is_a_setting(entra: Entra) -> None:
    """Both of Azure's scopes are in use."""
    scope = "https://ai.azure.com/.default"
    wanted = entra.profile(credential="client-secret", client_secret={"env": "CLIENT_SECRET"}, scope=scope)
    await credential_headers(wanted)

    assert any(scope in line for line in entra.requests())


async def test_a_token_is_fetched_once(entra: Entra) -> None:
    """Fifty sessions that start together, and one that comes later, share one request."""
    wanted = entra.profile(credential="client-secret", client_secret={"env": "CLIENT_SECRET"})
    found: list[str] = []

    async def fetch() -> None:
        found.append((await credential_headers(wanted))["Authorization"])

    async with anyio.create_task_group() as tasks:
        for _ in range(50):
            tasks.start_soon(fetch)
    await fetch()

    assert (len(found), len(set(found))) == (51, 1)
    assert len([line for line in entra.requests() if line.startswith("POST")]) == 1


async def test_a_refused_token_is_fetched_past_the_cache(entra: Entra) -> None:
    """Once more than azure-identity would."""
    wanted = entra.profile(credential="client-secret", client_secret={"env": "CLIENT_SECRET"})

    cached = [await credential_headers(wanted) for _ in range(2)]
    fresh = await credential_headers(wanted, is_fresh=True)

    assert cached[0] == cached[1] != fresh


@pytest.mark.timeout(120)
async def test_tokens_of_a_minute_serve_twenty_reconnects(entra: Entra, entra_program: Path, tmp_path: Path) -> None:
    """Each connection comes with a token of its own, which no other connection has shown."""
    seen: set[str] = set()

    def door(request: Request) -> Response | None:
        token = request.headers["Authorization"]
        if token in seen:
            return refusal(401, "expired_token")
        seen.add(token)
        return None

    async def script(peer: Peer) -> None:
        await peer.greet()
        await peer.until("response.create")
        await peer.answer("yes", response_id=f"resp_{len(seen)}", item_id=f"item_{len(seen)}")

    with stand_in(entra_program, tmp_path, "60") as minute:
        auth = minute.profile(credential="client-secret", client_secret={"env": "CLIENT_SECRET"}).auth
        reconnect = {"max_attempts": 1000, "initial_delay_s": 0.01, "max_delay_s": 0.01}
        run = {"reconnect": reconnect, "history": {"max_items": 0}}
        async with serving(script, door=door) as (port, _):
            wanted = profile_for(port, run=run).model_copy(update={"auth": auth.model_copy()})
            endpoint = wanted.endpoint.model_copy(update={"ca_file": Path(minute.ca_file)})
            async with open_session(wanted.model_copy(update={"endpoint": endpoint})) as session:
                while session.epoch <= 20:
                    await session.say("Still there?")
                    await session.wait_answered()

    assert len(seen) >= 21


async def test_a_managed_identity_asks_the_machine(entra: Entra, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a virtual machine the metadata service hands out tokens, to a named identity where one is named."""
    monkeypatch.setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", entra.metadata)
    wanted = entra.profile(credential="managed-identity", tenant_id=None, authority=None, client_id="identity")

    assert (await credential_headers(wanted))["Authorization"].startswith("Bearer mi-")
    assert any("client_id=identity" in line for line in entra.requests())


async def test_a_workload_identity_shows_its_file(
    entra: Entra, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In Kubernetes a projected token stands for the secret."""
    (tmp_path / "token").write_text("an assertion")
    monkeypatch.setenv("AZURE_FEDERATED_TOKEN_FILE", str(tmp_path / "token"))
    headers = await credential_headers(entra.profile(credential="workload-identity"))

    assert headers["Authorization"].startswith("Bearer tok-")
    assert any("client_assertion" in line for line in entra.requests())


def certificate() -> bytes:
    """A key and its certificate, as Entra ID knows an application by."""
    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "client")])
    now = datetime.now(UTC)
    made = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now, now).sign(
        key, hashes.SHA256()
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return private + made.public_bytes(pem)


PROGRAMS = {
    "az": '{"accessToken": "cli", "expires_on": 4070908800, "tokenType": "Bearer"}',
    "azd": '{"token": "cli", "expiresOn": "2099-01-01T00:00:00Z"}',
    "pwsh": "azsdk%cli%4070908800",
}
"""What the programs of Azure print that know who is logged in."""


@pytest.mark.parametrize(
    ("credential", "token"),
    [
        ("default", "tok-"),
        ("environment", "tok-"),
        ("client-certificate", "tok-"),
        ("managed-identity", "mi-"),
        ("azure-cli", "cli"),
        ("azure-developer-cli", "cli"),
        ("azure-powershell", "cli"),
    ],
)
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_every_kind_of_credential_buys_a_token(
    entra: Entra, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, credential: str, token: str
) -> None:
    """From the environment, with a certificate, in an App Service, and of whoever is logged in on this machine."""
    given: dict[str, Any] = {}
    match credential:
        case "default" | "environment":
            names = {"AZURE_TENANT_ID": "tenant", "AZURE_CLIENT_ID": "client", "AZURE_CLIENT_SECRET": "made-up-secret"}
            for name, value in names.items():
                monkeypatch.setenv(name, value)
        case "client-certificate":
            given["certificate_file"] = tmp_path / "certificate.pem"
            given["certificate_file"].write_bytes(certificate())
        case "managed-identity":
            monkeypatch.setenv("IDENTITY_ENDPOINT", f"{entra.metadata}/msi/token")
            monkeypatch.setenv("IDENTITY_HEADER", "made-up-header")
        case _:
            for name, printed in PROGRAMS.items():
                (tmp_path / name).write_text(f"#!/bin/sh\necho '{printed}'\n")
                (tmp_path / name).chmod(0o755)
            monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")

    headers = await credential_headers(entra.profile(credential=credential, **given))

    assert headers["Authorization"].startswith(f"Bearer {token}")


async def test_a_refused_secret_is_reported(entra: Entra, monkeypatch: pytest.MonkeyPatch) -> None:
    """Entra's first line is repeated, the secret is not, and no restart will help (77)."""
    monkeypatch.setenv("CLIENT_SECRET", "bad")
    wanted = entra.profile(credential="client-secret", client_secret={"env": "CLIENT_SECRET"})
    with pytest.raises(AccessRefused, match="AADSTS7000215: Invalid client secret provided") as caught:
        await credential_headers(wanted)

    assert caught.value.exit_code == 77
    assert "role on the resource" in caught.value.hint


@pytest.mark.parametrize("credential", ["environment", "azure-cli", "azure-powershell", "azure-developer-cli"])
async def test_an_identity_that_is_not_set_up_is_refused(
    entra: Entra, credential: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """The message names the credential; azure-identity's own warnings stay out of standard error."""
    monkeypatch.setenv("PATH", str(tmp_path))
    wanted = entra.profile(credential=credential, authority=None, client_id=None)
    with pytest.raises(AccessRefused, match=f"Entra ID refused the credential `{credential}`"):
        await credential_headers(wanted)

    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("auth", "words"),
    [
        ({"credential": "workload-identity"}, "cannot be used: WorkloadIdentityCredential"),
        ({"credential": "client-certificate", "certificate_file": "/nowhere/c.pem"}, "No such file"),
    ],
)
async def test_a_credential_that_cannot_be_made_is_a_problem_of_the_profile(
    entra: Entra, auth: dict[str, Any], words: str
) -> None:
    """No restart mends it (78)."""
    with pytest.raises(ProfileError, match=words) as caught:
        await credential_headers(entra.profile(**auth))

    assert caught.value.exit_code == 78
    assert entra.requests() == []


async def test_a_projected_token_that_is_not_there_is_a_problem_of_the_profile(
    entra: Entra, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is read only when the token is asked for."""
    monkeypatch.setenv("AZURE_FEDERATED_TOKEN_FILE", "/nowhere/token")
    with pytest.raises(ProfileError, match="/nowhere/token"):
        await credential_headers(entra.profile(credential="workload-identity"))


@pytest.mark.parametrize(
    ("status", "body", "kind", "exit_code"),
    [
        ("200 OK", "starting up", EndpointUnreachable, 69),
        (
            "400 Bad Request",
            '{"error": "invalid_request", "error_description": "Identity not found"}',
            AccessRefused,
            77,
        ),
    ],
)
async def test_a_machines_identity_service_may_come_up_later(
    entra: Entra, monkeypatch: pytest.MonkeyPatch, status: str, body: str, kind: type[Exception], exit_code: int
) -> None:
    """At boot it may not serve yet, so it refuses nothing; that there is no such identity is its last word."""
    answer = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n{body}".encode()
    async with listening(answering(answer)) as port:
        monkeypatch.setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", f"http://127.0.0.1:{port}")
        wanted = entra.profile(credential="managed-identity", tenant_id=None, authority=None, client_id=None)
        with pytest.raises(RunnerError) as caught:
            await credential_headers(wanted)

    assert (type(caught.value), caught.value.exit_code) == (kind, exit_code)


async def test_entra_is_asked_through_the_endpoints_proxy(entra: Entra) -> None:
    """With its password, which no log shows; the machine's own identity service is asked directly."""
    port = int(entra.authority.rpartition(":")[2])
    proxy = Proxy(port)
    async with listening(proxy.connect) as proxy_port:
        address = f"http://user:made-up-password@127.0.0.1:{proxy_port}"
        wanted = entra.profile(proxy=address, credential="client-secret", client_secret={"env": "CLIENT_SECRET"})
        headers = await credential_headers(wanted)

    assert headers["Authorization"].startswith("Bearer tok-")
    assert proxy.asked[0].startswith(b"CONNECT localhost:%d " % port)
    assert b"Proxy-Authorization: Basic" in proxy.asked[0]
    assert redaction.redact("made-up-password") == "[hidden]"


async def test_an_authority_that_is_not_trusted_is_out_of_reach(entra: Entra) -> None:
    """Without `endpoint.ca_file` the stand-in's certificate fails; that is the network's fault and no refusal (69)."""
    wanted = entra.profile(ca_file=None, credential="client-secret", client_secret={"env": "CLIENT_SECRET"})
    with pytest.raises(EndpointUnreachable, match="certificate verify failed") as caught:
        await credential_headers(wanted)

    assert caught.value.exit_code == 69
    assert not [line for line in entra.requests() if line.startswith("POST")]


async def test_an_authority_that_is_down_is_out_of_reach(entra: Entra, unused_port: int) -> None:
    """A service that starts before its network must be worth a restart, so this is no refusal either."""
    authority = f"https://localhost:{unused_port}"
    wanted = entra.profile(authority=authority, credential="client-secret", client_secret={"env": "CLIENT_SECRET"})
    with pytest.raises(EndpointUnreachable, match="Connection refused"):
        await credential_headers(wanted)


async def test_an_authority_that_hangs_is_given_up(entra: Entra, monkeypatch: pytest.MonkeyPatch) -> None:
    """`auth.timeout_s` bounds the whole of it, though azure-identity itself would wait for minutes."""
    # The thread goes on for a while, and must not keep the tests that follow waiting.
    monkeypatch.setattr(credentials, "_one_at_a_time", threading.Lock())
    async with await anyio.create_tcp_listener(local_host="127.0.0.1") as silent:
        port = silent.extra(anyio.abc.SocketAttribute.local_port)  # noqa: S610  # no Django here
        authority, secret = f"https://localhost:{port}", {"env": "CLIENT_SECRET"}
        wanted = entra.profile(timeout_s=0.5, authority=authority, credential="client-secret", client_secret=secret)
        started_s = time.monotonic()
        with pytest.raises(EndpointUnreachable, match=r"Entra ID gave no token within 0\.5 s"):
            await credential_headers(wanted)

        assert time.monotonic() - started_s < PROMPT_S


@pytest.fixture
async def unused_port() -> int:
    """A port where nobody listens."""
    async with await anyio.create_tcp_listener(local_host="127.0.0.1") as listener:
        return int(listener.extra(anyio.abc.SocketAttribute.local_port))  # noqa: S610  # no Django here
