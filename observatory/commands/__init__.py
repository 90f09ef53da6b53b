"""The command line's subcommands, one file each.

Each file offers `add(subcommands)`, which describes its arguments, and a `run(arguments) -> int` that does the work.
What is slow to import (Qt, Numba, SciPy) is imported inside `run`, so that `--help` answers at once.
"""
