"""What the receptionist can look up."""

HOURS = {"saturday": "from 10 to 14", "sunday": "not at all"}


def opening_hours(day: str = "today") -> dict[str, str]:
    """When somebody is there.

    Args:
        day: A day of the week in English, or `today`.
    """
    return {"day": day, "hours": HOURS.get(day.lower(), "from 9 to 18")}
