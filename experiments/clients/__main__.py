"""Give a map to every client that is installed, and record what each made of it.

Usage: python -m experiments.clients [--record]
"""

import subprocess
import sys
import tempfile
from pathlib import Path

from experiments.clients import browser_client, gdal_client, qgis_client, server_client
from experiments.clients.sample import make_sample

CLIENTS = {
    "gdal": gdal_client,
    "qgis": qgis_client,
    "browser": browser_client,
    "server": server_client,
}
RESULTS = Path(__file__).parents[1] / "results" / "clients"


def main(words: list[str]) -> int:
    """Run all clients; with ``--record`` keep what they said in ``experiments/results/clients``.

    Returns:
        0 if no client complained.
    """
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        map_path = make_sample(Path(folder) / "map")
        for name, client in CLIENTS.items():
            print(f"\n{name}")
            if client.missing():
                print(f"  skipped: no {', '.join(client.missing())} ({client.PACKAGES})")
                continue
            scratch = Path(folder) / name
            scratch.mkdir(mode=0o700)
            said: list[str] = []
            try:
                for line in client.check(map_path, scratch):
                    print(f"  {line}")
                    said.append(line)
            except (AssertionError, subprocess.CalledProcessError) as error:
                print(f"  FAILED: {error}\n{getattr(error, 'stderr', None) or ''}")
                failed += 1
                continue
            if "--record" in words:
                RESULTS.mkdir(parents=True, exist_ok=True)
                (RESULTS / f"{name}.txt").write_text("\n".join(said) + "\n", encoding="utf-8")
    return min(failed, 1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
