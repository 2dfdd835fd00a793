"""Texts that come at the same time and are shown one after another."""


class TextQueue:
    """Streams of text, each on lines of its own: the first is shown as it comes, the others wait for their turn."""

    def __init__(self) -> None:
        self._waiting: dict[str, list[str]] = {}
        """What was not shown yet of each stream, in order; the first is the one being shown."""
        self._over: set[str] = set()
        self._is_midway = False

    def begin(self, name: str) -> None:
        """Keep the next place for a stream, unless it has one."""
        self._waiting.setdefault(name, [])

    def add(self, name: str, text: str) -> list[str]:
        """Add to a stream; returns what is to be shown now."""
        self._waiting.setdefault(name, []).append(text)
        return self._shown()

    def end(self, name: str) -> list[str]:
        """Nothing more comes of a stream; returns what is to be shown now."""
        if name in self._waiting:
            self._over.add(name)
        return self._shown()

    def end_all(self) -> list[str]:
        """Nothing more comes at all; returns what is still to be shown."""
        self._over |= self._waiting.keys()
        return self._shown()

    def _shown(self) -> list[str]:
        pieces: list[str] = []
        while self._waiting:
            name = next(iter(self._waiting))
            pieces += self._waiting[name]
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
