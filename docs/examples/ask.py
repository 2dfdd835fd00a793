"""Asks two questions: the first answer comes whole, the second in pieces. `python docs/examples/ask.py [PROFILE]`."""

import sys

import anyio

from runner import RunnerError, open_session


async def main(profile: str) -> None:
    """Ask, and print the answers."""
    async with open_session(profile) as session:
        print(await session.ask("Hello"))
        async for piece in session.stream("What is 2+2?"):
            print(piece, end="", flush=True)
        print()


if __name__ == "__main__":
    try:
        anyio.run(main, sys.argv[1] if len(sys.argv) > 1 else "local")
    except RunnerError as error:
        sys.exit(f"{error.message}; {error.hint}" if error.hint else error.message)
