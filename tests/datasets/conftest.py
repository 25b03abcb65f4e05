"""A web server on this machine, good or bad."""

import http.server
import threading

import pytest

from mininet.datasets import download


class Server(http.server.ThreadingHTTPServer):
    """Serves `files` by path; the next `breaks` times the connection breaks in the middle."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.files, self.breaks, self.requests = {}, 0, 0

    def url(self, path):
        return f"http://127.0.0.1:{self.server_address[1]}{path}"

    def handle_error(self, request, client_address):
        pass  # the client went away


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.requests += 1
        whole = self.server.files.get(self.path)
        self.send_response(404 if whole is None else 200)
        self.send_header("Content-Length", str(len(whole or b"")))
        self.end_headers()
        if whole is not None:
            self.wfile.write(whole[: len(whole) // 2] if self.server.breaks else whole)
            self.server.breaks = max(0, self.server.breaks - 1)

    def log_message(self, *arguments):
        pass


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr(download, "RETRIES", 0)
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()
