"""A server of files with byte ranges, as storage services have them."""

import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest


class RangeHandler(SimpleHTTPRequestHandler):
    """Serves byte ranges, as storage services do, and remembers what was asked for."""

    def log_message(self, *_: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def _answer(self, *, with_body: bool) -> None:
        path = self.translate_path(self.path)
        self.server.asked.append((self.command, self.path, self.headers.get("Range")))
        self.server.signed.append(self.headers.get("Authorization", ""))
        if "busy" in self.path and self.server.busy > 0:
            self.server.busy -= 1
            return self.send_error(503)
        allowed = "signature=1" in self.path or "Credential=KEY/" in self.server.signed[-1]
        if "secret" in self.path and not allowed:
            return self._refuse(403, "AccessDenied", "Access Denied")
        if not Path(path).is_file():
            return self._refuse(404, "NoSuchKey", "The specified key does not exist.")
        content = Path(path).read_bytes()
        span = self.headers.get("Range")
        first, last = 0, len(content) - 1
        if span:
            begin, _, end = span.removeprefix("bytes=").partition("-")
            first, last = int(begin), min(int(end or last), last)
            if first > last:
                return self.send_error(416)
        self.send_response(206 if span else 200)
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(last - first + 1))
        if span:
            self.send_header("Content-Range", f"bytes {first}-{last}/{len(content)}")
        self.end_headers()
        if with_body:
            self.wfile.write(content[first : last + 1])
            self.server.sent += last - first + 1
        return None

    def _refuse(self, status: int, code: str, message: str) -> None:
        """Answer as S3 does, whose errors are XML."""
        body = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>".encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/xml")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)


@pytest.fixture
def server(tmp_path: Path, monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(RangeHandler, directory=tmp_path))
    server.asked, server.signed, server.sent, server.busy = [], [], 0, 0
    server.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def bucket(server, tmp_path: Path, monkeypatch) -> Path:
    """Folder that the server shows as a public S3 bucket named ``bucket``."""
    options = {
        "AWS_S3_ENDPOINT": server.url.removeprefix("http://"),
        "AWS_HTTPS": "NO",
        "AWS_VIRTUAL_HOSTING": "FALSE",
        "AWS_NO_SIGN_REQUEST": "YES",
    }
    for name, value in options.items():
        monkeypatch.setenv(name, value)
    folder = tmp_path / "bucket"
    folder.mkdir()
    return folder
