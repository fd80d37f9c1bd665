"""``python -m sscl_geo``: the same command line as ``sscl-geo``."""

from sscl_geo.cli.main import main

if __name__ == "__main__":
    raise SystemExit(main())
