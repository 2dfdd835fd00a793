"""Measures how soon an answer begins, with a reader: it is called in the callback that brought the event.

`python docs/examples/reader.py [PROFILE]`
"""

import sys
import time

import anyio

from runner import RunnerError, TextDelta, Update, open_session


class FirstPiece:
    """Notes when the first piece of an answer came."""

    def __init__(self) -> None:
        self.at_s = 0.0

    def read(self, update: Update) -> None:
        """Look at an update; a reader must not wait."""
        if not self.at_s and any(isinstance(effect, TextDelta) for effect in update.effects):
            self.at_s = update.at_s


async def main(profile: str) -> None:
    """Ask a question and print how long the first piece of its answer took."""
    first = FirstPiece()
    async with open_session(profile, readers=[first.read]) as session:
        asked_at_s = time.time()
        await session.ask("Hello")
    print(f"The answer began after {(first.at_s - asked_at_s) * 1000:.0f} ms.")


if __name__ == "__main__":
    try:
        anyio.run(main, sys.argv[1] if len(sys.argv) > 1 else "local")
    except RunnerError as error:
        sys.exit(f"{error.message}; {error.hint}" if error.hint else error.message)
