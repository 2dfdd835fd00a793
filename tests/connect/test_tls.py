"""TLS contexts: built once, and faults of their files named."""

import os
import ssl
from pathlib import Path

import pytest

from runner.connect import tls
from runner.connect.tls import tls_context
from runner.errors import ProfileError
from runner.settings.endpoint import ClientCertificate
from tests.helpers.transport_peers import Pki


def test_the_default_context_is_shared_and_strict() -> None:
    """All connections with default settings use one context, which checks certificates and names."""
    context = tls_context()

    assert context is tls_context(None, None)
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname


def test_each_choice_of_files_has_its_own_context(pki: Pki) -> None:
    """The same files share a context, other files do not, and only the bundle is trusted."""
    client = ClientCertificate(file=pki.directory / "client.crt", key_file=pki.directory / "client.key")
    context = tls_context(pki.authority)

    assert context is tls_context(pki.authority, None)
    assert context.cert_store_stats()["x509_ca"] == 1
    assert context is not tls_context()
    assert context is not tls_context(pki.authority, client)
    assert tls_context(None, client) is tls_context(None, client)
    assert tls_context(None, ClientCertificate(file=pki.directory / "client.pem")) is not tls_context()


def test_a_rotated_file_is_read_again(pki: Pki, tmp_path: Path) -> None:
    """A long-lived process notices that a bundle was replaced."""
    bundle = tmp_path / "bundle.pem"
    bundle.write_bytes(pki.authority.read_bytes())
    before = tls_context(bundle)
    os.utime(bundle, (1, 1))

    assert tls_context(bundle) is not before


def test_a_machine_without_authorities_uses_certifi(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A container without a certificate store can still check public certificates."""
    empty = tmp_path / "empty"
    empty.mkdir()
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))
    monkeypatch.setenv("SSL_CERT_DIR", str(empty))

    tls._context.cache_clear()
    try:
        assert tls_context().cert_store_stats()["x509_ca"] > 50
    finally:
        tls._context.cache_clear()


@pytest.mark.parametrize("content", [None, b"", b"no certificate", b"-----BEGIN CERTIFICATE-----\nxx\n"])
def test_a_bad_bundle_is_named(tmp_path: Path, content: bytes | None) -> None:
    """A missing or broken bundle is a fault of the profile, with the path."""
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(ProfileError, match=str(path)) as caught:
        tls_context(path)
    assert "endpoint.ca_file" in caught.value.hint


def test_a_directory_is_no_bundle(tmp_path: Path) -> None:
    """Pointing at a directory is named like any other fault."""
    with pytest.raises(ProfileError, match=str(tmp_path)):
        tls_context(tmp_path)


def test_a_pipe_is_no_bundle(tmp_path: Path) -> None:
    """Reading it would block the loop until somebody writes, and find nothing the second time."""
    os.mkfifo(tmp_path / "ca.pem")
    with pytest.raises(ProfileError, match=r"ca\.pem is not a regular file"):
        tls_context(tmp_path / "ca.pem")


@pytest.mark.parametrize("place", ["missing/keys.log", ""])
def test_a_log_of_keys_that_cannot_be_written_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, place: str
) -> None:
    """Not the certificates, which are there."""
    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / place))
    tls._context.cache_clear()
    with pytest.raises(ProfileError, match=r"SSLKEYLOGFILE names .*, which cannot be written: ") as caught:
        tls_context()

    assert "unset SSLKEYLOGFILE" in caught.value.hint


@pytest.mark.parametrize("name", ["absent.pem", "client.crt", "authority.pem", "client.locked.pem"])
def test_a_bad_client_certificate_is_named(pki: Pki, name: str) -> None:
    """A missing, keyless or locked certificate is a fault of the profile, and nobody is asked for a password."""
    with pytest.raises(ProfileError, match=name) as caught:
        tls_context(None, ClientCertificate(file=pki.directory / name))
    assert "endpoint.client_certificate" in caught.value.hint


def test_a_key_of_another_certificate_is_named(pki: Pki) -> None:
    """Certificate and key must belong together."""
    with pytest.raises(ProfileError, match=r"client\.crt and .*server\.key"):
        tls_context(None, ClientCertificate(file=pki.directory / "client.crt", key_file=pki.directory / "server.key"))
