"""One tick of nested chains in Numba: see `kernels.nested_reference`.

Layers of level 1 read what streams were before the tick, so each of them, with all that it holds and for each sample,
goes through its inner ticks by itself: threads share them, and meet once a tick, before level 1 speaks.
"""

from __future__ import annotations

import math
from typing import Any

from numba import config, njit, prange

from kernels import TINY
from kernels.cpu import SHARED_FROM, bounded, furthest, half_difference, observe, square_sum, use_threads
from kernels.tanh import tanh_of
from kernels.walk import FAST, through


@njit(error_model="numpy", fastmath=FAST)
def _listen(
    R: Any, W: Any, drive: Any, below: Any, given: Any, z: Any, own: Any, reads: Any, p: Any, columns: int
) -> None:
    """z of one layer and sample, and what follows from it for the displacements. Rows of scratch `p`:

    0-1 credit g, 2-4 R o and then the whole push, 5-6 R^T g, 7-9 W u and then tanh(push), 10-11 W^T g, 12-14 the
    inflow, 15-16 what arrives at the stream from above, 17-18 what rises from the Block, 19-20 second-order remainder,
    21-22 what comes down to the inflow.
    """
    one, tiny = z.dtype.type(1), z.dtype.type(TINY)
    for c in range(1, columns):
        for i in range(z.shape[1]):
            p[c - 1, i] = (one - z[0, i] * z[0, i]) * z[c, i]
    through(R, given, p[2:5], p[0:2], p[5:7], columns, 1, W)
    through(W, below, p[7:10], p[0:2], p[10:12], columns, 1, R)
    for c in range(columns):
        for i in range(z.shape[1]):
            p[2 + c, i] = own * p[2 + c, i] + reads * p[7 + c, i]
    for i in range(z.shape[1]):
        p[2, i] += drive[i]
    free = z[0]
    tanh_of(p[2], free)
    for c in range(1, columns):
        push, turn, curved = p[2 + c], p[7 + c], p[18 + c]
        tanh_of(push, turn)
        for i in range(free.size):
            slope = one - free[i] * free[i]
            curved[i] = slope * (turn[i] / max(one + free[i] * turn[i], tiny) - push[i])


@njit(error_model="numpy", fastmath=FAST)
def _hand_down(z: Any, s: Any, ways: Any, p: Any, down: Any, back: Any, has_block: bool, columns: int) -> None:
    """down = keep ds + reads W^T g; back = own R^T g + mix ds, which moves z of a layer that holds no Block."""
    own, reads, keep, mix, two = ways[0], ways[1], ways[2], ways[3], z.dtype.type(2)
    for c in range(1, columns):
        for i in range(z.shape[1]):
            down[c - 1, i] = keep * s[c, i] + reads * p[9 + c, i]
            pull = own * p[4 + c, i] + mix * s[c, i]
            if has_block:
                back[c - 1, i] = pull
            else:
                z[c, i] = bounded(pull + p[18 + c, i], two)


@njit(error_model="numpy", fastmath=FAST)
def _speak(z: Any, s: Any, below: Any, given: Any, ways: Any, p: Any, has_block: bool, columns: int) -> None:
    """s of one layer and sample, and dz of a holder."""
    keep, mix, reach, two = ways[2], ways[3], ways[4], z.dtype.type(2)
    for i in range(z.shape[1]):
        s[0, i] = keep * below[0, i] + mix * given[0, i]
    for c in range(1, columns):
        for i in range(z.shape[1]):
            s[c, i] = bounded(p[14 + c, i], reach)
            if has_block:
                z[c, i] = bounded(p[16 + c, i] + p[18 + c, i], two)


@njit(error_model="numpy", fastmath=FAST)
def _block_tick(
    R: Any, W: Any, links: Any, ways: Any, program: Any, begin: int, root: int, drive: Any, old: Any, z: Any, s: Any,
    products: Any, b: int, columns: int,
) -> None:  # fmt: skip
    """A layer of level 1 listens, and all that it holds ticks. `old`: streams before the tick."""
    for step in range(-1, len(program)):
        level = program[step, 0] if step >= 0 else 0
        speaks = step >= 0 and program[step, 1] == 1
        for k in range(root, begin - 1, -1):
            if links[k, 0] != level:
                continue
            under, holder, last = links[k, 1], links[k, 2], links[k, 4]
            p = products[k, b]
            if under >= 0:
                below = s[under, b] if level > 0 else old[under, b]
            else:
                below = z[holder, b] if holder >= 0 else p[12:15]
            given = z[k, b] if last < 0 else s[last, b]
            if speaks:
                _speak(z[k, b], s[k, b], below, given, ways[k], p, last >= 0, columns)
                continue
            _listen(R[k], W[k], drive[k, b], below, given, z[k, b], ways[k, 0], ways[k, 1], p, columns)
            down = p[21:23]
            if under >= 0:
                down = products[under, b, 15:17]
            elif holder >= 0:
                down = products[holder, b, 17:19]
            back = products[last, b, 15:17] if last >= 0 else p[5:7]
            _hand_down(z[k, b], s[k, b], ways[k], p, down, back, last >= 0, columns)


@njit(error_model="numpy", parallel=True, nogil=True, cache=True, fastmath=FAST)
def _listening(
    R: Any, W: Any, links: Any, roots: Any, ways: Any, program: Any, drive: Any, inflow: Any, force: Any, z: Any,
    s: Any, z_out: Any, s_out: Any, products: Any, columns: int,
) -> None:  # fmt: skip
    """Everything but the last step of level 1."""
    samples, tops = z.shape[1], len(roots)
    for part in prange(tops * samples):
        number, b = part // samples, part % samples
        begin, root = roots[number, 0], roots[number, 1]
        for k in range(begin, root + 1):
            z_out[k, b] = z[k, b]
            s_out[k, b] = s[k, b]
        p = products[root, b]
        if number == 0:
            p[12, :] = inflow[b]
            p[13:15, :] = 0
        if number == tops - 1:
            for i in range(p.shape[1]):
                p[15, i], p[16, i] = force[b, i], -force[b, i]
        _block_tick(R, W, links, ways, program, begin, root, drive, s, z_out, s_out, products, b, columns)


@njit(error_model="numpy", parallel=True, nogil=True, cache=True, fastmath=FAST)
def _speaking(
    links: Any, roots: Any, ways: Any, z: Any, s: Any, z_out: Any, s_out: Any, velocity: Any, flips: Any, sums: Any,
    products: Any, columns: int,
) -> None:  # fmt: skip
    """Level 1 speaks, and what the tick has done is measured."""
    samples = z.shape[1]
    for part in prange(len(roots) * samples):
        number, b = part // samples, part % samples
        begin, root = roots[number, 0], roots[number, 1]
        under, last = links[root, 1], links[root, 4]
        p = products[root, b]
        below = s[under, b] if under >= 0 else p[12:15]
        given = z_out[root, b] if last < 0 else s_out[last, b]
        _speak(z_out[root, b], s_out[root, b], below, given, ways[root], p, last >= 0, columns)
        for k in range(begin, root + 1):
            new, stream = z_out[k, b], s_out[k, b]
            observe(new[0], z[k, b, 0], velocity[k, b], flips[k, b], sums[k, b])
            sums[k, b, 2] = half_difference(stream[1], stream[2])
            moved = max(furthest(new[0], z[k, b, 0]), furthest(stream[0], s[k, b, 0]))
            shifted = max(
                max(furthest(new[1], z[k, b, 1]), furthest(new[2], z[k, b, 2])),
                max(furthest(stream[1], s[k, b, 1]), furthest(stream[2], s[k, b, 2])),
            )
            sound = math.isfinite(sums[k, b, 0] + sums[k, b, 1] + square_sum(stream[0]))
            sums[k, b, 3] = moved if sound else math.nan
            sums[k, b, 4] = shifted if math.isfinite(sums[k, b, 2]) else math.nan


def nested_tick(
    R: Any, W: Any, links: Any, roots: Any, ways: Any, program: Any, drive: Any, inflow: Any, force: Any, z: Any,
    s: Any, z_out: Any, s_out: Any, velocity: Any, flips: Any, sums: Any, products: Any, columns: int,
) -> None:  # fmt: skip
    """See `kernels.nested_reference.nested_tick`; products: (L, B, 23, N) scratch of the state's dtype."""
    steps = (len(program) + 2) / (2 * (1 + links[:, 0].max()))
    use_threads(config.NUMBA_NUM_THREADS if R.size * z.shape[1] * steps >= SHARED_FROM else 1)
    _listening(R, W, links, roots, ways, program, drive, inflow, force, z, s, z_out, s_out, products, columns)
    _speaking(links, roots, ways, z, s, z_out, s_out, velocity, flips, sums, products, columns)
