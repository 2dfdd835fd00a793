"""TLS contexts: trusted authorities and client certificates, one context a process for each choice of files."""

import functools
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from runner.errors import ProfileError, reason_of
from runner.settings.endpoint import ClientCertificate

if TYPE_CHECKING:
    import ssl


def tls_context(ca_file: Path | None = None, client_certificate: ClientCertificate | None = None) -> "ssl.SSLContext":
    """The TLS context for these files, built once a process and again only when a file has changed.

    Args:
        ca_file: A PEM bundle to trust instead of the system's authorities.
        client_certificate: The certificate to show to the endpoint.

    Raises:
        ProfileError: A file is missing, unreadable or not in PEM.
    """
    if client_certificate is None:
        return _context(_stamp(ca_file, "ca_file"), None, None)
    return _context(
        _stamp(ca_file, "ca_file"),
        _stamp(client_certificate.file, "client_certificate.file"),
        _stamp(client_certificate.key_file, "client_certificate.key_file"),
    )


def _stamp(path: Path | None, key: str) -> tuple[Path, int] | None:
    """The file and the time of its last change, so that a rotated certificate is noticed at the next connection."""
    if path is None:
        return None
    try:
        status = path.stat()
    except OSError as error:
        msg = f"cannot read {path}: {reason_of(error).lower()}"
        raise ProfileError(msg, hint=f"check `endpoint.{key}`") from None
    if not stat.S_ISREG(status.st_mode):
        # A pipe would be waited for without end, and would be empty the second time.
        raise ProfileError(f"{path} is not a regular file", hint=f"check `endpoint.{key}`")
    return path, status.st_mtime_ns


@functools.lru_cache(maxsize=16)
def _context(
    ca_file: tuple[Path, int] | None, certificate: tuple[Path, int] | None, key: tuple[Path, int] | None
) -> "ssl.SSLContext":
    import ssl

    try:
        context = ssl.create_default_context(cafile=ca_file[0] if ca_file else None)
    except (ssl.SSLError, OSError) as error:
        raise _unusable(ca_file[0] if ca_file else None, error) from None
    if ca_file is None and not _has_authorities(context):
        import certifi

        context.load_verify_locations(certifi.where())
    if certificate is not None:
        try:
            context.load_cert_chain(certificate[0], key[0] if key else None, password=_no_password)
        except (ssl.SSLError, OSError, ValueError) as error:
            files = " and ".join(str(file[0]) for file in (certificate, key) if file)
            msg = f"{files} cannot be used as a client certificate: {_explained(error)}"
            hint = "`endpoint.client_certificate` needs a certificate and its unencrypted private key in PEM"
            raise ProfileError(msg, hint=hint) from None
    return context


def _unusable(ca_file: Path | None, error: Exception) -> ProfileError:
    """Why there is no context: Python writes the keys of sessions where SSLKEYLOGFILE says, and reads authorities."""
    log = os.environ.get("SSLKEYLOGFILE")
    if log and getattr(error, "filename", None) == log:
        msg = f"SSLKEYLOGFILE names {log}, which cannot be written: {_explained(error)}"
        return ProfileError(msg, hint="unset SSLKEYLOGFILE, or name a file that can be written")
    if ca_file is None:
        msg = f"the system's certificates cannot be read: {_explained(error)}"
        return ProfileError(msg, hint="`endpoint.ca_file` names authorities to trust instead of the system's")
    msg = f"{ca_file} holds no certificates in PEM: {_explained(error)}"
    return ProfileError(msg, hint="check `endpoint.ca_file`")


def _has_authorities(context: "ssl.SSLContext") -> bool:
    """Whether the system offers any authority; OpenSSL reads a directory of them only when it needs one."""
    import ssl

    directory = ssl.get_default_verify_paths().capath
    return bool(context.cert_store_stats()["x509_ca"]) or any(Path(directory).iterdir() if directory else ())


def _no_password() -> str:
    """An answer for OpenSSL, which would otherwise ask for the password on the terminal."""
    return ""


def _explained(error: Exception) -> str:
    """Why files cannot be used: OpenSSL's reason, such as `NO_START_LINE`, in words, or the operating system's."""
    return str(getattr(error, "reason", None) or reason_of(error)).replace("_", " ").lower()
