"""Asks each line of standard input in a session of its own, a few at a time: `many_sessions.py < questions.txt`."""

import sys

import anyio

from runner import Profile, RunnerError, load_profile, open_session

AT_ONCE = 10


async def main(profile: Profile, questions: list[str]) -> int:
    """Ask all questions; returns how many got no answer."""
    slots = anyio.Semaphore(AT_ONCE)
    failures = 0

    async def ask(question: str) -> None:
        nonlocal failures
        async with slots:
            try:
                async with open_session(profile) as session:
                    print(f"{question} {await session.ask(question)}")
            except RunnerError as error:
                failures += 1
                print(f"{question}: {error.message} {error.hint}".rstrip(), file=sys.stderr)

    async with anyio.create_task_group() as tasks:
        for question in questions:
            tasks.start_soon(ask, question)
    return failures


if __name__ == "__main__":
    try:
        loaded = load_profile(sys.argv[1] if len(sys.argv) > 1 else "local")
    except RunnerError as error:
        sys.exit(f"{error.message}; {error.hint}" if error.hint else error.message)
    questions = [line for line in sys.stdin.read().splitlines() if line.strip()]
    sys.exit(anyio.run(main, loaded.profile, questions) > 0)
