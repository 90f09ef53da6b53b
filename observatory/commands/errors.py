"""What a command raises when it was asked for something impossible."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class UsageError(Exception):
    """Bad use; the message is one line for the person at the terminal, and the exit code is 2."""


@contextmanager
def refusals_are_usage_errors() -> Iterator[None]:
    """Turn the engine's refusals (unknown preset, knob or backend, value out of range) into a UsageError."""
    from engine.knobs import KnobError
    from engine.preset import PresetError
    from kernels.backends import BackendError

    try:
        yield
    except (PresetError, KnobError, BackendError) as error:
        raise UsageError("; ".join(str(error).splitlines())) from error
