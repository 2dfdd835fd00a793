"""Lines and columns are those that an editor shows, and both TOML readers say the same."""

import toml_rs
import tomli

from runner.profile.positions import Positions
from tests.conftest import REPOSITORY

TEXT = '''# a comment
"é" = { a = 1, b = [1, { x = 2 }] }
[endpoint]
kind = "azure"
text = """
[not.a.header]
"""
a.b = 5
[[outputs]]
kind = "a"
[[outputs]]  # the second
  sub = { c = 1 }
[outputs.deep]
value = 3
key = 4
'''


def test_keys_values_and_headers_have_positions() -> None:
    """Characters are counted, not bytes; headers inside texts are none."""
    positions = Positions(TEXT)

    assert positions.value(("é", "b", 1, "x")) == (2, 30)
    assert positions.key(("endpoint", "kind")) == (4, 1)
    assert positions.value(("endpoint", "kind")) == (4, 8)
    assert positions.key(("endpoint", "a")) == (8, 3)
    assert positions.table(("endpoint",)) == (3, 1)
    assert positions.table(("outputs", 1)) == (11, 1)
    assert positions.value(("outputs", 1, "sub", "c")) == (12, 15)
    assert positions.table(("outputs", 1, "deep")) == (13, 1)
    assert positions.value(("outputs", 1, "deep", "key")) == (15, 7)
    assert positions.table(("not",)) is None


def test_both_readers_agree() -> None:
    """The one that validates and the one that locates read the same data."""
    texts = [path.read_text() for path in REPOSITORY.glob("**/*.toml")]
    texts += [
        TEXT,
        TEXT.replace("\n", "\r\n"),
        'a = "\\e\\u00e9"\nb = {x = 1,\n}\n',
        "d = 1979-05-27T07:32:00Z\nf = 1e5\n",
    ]

    for text in texts:
        assert tomli.loads(text) == toml_rs.loads(text)
