"""A map on a plain web server, nginx, read from afar: only the ranges that are needed travel."""

import shutil
import socket
import subprocess
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import rasterio
from rasterio.enums import Resampling

PACKAGES = "nginx-light"
_NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")

_CONFIG = """
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{}}
http {{
  log_format ranges '$status $body_bytes_sent $uri';
  access_log {folder}/access.log ranges;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  server {{ listen 127.0.0.1:{port}; root {root}; }}
}}
"""


def check(map_path: Path, scratch: Path) -> Iterator[str]:
    """Yield what was found, a line each; raise AssertionError where it is not as it should be."""
    folder = scratch / "nginx"
    folder.mkdir()
    yield _version()
    layers = (map_path, map_path.with_suffix(".confidence.tif"))
    with _serving(map_path.parent, folder) as address:
        for path in layers:
            size = path.stat().st_size
            for what, read in (("a window of 256 x 256", _window), ("an overview", _overview)):
                before = len(_requests(folder))
                with (
                    rasterio.Env(
                        GDAL_DISABLE_READDIR_ON_OPEN="EMPTY_DIR",
                        VSI_CACHE=False,
                        CPL_VSIL_CURL_NON_CACHED="/vsicurl/",
                        GDAL_HTTP_VERSION="1.1",
                    ),
                    rasterio.open(f"/vsicurl/{address}/{path.name}") as source,
                    rasterio.open(path) as local,
                ):
                    _expect(np.array_equal(read(source), read(local)), f"{what} differs")
                asked = [r for r in _requests(folder)[before:] if r[2].endswith(path.name)]
                parts = [number for status, number, _ in asked if status == 206]
                whole = [number for status, number, _ in asked if status == 200 and number]
                _expect(bool(parts) and not whole, f"{what}: the whole file was sent, {asked}")
                share = sum(parts) / size
                yield (
                    f"{path.name}, {what}: {len(parts)} ranges, {sum(parts):,} of {size:,} bytes "
                    f"({100 * share:.0f} %), same pixels"
                )
                # GDAL asks for 16 kB at least, so small files may travel whole.
                _expect(
                    size < 200_000 or share < 0.5, f"{what} took {100 * share:.0f} % of the file"
                )


def missing() -> list[str]:
    """Programs that are not installed."""
    return [] if _NGINX else ["nginx"]


def _window(source: rasterio.DatasetReader) -> np.ndarray:
    return source.read(1, window=((700, 956), (900, 1156)))


def _overview(source: rasterio.DatasetReader) -> np.ndarray:
    shape = (source.height // 4, source.width // 4)
    return source.read(1, out_shape=shape, resampling=Resampling.nearest)


@contextmanager
def _serving(root: Path, folder: Path) -> Generator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    config = folder / "nginx.conf"
    config.write_text(_CONFIG.format(folder=folder, root=root, port=port), encoding="utf-8")
    server = subprocess.Popen(  # noqa: S603 - the path of nginx
        [str(_NGINX), "-c", str(config), "-e", str(folder / "error.log")]
    )
    try:
        for _ in range(100):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(10)


def _requests(folder: Path) -> list[tuple[int, int, str]]:
    """Status, bytes and path of each request so far."""
    time.sleep(0.1)  # the log is written after the answer
    lines = (folder / "access.log").read_text(encoding="utf-8").splitlines()
    parts = (line.split(" ", 2) for line in lines)
    return [(int(status), int(sent), path) for status, sent, path in parts]


def _version() -> str:
    told = subprocess.run(  # noqa: S603 - as above
        [str(_NGINX), "-v"], check=True, capture_output=True, text=True
    )
    return told.stderr.strip()


def _expect(condition: bool, what: str) -> None:
    if not condition:
        raise AssertionError(what)
