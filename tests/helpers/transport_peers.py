"""Servers and proxies for the tests: real sockets, each as polite or nasty as its script."""

import base64
import contextlib
import datetime
import hashlib
import ipaddress
import ssl
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import anyio.abc
from anyio.streams.buffered import BufferedByteReceiveStream
from anyio.streams.tls import TLSListener
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from websockets.frames import Frame, Opcode
from websockets.streams import StreamReader

from runner.connect.frames import not_utf8
from runner.connect.websocket import WebSocket

LIMIT_S = 150
"""Nothing here takes as long, on whatever machine."""
PROMPT_S = 15
"""Much longer than what is bounded takes on a busy machine, and shorter than what ends it where no bound holds."""
BROKEN = (anyio.BrokenResourceError, anyio.ClosedResourceError, anyio.EndOfStream, anyio.IncompleteRead, OSError)


class Peer:
    """The server's end of one WebSocket, frame by frame."""

    def __init__(self, stream: anyio.abc.ByteStream, request: bytes) -> None:
        self.stream = stream
        self.request = request
        self.is_closed = False
        self._reader = StreamReader()

    async def send(self, opcode: Opcode, payload: bytes = b"", *, fin: bool = True) -> None:
        """Send one frame."""
        await self.stream.send(Frame(opcode, payload, fin).serialize(mask=False))

    async def text(self, *texts: str) -> None:
        """Send text messages in one write."""
        await self.stream.send(b"".join(Frame(Opcode.TEXT, text.encode()).serialize(mask=False) for text in texts))

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Send a close frame."""
        self.is_closed = True
        await self.send(Opcode.CLOSE, code.to_bytes(2) + reason.encode())

    async def frame(self) -> Frame:
        """The client's next frame, which must be masked."""
        parsing = Frame.parse(self._reader.read_exact, mask=True)
        while True:
            try:
                next(parsing)
            except StopIteration as done:
                return done.value  # type: ignore[no-any-return]  # a generator returns Any
            self._reader.feed_data(await self.stream.receive())

    async def hang_up(self) -> None:
        """Cut the connection."""
        await self.stream.aclose()


class Inbox:
    """What a WebSocket hands on, to be waited for one by one."""

    def __init__(self, session: WebSocket) -> None:
        self._session = session
        self._waiting: deque[str] = deque()
        self._news = anyio.Event()

    @classmethod
    async def of(cls, session: WebSocket) -> "Inbox":
        """Listen to a session."""
        inbox = cls(session)
        await session.listen(inbox.take)
        return inbox

    def take(self, message: bytes) -> None:
        """Keep one message."""
        try:
            self._waiting.append(message.decode())
        except UnicodeDecodeError as error:
            raise not_utf8(error) from None
        self._news.set()

    async def receive(self) -> str:
        """The next message; raises what ended the connection once there is none left."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._until_ended)
            while not self._waiting and self._session.close_code is None:
                await self._news.wait()
                self._news = anyio.Event()
            tasks.cancel_scope.cancel()
        if not self._waiting:
            await self._session.ended()
        return self._waiting.popleft()

    async def _until_ended(self) -> None:
        with contextlib.suppress(Exception):
            await self._session.ended()
        self._news.set()


Script = Callable[[Peer], Awaitable[None]]
Handler = Callable[[anyio.abc.ByteStream], Awaitable[None]]


@contextlib.asynccontextmanager
async def listening(handler: Handler, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """Serve connections of a loopback port by the handler, cancelled in the end."""
    listener: Any = await anyio.create_tcp_listener(local_host="127.0.0.1")
    port = listener.extra(anyio.abc.SocketAttribute.local_port)  # noqa: S610  # no Django here
    if tls:
        listener = TLSListener(listener, tls, standard_compatible=False)

    async def handle(stream: anyio.abc.ByteStream) -> None:
        async with stream:
            with contextlib.suppress(*BROKEN):
                await handler(stream)

    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, handle)
        with anyio.fail_after(LIMIT_S):
            yield port
        tasks.cancel_scope.cancel()


async def head(stream: anyio.abc.ByteReceiveStream) -> bytes:
    """An HTTP head, without a byte of what follows it."""
    data = b""
    while not data.endswith(b"\r\n\r\n"):
        data += await stream.receive(1)
    return data


def accept_of(request: bytes) -> str:
    """The right `Sec-WebSocket-Accept` for this request."""
    key = next(line[19:] for line in request.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key: "))
    digest = hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()  # noqa: S324  # RFC 6455 asks for it
    return base64.b64encode(digest).decode()


def upgrade(request: bytes, extra: str = "") -> bytes:
    """The answer that opens a WebSocket."""
    return (
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Accept: {accept_of(request)}\r\n{extra}\r\n"
    ).encode()


def websocket(script: Script) -> Handler:
    """A handler that opens the WebSocket and then does what the script says."""

    async def handle(stream: anyio.abc.ByteStream) -> None:
        request = await head(stream)
        await stream.send(upgrade(request))
        await script(Peer(stream, request))

    return handle


def answering(answer: bytes, keep: list[bytes] | None = None) -> Handler:
    """A handler that answers every request with these bytes and hangs up."""

    async def handle(stream: anyio.abc.ByteStream) -> None:
        request = await head(stream)
        if keep is not None:
            keep.append(request)
        await stream.send(answer)

    return handle


@dataclass
class Proxy:
    """A proxy that remembers what clients said to it, before and after it connected them."""

    port_to: int
    asked: list[bytes] = field(default_factory=list)
    carried: bytearray = field(default_factory=bytearray)
    connections: int = 0

    async def connect(self, stream: anyio.abc.ByteStream) -> None:
        """Serve `CONNECT` of HTTP/1.1."""
        self.connections += 1
        self.asked.append(await head(stream))
        await stream.send(b"HTTP/1.1 200 Connected\r\n\r\n")
        await self._carry(stream)

    async def socks(self, stream: anyio.abc.ByteStream) -> None:
        """Serve SOCKS5 with names, without or with a password."""
        self.connections += 1
        source = BufferedByteReceiveStream(stream)
        _, count = await source.receive_exactly(2)
        methods = await source.receive_exactly(count)
        if b"\x02" in methods:
            await stream.send(b"\x05\x02")
            _, length = await source.receive_exactly(2)
            name = await source.receive_exactly(length)
            (length,) = await source.receive_exactly(1)
            self.asked.append(name + b":" + await source.receive_exactly(length))
            await stream.send(b"\x01\x00")
        else:
            await stream.send(b"\x05\x00")
        version, command, _, kind = await source.receive_exactly(4)
        assert (version, command, kind) == (5, 1, 3)
        (length,) = await source.receive_exactly(1)
        self.asked.append(await source.receive_exactly(length + 2))
        await stream.send(b"\x05\x00\x00\x01\x7f\x00\x00\x01\x00\x00")
        await self._carry(stream)

    async def _carry(self, stream: anyio.abc.ByteStream) -> None:
        async def back(target: anyio.abc.ByteStream) -> None:
            with contextlib.suppress(*BROKEN):
                async for data in target:
                    await stream.send(data)
                await stream.send_eof()

        async with await anyio.connect_tcp("127.0.0.1", self.port_to) as target, anyio.create_task_group() as tasks:
            tasks.start_soon(back, target)
            with contextlib.suppress(*BROKEN):
                async for data in stream:
                    self.carried += data
                    await target.send(data)
                await target.send_eof()


@dataclass(frozen=True)
class Pki:
    """An authority, a server's certificate for localhost and a client's, in files."""

    directory: Path

    @property
    def authority(self) -> Path:
        """The bundle that a client must trust."""
        return self.directory / "authority.pem"

    @property
    def server(self) -> ssl.SSLContext:
        """The server's side of TLS."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.directory / "server.pem")
        return context

    @property
    def mutual(self) -> ssl.SSLContext:
        """The server's side of TLS that wants a client certificate."""
        context = self.server
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(self.authority)
        return context


def make_pki(directory: Path) -> Pki:
    """Write `authority.pem`, `server.pem`, `client.pem` with its key, and the parts of the client's apart."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "rt-run test authority")])
    authority = _certificate(name, name, key.public_key(), key, is_authority=True)
    (directory / "authority.pem").write_bytes(_pem(authority))
    for role in ("server", "client"):
        own = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, role)])
        certificate = _certificate(subject, name, own.public_key(), key, is_authority=False)
        secret = _private(own, serialization.NoEncryption())
        (directory / f"{role}.pem").write_bytes(_pem(certificate) + secret)
        (directory / f"{role}.crt").write_bytes(_pem(certificate))
        (directory / f"{role}.key").write_bytes(secret)
        locked = _private(own, serialization.BestAvailableEncryption(b"made up"))
        (directory / f"{role}.locked.pem").write_bytes(_pem(certificate) + locked)
    return Pki(directory)


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _private(key: ec.EllipticCurvePrivateKey, lock: serialization.KeySerializationEncryption) -> bytes:
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, lock)


def _usage(*, is_authority: bool) -> x509.KeyUsage:
    """What a key is for, which strict verification asks of authorities: the default as of Python 3.13."""
    unused = ("content_commitment", "data_encipherment", "encipher_only", "decipher_only", "key_encipherment")
    rest = dict.fromkeys((*unused, "key_agreement"), False)
    return x509.KeyUsage(digital_signature=True, key_cert_sign=is_authority, crl_sign=is_authority, **rest)


def _certificate(
    subject: x509.Name,
    issuer: x509.Name,
    public: ec.EllipticCurvePublicKey,
    signer: ec.EllipticCurvePrivateKey,
    *,
    is_authority: bool,
) -> x509.Certificate:
    now = datetime.datetime.now(datetime.UTC)
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
        .add_extension(_usage(is_authority=is_authority), critical=True)
        .sign(signer, hashes.SHA256())
    )
