"""The tickets of the tea house: an MCP server, as anybody writes one with the official library."""

from mcp.server import MCPServer

server = MCPServer("tickets")
tickets: list[str] = []


@server.tool()
def write_ticket(text: str) -> str:
    """Write down what the guest is not content with."""
    tickets.append(text)
    return f"Ticket {len(tickets)}: {text}"


if __name__ == "__main__":
    server.run()
