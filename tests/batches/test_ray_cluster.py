"""The way to a Ray cluster, without one: what is wrong is said before Ray is asked."""

import socket
from importlib.util import find_spec

import pytest

from runner.batches import ray_cluster
from runner.batches.ray_cluster import connected
from runner.batches.ray_workers import ray_crew
from runner.batches.worker_process import WorkerTask
from runner.errors import EndpointUnreachable, ProfileError, RunnerError, UsageError
from runner.installation import install_command
from runner.profile.load import load_profile

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("anyio_backend", ["asyncio"])]


@pytest.mark.parametrize("address", ["ray://127.0.0.1:10001", "head", "head:", ":6379", "head:port"])
async def test_an_address_is_that_of_a_head(address: str) -> None:
    """A host and a port."""
    with pytest.raises(UsageError, match="is no address of a Ray cluster"):
        async with connected(address):
            pass


async def test_a_cluster_that_is_not_there_is_known_at_once() -> None:
    """Ray itself would try for ever."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(EndpointUnreachable, match=f"no Ray cluster answers at 127.0.0.1:{port}"):
        async with connected(f"127.0.0.1:{port}"):
            pass


async def test_no_cluster_is_asked_for_no_rows() -> None:
    """A batch that has all its results is over at once."""
    async with ray_crew(WorkerTask(load_profile("local"), "error", "json"), 0, address="127.0.0.1:1") as crew:
        assert len(crew.workers) == 1


@pytest.mark.skipif(find_spec("ray") is not None, reason="needs a machine without Ray")
async def test_what_is_missing_is_named_with_the_command_that_adds_it() -> None:
    """Ray is an extra."""
    with pytest.raises(ProfileError, match="needs the extra `ray`") as caught:
        async with connected(None):
            pass

    assert caught.value.hint == install_command("ray")


@pytest.mark.parametrize(
    ("raised", "error", "told"),
    [
        (ProfileError("it is missing"), ProfileError, "it is missing"),
        (
            ConnectionError("no\nsuch  cluster"),
            EndpointUnreachable,
            "cannot connect to the Ray cluster auto: no such cluster",
        ),
    ],
)
async def test_what_ray_says_is_told_in_one_line(
    monkeypatch: pytest.MonkeyPatch, raised: Exception, error: type[RunnerError], told: str
) -> None:
    """Whatever it raises, where the connection is waited for."""

    def refuse(_address: str | None, _folder: str | None) -> None:
        raise raised

    monkeypatch.setattr(ray_cluster, "_connect", refuse)
    with pytest.raises(error) as caught:
        async with connected("auto"):
            pass

    assert caught.value.message == told
