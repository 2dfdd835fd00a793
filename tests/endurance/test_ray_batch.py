"""A node of a Ray cluster ends in the middle of a batch."""

import tempfile
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.endurance.ray_batch import ended_node


@pytest.mark.long
@pytest.mark.skipif(find_spec("ray") is None, reason="needs the extra `ray`")
def test_a_node_that_ends_takes_along_what_it_ran_and_nothing_else() -> None:
    """Every row has one result; what had begun is tried again only when that is asked for."""
    with tempfile.TemporaryDirectory(prefix="ray-", dir="/tmp") as name:  # sockets have short paths
        found = ended_node(Path(name), 90, sessions_a_minute=600)

    first, again = found["one_node_ends"], found["tried_again"]
    assert (first["results"], first["rows"], first["begun_twice"]) == (90, 90, [])
    assert first["succeeded"] + first["lost"] == 90
    assert (again["results"], again["rows"], again["written_down"], again["exit_code"]) == (90, 90, 90, 0)
    assert found["begun_twice_without_being_lost"] == []
