"""The Python API: the names that programs may rely on."""

import pytest

import runner
from tests.helpers.peer import Peer, profile_for, serving


def test_the_public_names_are_these() -> None:
    """A change here is a change for users."""
    assert sorted(runner.__all__) == [
        "LoadedProfile",
        "RunnerError",
        "Session",
        "__version__",
        "load_profile",
        "open_session",
    ]
    assert all(getattr(runner, name) for name in runner.__all__)


def test_other_names_are_an_error_of_python() -> None:
    """A mistyped name is no special case."""
    with pytest.raises(AttributeError, match="open_sesion"):
        _ = runner.open_sesion


@pytest.mark.anyio
@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt(), ValueError("mine")])
async def test_what_the_body_raises_leaves_as_it_is(error: BaseException) -> None:
    """No exception of the caller's is wrapped in a group, not even one that ends the program."""

    async def script(peer: Peer) -> None:
        await peer.greet()
        await peer.to_the_end()

    async with serving(script) as (port, _):
        caught: BaseException | None = None
        try:
            async with runner.open_session(profile_for(port)):
                raise error  # noqa: TRY301  # as a program would
        except BaseException as raised:  # noqa: BLE001  # that is the question
            caught = raised
        assert caught is error


@pytest.mark.anyio
async def test_what_is_no_event_is_told_as_such() -> None:
    """A text is no client event."""

    async def script(peer: Peer) -> None:
        await peer.greet()
        await peer.to_the_end()

    async with serving(script) as (port, _), runner.open_session(profile_for(port)) as session:
        with pytest.raises(runner.RunnerError, match="not str"):
            await session.send("Hello")  # type: ignore[arg-type]  # that is the mistake
