"""The secrets that rt-run knows, and text without them.

The code that resolves a secret calls `hide` before any other code can use it; whatever shows text to people passes it
through `redact` first.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Final

MASK: Final = "[hidden]"
"""What stands in place of a secret, wherever rt-run shows text."""
GRACE_S: Final = 600.0
"""How long a secret stays hidden after its last use, in seconds: text that holds it may still be on its way."""

_SHORTEST_SECRET = 4


class Secrets:
    """The secrets that no text may show; one that is in use no more is forgotten after a time of grace.

    Args:
        clock: The time, in seconds.

    Attributes:
        spellings: Each secret as it is and as it looks quoted, the longest first: one may be the beginning of another.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.spellings: tuple[str, ...] = ()
        self._clock = clock
        self._known: dict[str, tuple[str, ...]] = {}
        self._uses: Counter[str] = Counter()
        self._latest: dict[Hashable, str] = {}
        self._released_s: dict[str, float] = {}
        self._lock = threading.Lock()

    def hide(self, secret: str, slot: Hashable = None) -> None:
        """Hide a secret: for good, or until the slot gets another one; below 4 characters none."""
        with self._lock:
            before = None if slot is None else self._latest.get(slot)
            if len(secret) < _SHORTEST_SECRET or secret == before:
                return
            self._use(secret)
            if slot is not None:
                self._latest[slot] = secret
            if before is not None:
                self._release(before)

    @contextmanager
    def hidden(self, secrets: Iterable[str]) -> Iterator[None]:
        """Hide secrets for the length of the block."""
        used = [each for each in secrets if len(each) >= _SHORTEST_SECRET]
        with self._lock:
            for secret in used:
                self._use(secret)
        try:
            yield
        finally:
            with self._lock:
                for secret in used:
                    self._release(secret)

    def _use(self, secret: str) -> None:
        self._uses[secret] += 1
        self._released_s.pop(secret, None)
        if secret not in self._known:
            # Every command imports this module, and only few know a secret.
            import json
            from urllib.parse import quote

            self._known[secret] = (
                secret,
                json.dumps(secret)[1:-1],
                repr(secret)[1:-1],
                quote(secret, safe="", errors="surrogateescape"),
            )
            self._forget()

    def _release(self, secret: str) -> None:
        self._uses[secret] -= 1
        if not self._uses[secret]:
            del self._uses[secret]
            self._released_s[secret] = self._clock()

    def _forget(self) -> None:
        now_s = self._clock()
        for secret, released_s in list(self._released_s.items()):
            if now_s - released_s > GRACE_S:
                del self._released_s[secret], self._known[secret]
        spellings = {each for known in self._known.values() for each in known}
        self.spellings = tuple(sorted(spellings, key=len, reverse=True))


_secrets = Secrets()


def hide(secret: str, *, slot: Hashable = None) -> None:
    """Keep a secret, as it is or quoted, out of every log line and message from now on; below 4 characters none.

    Args:
        secret: The secret.
        slot: What the secret is renewed for, such as the reference that it comes from. The next secret of the same slot
            replaces it, and `GRACE_S` later it is no longer hidden, unless a block of `hidden` still uses it. Without
            a slot it stays hidden.
    """
    _secrets.hide(secret, slot)


def hidden(secrets: Iterable[str]) -> AbstractContextManager[None]:
    """Keep secrets out of every log line and message for the length of the block, and `GRACE_S` longer."""
    return _secrets.hidden(secrets)


def redact(text: str) -> str:
    """The text with every known secret masked."""
    for secret in _secrets.spellings:
        if secret in text:
            text = text.replace(secret, MASK)
    return text


def excerpt(text: str, longest: int) -> str:
    """The text without secrets, and then cut to so many letters; cut first, it could keep a part of a secret."""
    text = redact(text)
    return text if len(text) <= longest else f"{text[: longest - 1]}…"
