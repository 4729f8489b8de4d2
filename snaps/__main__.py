"""``python -m snaps``."""

import sys

from snaps.cli import main

if __name__ == "__main__":
    sys.exit(main())
