"""A web server on this machine, good or bad."""

import contextlib
import http.server
import threading

import pytest

from mininet.datasets import download


class Server(http.server.ThreadingHTTPServer):
    """Serves `files` by path, and does in turn, request after request, what `faults` says; after that no more wrong.

    A fault is a number of bytes after which the connection breaks, a status like "503", or "silent" for no answer.
    """

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.files, self.faults, self.redirections = {}, [], {}
        self.ranges, self.sends_length, self.keeps_open = True, True, False
        self.requests = []  # the Range of each, or None
        self.end = threading.Event()

    def url(self, path):
        return f"http://127.0.0.1:{self.server_address[1]}{path}"

    def handle_error(self, request, client_address):
        pass  # the client went away


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        server, header = self.server, self.headers["Range"]
        server.requests.append(header)
        fault = server.faults.pop(0) if server.faults else None
        self.close_connection = not server.keeps_open
        if fault == "silent":
            server.end.wait(10)
            return
        if self.path in server.redirections:
            return self.answer(302, Location=server.redirections[self.path])
        if isinstance(fault, str):
            return self.answer(int(fault))
        if self.path not in server.files:
            return self.answer(404)
        whole = server.files[self.path]
        start = int(header.removeprefix("bytes=").removesuffix("-")) if header and server.ranges else 0
        if start and start >= len(whole):
            return self.answer(416)
        body = whole[start:]
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(whole) - 1}/{len(whole)}")
        if server.sends_length:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body if fault is None else body[:fault])
        self.wfile.flush()
        if server.keeps_open:
            server.end.wait(10)

    def answer(self, status, **headers):
        self.send_response(status)
        for name, value in {**headers, "Content-Length": "0"}.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, *arguments):
        pass


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr(download, "WAIT", 0)
    monkeypatch.setattr(download, "TIMEOUT", 5)
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        with contextlib.ExitStack() as stack:
            stack.callback(thread.join)
            stack.callback(server.shutdown)
            stack.callback(server.end.set)
            yield server
