#!/usr/bin/env python
"""All experiments and the master chart; the same as `observatory suite`, with the same options."""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))
    from observatory.__main__ import main

    sys.argv[1:1] = ["suite"]
    sys.exit(main())
