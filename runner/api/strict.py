"""The base of every table of a profile."""

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A table of the profile: unknown keys are errors, values never change, inputs never appear in messages.

    Its validator is built when it is first used. A default is made by `model_construct`, which needs none of its own.
    """

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
        validate_default=True,
        coerce_numbers_to_str=False,
        defer_build=True,
    )
