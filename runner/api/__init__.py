"""The API's own objects and names: session, items, tools, client events."""
