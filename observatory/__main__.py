"""The command line: `observatory` or `python -m observatory`.

Exit codes: 0 done, 1 failed while running, 2 bad use (one line says what), 130 stopped with Ctrl-C.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

# Before NumPy is imported: two BLAS threads beside a busy window slow the engine twentyfold.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from observatory.commands.cli import build_parser, with_default_command
from observatory.commands.errors import UsageError


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code. `argv` leaves out the program's name."""
    name = "observatory"
    try:
        words = with_default_command(list(sys.argv[1:] if argv is None else argv))
        arguments = build_parser().parse_args(words)
        name = f"observatory {arguments.command}".removesuffix(" window")
        code: int = arguments.run(arguments)
        sys.stdout.flush()
    except UsageError as error:
        print(f"{name}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"{name}: stopped", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # The reader has gone (| head). Python would complain again when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (OSError, RuntimeError, MemoryError) as error:
        message = " ".join(str(error).split()) or type(error).__name__
        print(f"{name}: failed: {message}", file=sys.stderr)
        return 1
    return code


if __name__ == "__main__":
    sys.exit(main())
