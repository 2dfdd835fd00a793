"""The tables of the tea house: a tool that is a Python function."""

from typing import Annotated

from pydantic import Field

SEATS = {"window": 2, "garden": 4, "hall": 8}


def find(guests: Annotated[int, Field(ge=1)]) -> dict[str, str | int]:
    """Find a free table.

    Args:
        guests: How many there are.
    """
    for table, seats in SEATS.items():
        if seats >= guests:
            return {"table": table, "seats": seats}
    return {"problem": "no table is as large"}
