"""The prices of the tea house, over HTTP: a service of others that a tool asks."""

import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import parse_qs, urlsplit

PRICES = {"tea": "4.20", "cake": "5.10"}


class Prices(BaseHTTPRequestHandler):
    """Answers `GET /price?item=…`."""

    def do_GET(self) -> None:
        """Say what the item costs, or that it is not on the menu."""
        item = parse_qs(urlsplit(self.path).query).get("item", [""])[0]
        price = PRICES.get(item)
        body = f"{item} costs {price}" if price else "not on the menu"
        self.send_response(200 if price else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())


if __name__ == "__main__":
    HTTPServer(("127.0.0.1", int((*sys.argv, "8756")[1])), Prices).serve_forever()
