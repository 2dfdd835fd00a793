"""Texts that stream at the same time, put into an order in which each stands on lines of its own."""

MAX_STREAMS = 1024
"""How many texts are remembered that are not over; the oldest counts as over when there are more."""
MAX_WAITING_CHARACTERS = 4 * 1024 * 1024
"""How much text waits for the end of the one being shown; when it is more, that one counts as over."""


class TextQueue:
    """Streams of text, each on lines of its own: the first is shown as it comes, the others wait for their turn."""

    def __init__(self) -> None:
        self._waiting: dict[str, list[str]] = {}
        """What was not shown yet of each stream, in order; the first is the one being shown."""
        self._over: set[str] = set()
        self._waiting_characters = 0
        self._is_midway = False

    def begin(self, name: str) -> list[str]:
        """Keep the next place for a stream, unless it has one; returns what is to be shown now."""
        return self.add(name, "")

    def add(self, name: str, text: str) -> list[str]:
        """Add to a stream; returns what is to be shown now."""
        waiting = self._waiting.setdefault(name, [])
        if text:
            waiting.append(text)
            self._waiting_characters += len(text)
        shown = self._next()
        while len(self._waiting) > MAX_STREAMS or self._waiting_characters > MAX_WAITING_CHARACTERS:
            self._over.add(next(iter(self._waiting)))
            shown += self._next()
        return shown

    def end(self, name: str) -> list[str]:
        """Nothing more comes of a stream; returns what is to be shown now."""
        if name in self._waiting:
            self._over.add(name)
        return self._next()

    def end_all(self) -> list[str]:
        """Nothing more comes at all; returns what is still to be shown."""
        self._over |= self._waiting.keys()
        return self._next()

    def _next(self) -> list[str]:
        pieces: list[str] = []
        while self._waiting:
            name = next(iter(self._waiting))
            pieces += self._waiting[name]
            self._waiting_characters -= sum(map(len, self._waiting[name]))
            self._is_midway = self._is_midway or bool(self._waiting[name])
            self._waiting[name] = []
            if name not in self._over:
                break
            if self._is_midway:
                pieces.append("\n")
            del self._waiting[name]
            self._over.discard(name)
            self._is_midway = False
        return pieces
