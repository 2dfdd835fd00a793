"""What the function of a tool raises for the model to read."""


class ToolError(Exception):
    """A tool's failure in words for the model; of any other exception the model learns only that there was one."""
