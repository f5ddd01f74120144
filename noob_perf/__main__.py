"""``python -m noob_perf``, the same as ``noob-perf``."""

from __future__ import annotations

import sys

from noob_perf.cli import main

sys.exit(main())
