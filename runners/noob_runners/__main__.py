"""``python -m noob_runners``, the same as ``noob-runners``."""

from __future__ import annotations

import sys

from noob_runners.command import main

if __name__ == "__main__":  # worker processes that are spawned import this module
    sys.exit(main())
