"""One live session: the engine, and the inputs and outputs beside it."""
