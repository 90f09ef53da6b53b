"""One tick of each chain in Numba: each weight is read once (`kernels.walk`), for both directions and all columns.

Functions are module-level and cached on disk; they release the GIL. Sums are reordered (fast-math without the
assumption that there is no NaN), so results differ from the reference by rounding.

Small networks are ticked by one thread: two gain little there, and a spinning team collapses to the scheduler's
quantum (16 ms a tick were measured) when a neighbour, say the software renderer of a window, holds one of the cores.
So a team waits asleep, but not at once: waking a thread costs 45 us, twice in a tick that may take 200, and a spin of a
few microseconds bridges the gap to the next parallel region.
"""

from __future__ import annotations

import math
import os
import threading
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "passive")
os.environ.setdefault("GOMP_SPINCOUNT", "2000")

from numba import config, njit, prange, set_num_threads

from kernels import FLIP_THRESHOLD, TINY
from kernels.tanh import tanh_in_place, tanh_of
from kernels.walk import FAST, backward, forward, through

SHARED_FROM = 2_000_000
"""Ticks of at least this many weights times samples are shared by all threads, smaller ones done by one."""


@njit(error_model="numpy", fastmath=True)
def furthest(new: Any, old: Any) -> Any:
    """Largest |new - old|; meaningless where there is a NaN."""
    largest = new.dtype.type(0)
    for i in range(new.size):
        largest = max(largest, abs(new[i] - old[i]))
    return largest


@njit(error_model="numpy", fastmath=FAST)
def square_sum(x: Any) -> float:
    """Sum of squares."""
    total = 0.0
    for i in range(x.size):
        total += x[i] * x[i]
    return total


@njit(error_model="numpy", fastmath=FAST)
def observe(new: Any, old: Any, velocity: Any, flips: Any, sums: Any) -> None:
    """Velocity, its sign changes and the first two reductions of a layer's activation going from `old` to `new`."""
    for i in range(new.size):
        change = new[i] - old[i]
        turned = (change * velocity[i] < 0) & (abs(change) > FLIP_THRESHOLD)
        flips[i] = min(flips[i] + 1, 255) * turned
        velocity[i] = change
    sums[0] = square_sum(new)
    sums[1] = square_sum(velocity)


@njit(error_model="numpy", fastmath=FAST)
def half_difference(plus: Any, minus: Any) -> float:
    """Sum of squares of the centred nudge."""
    total = 0.0
    for i in range(plus.size):
        half = (plus[i] - minus[i]) / 2
        total += half * half
    return total


@njit(error_model="numpy", fastmath=FAST)
def combine(factor: Any, x: Any, y: Any, out: Any) -> None:
    """out = factor x + y."""
    for i in range(out.size):
        out[i] = factor * x[i] + y[i]


@njit(error_model="numpy")
def copy(x: Any, out: Any) -> None:
    """out = x; assigning a slice would look for overlaps and take seven times as long."""
    for i in range(out.size):
        out[i] = x[i]


@njit(error_model="numpy", fastmath=FAST)
def _relax(speed: Any, target: Any, new: Any) -> None:
    """new <- speed (target - new) + new."""
    for i in range(new.size):
        new[i] = speed * (target[i] - new[i]) + new[i]


@njit(error_model="numpy", inline="always")
def bounded(value: Any, bound: Any) -> Any:
    """The value, kept within +-bound."""
    return bound if value > bound else (-bound if value < -bound else value)


@njit(error_model="numpy", fastmath=FAST)
def credit_of(z: Any, s: Any, share: Any, columns: int, g: Any) -> None:
    """g_c = (1 - z0^2)(dz_c + ds_c / sqrt(L)) for the nudged columns."""
    one = z.dtype.type(1)
    for c in range(1, columns):
        for i in range(z.shape[1]):
            g[c - 1, i] = (one - z[0, i] * z[0, i]) * (z[c, i] + share * s[c, i])


@njit(error_model="numpy", fastmath=FAST)
def displaced_block(
    free: Any, push: Any, turn: Any, back: Any, above: Any, gain: Any, share: Any, reach: Any, dz: Any, ds: Any
) -> None:
    """Displacements of one block: J^T d plus the second-order remainder of the forward map, bounded."""
    one, two, tiny = free.dtype.type(1), free.dtype.type(2), free.dtype.type(TINY)
    for i in range(free.size):
        curved = (one - free[i] * free[i]) * (turn[i] / max(one + free[i] * turn[i], tiny) - push[i])
        dz[i] = bounded(gain * back[i] + curved, two)
        ds[i] = bounded(above[i] + share * curved, reach)


@njit(error_model="numpy", parallel=True, nogil=True, cache=True, fastmath=FAST)
def _recursive_products(R: Any, W: Any, inflow: Any, z: Any, s: Any, products: Any, columns: int) -> None:
    """The matrix half of the tick. Rows of `products` per layer and sample.

    0-1 credit g, 2-4 R z and then the whole push, 5-6 R^T g, 7-9 W s_below and then tanh(push), 10-11 W^T g,
    12-14 the inflow and then what comes from above, 15 zeros.
    """
    layers, samples = z.shape[:2]
    share = z.dtype.type(1 / math.sqrt(layers))
    for k in prange(layers):
        for b in range(samples):
            p = products[k, b]
            credit_of(z[k, b], s[k, b], share, columns, p[0:2])
            if k == 0:
                p[12, :] = inflow[b]
                p[13:15, :] = 0
            below = s[k - 1, b] if k > 0 else p[12:15]
            through(R[k], z[k, b], p[2:5], p[0:2], p[5:7], columns, 1, W[k])
            through(W[k], below, p[7:10], p[0:2], p[10:12], columns, 1, R[min(k + 1, layers - 1)])


@njit(error_model="numpy", parallel=True, nogil=True, cache=True, fastmath=FAST)
def _recursive_update(
    drive: Any, inflow: Any, force: Any, sigma: float, z: Any, s: Any, z_out: Any, s_out: Any,
    velocity: Any, flips: Any, sums: Any, products: Any, columns: int,
) -> None:  # fmt: skip
    """The element-wise half of the tick, from the rows 0 to 11 of `products`."""
    layers, samples = z.shape[:2]
    kind = z.dtype.type
    gain, one = kind(sigma), kind(1)
    share = kind(1 / math.sqrt(layers))
    reach = kind(2 * math.sqrt(layers))
    for k in prange(layers):
        for b in range(samples):
            p = products[k, b]
            below = s[k - 1, b] if k > 0 else p[12:15]
            free, stream = z_out[k, b, 0], s_out[k, b, 0]
            combine(gain, p[2], p[7], p[2])
            combine(one, p[2], drive[k, b], p[2])
            tanh_of(p[2], free)
            combine(share, free, below[0], stream)
            observe(free, z[k, b, 0], velocity[k, b], flips[k, b], sums[k, b])
            moved = max(furthest(free, z[k, b, 0]), furthest(stream, s[k, b, 0]))
            nudged = 0.0
            for c in range(1, 3):
                if columns == 1:
                    copy(z[k, b, c], z_out[k, b, c])
                    copy(s[k, b, c], s_out[k, b, c])
                    continue
                push, turn, above = p[2 + c], p[7 + c], p[12 + c]
                combine(gain, push, turn, push)
                tanh_of(push, turn)
                if k < layers - 1:
                    combine(one, s[k + 1, b, c], products[k + 1, b, 9 + c], above)
                else:
                    combine(one if c == 1 else -one, force[b], p[15], above)
                dz, ds = z_out[k, b, c], s_out[k, b, c]
                displaced_block(free, push, turn, p[4 + c], above, gain, share, reach, dz, ds)
                nudged = max(nudged, furthest(dz, z[k, b, c]), furthest(ds, s[k, b, c]))
            sums[k, b, 2] = half_difference(s_out[k, b, 1], s_out[k, b, 2])
            sound = math.isfinite(sums[k, b, 0] + sums[k, b, 1] + square_sum(stream))
            sums[k, b, 3] = moved if sound else math.nan
            sums[k, b, 4] = nudged if math.isfinite(sums[k, b, 2]) else math.nan


@njit(error_model="numpy", fastmath=FAST)
def displaced(free: Any, turn: Any) -> None:
    """turn <- tanh(a + push) - tanh(a) from free = tanh(a) and turn = tanh(push), without cancellation."""
    one, tiny = free.dtype.type(1), free.dtype.type(TINY)
    for i in range(turn.size):
        turn[i] = (one - free[i] * free[i]) * turn[i] / max(one + free[i] * turn[i], tiny)


@njit(error_model="numpy", fastmath=FAST)
def _hopfield_target(
    pulls: Any, below: Any, drive: Any, force: Any, half_gain: Any, leverage: Any, c: int, free: Any, out: Any
) -> None:
    """out = F of one layer and column, from W s_below in `below` and W_above^T s_above in `pulls`.

    For a displacement column `free` is the free copy's F, and `force` is what the top layer feels (else zero).
    """
    felt = drive if c == 0 else force
    sign = out.dtype.type(-1 if c == 2 else 1)
    for i in range(out.size):
        out[i] = leverage * (half_gain * (below[i] + pulls[i]) + sign * felt[i])
    tanh_in_place(out)
    if c > 0:
        displaced(free, out)


@njit(error_model="numpy", parallel=True, nogil=True, cache=True, fastmath=FAST)
def _hopfield_products(W: Any, inflow: Any, s: Any, products: Any, columns: int) -> None:
    """Rows of `products` per layer and sample: 0-2 W s_below, 3-5 W^T s, 6-8 the inflow and then F, 9 nothing."""
    layers, samples = s.shape[:2]
    for k in prange(layers):
        for b in range(samples):
            p = products[k, b]
            if k == 0:
                p[6, :] = inflow[b]
                p[7:9, :] = 0
            p[9, :] = 0
            below = s[k - 1, b] if k > 0 else p[6:9]
            through(W[k], below, p[0:3], s[k, b], p[3:6], columns, 0, W[min(k + 1, layers - 1)])


@njit(error_model="numpy", parallel=True, nogil=True, cache=True, fastmath=FAST)
def _hopfield_update(
    drive: Any, force: Any, sigma: float, omega: float, s: Any, s_out: Any,
    velocity: Any, flips: Any, sums: Any, products: Any, columns: int,
) -> None:  # fmt: skip
    """The element-wise half of the tick, from the rows 0 to 5 of `products`."""
    layers, samples = s.shape[:2]
    kind = s.dtype.type
    half_gain, speed = kind(sigma / 2), kind(omega)
    accelerated = omega != 1
    for k in prange(layers):
        for b in range(samples):
            p = products[k, b]
            top = k == layers - 1
            felt = force[b] if top else p[9]
            leverage = kind(2 if top else 1)
            nudged = moved = 0.0
            for c in range(3):
                new, old, target = s_out[k, b, c], s[k, b, c], p[6 + c]
                if c >= columns:
                    copy(old, new)
                    continue
                pulls = p[9] if top else products[k + 1, b, 3 + c]
                _hopfield_target(pulls, p[c], drive[k, b], felt, half_gain, leverage, c, p[6], target)
                if accelerated:
                    _relax(speed, target, new)
                else:
                    copy(target, new)
                if c == 0:
                    moved = furthest(new, old)
                    observe(new, old, velocity[k, b], flips[k, b], sums[k, b])
                else:
                    nudged = max(nudged, furthest(new, old))
            sums[k, b, 2] = half_difference(s_out[k, b, 1], s_out[k, b, 2])
            sums[k, b, 3] = moved if math.isfinite(sums[k, b, 0] + sums[k, b, 1]) else math.nan
            sums[k, b, 4] = nudged if math.isfinite(sums[k, b, 2]) else math.nan


@njit(error_model="numpy", parallel=True, nogil=True, cache=True, fastmath=FAST)
def _hopfield_red_black(
    W: Any, drive: Any, inflow: Any, force: Any, sigma: float, omega: float, s: Any, s_out: Any,
    velocity: Any, flips: Any, sums: Any, products: Any, columns: int,
) -> None:  # fmt: skip
    """Rows of `products` as in `_hopfield_products`."""
    layers, samples = s.shape[:2]
    kind = s.dtype.type
    half_gain, speed = kind(sigma / 2), kind(omega)
    s_out[...] = s
    for parity in range(2):
        for h in prange((layers + 1 - parity) // 2):
            k = 2 * h + parity
            top = k == layers - 1
            leverage = kind(2 if top else 1)
            for b in range(samples):
                p = products[k, b]
                p[9, :] = 0
                if k > 0:
                    forward(W[k], s_out[k - 1, b], p[0:3], columns)
                else:
                    p[6, :] = inflow[b]
                    forward(W[k], p[6:7], p[0:1], 1)
                    p[1:3, :] = 0
                if not top:
                    backward(W[k + 1], s_out[k + 1, b], p[3:6], columns)
                felt = force[b] if top else p[9]
                nudged = moved = 0.0
                for c in range(columns):
                    new, old, target = s_out[k, b, c], s[k, b, c], p[6 + c]
                    pulls = p[9] if top else p[3 + c]
                    _hopfield_target(pulls, p[c], drive[k, b], felt, half_gain, leverage, c, p[6], target)
                    _relax(speed, target, new)
                    if c == 0:
                        moved = furthest(new, old)
                        observe(new, old, velocity[k, b], flips[k, b], sums[k, b])
                    else:
                        nudged = max(nudged, furthest(new, old))
                sums[k, b, 2] = half_difference(s_out[k, b, 1], s_out[k, b, 2])
                sums[k, b, 3] = moved if math.isfinite(sums[k, b, 0] + sums[k, b, 1]) else math.nan
                sums[k, b, 4] = nudged if math.isfinite(sums[k, b, 2]) else math.nan


_team = threading.local()


def use_threads(count: int) -> None:
    """Let the calling thread's ticks run on `count` threads; asking Numba each time would cost 4 us a tick."""
    if getattr(_team, "size", None) != count:
        set_num_threads(count)
        _team.size = count


def _spread(weights: Any, samples: int) -> None:
    use_threads(config.NUMBA_NUM_THREADS if weights.size * samples >= SHARED_FROM else 1)


def recursive_tick(
    R: Any, W: Any, drive: Any, inflow: Any, force: Any, sigma: float, z: Any, s: Any, z_out: Any, s_out: Any,
    velocity: Any, flips: Any, sums: Any, products: Any, columns: int,
) -> None:  # fmt: skip
    """See `kernels.reference.recursive_tick`; products: (L, B, 16, N) scratch of the state's dtype."""
    _spread(R, z.shape[1])
    _recursive_products(R, W, inflow, z, s, products, columns)
    _recursive_update(drive, inflow, force, sigma, z, s, z_out, s_out, velocity, flips, sums, products, columns)


def hopfield_tick(
    W: Any, drive: Any, inflow: Any, force: Any, sigma: float, omega: float, s: Any, s_out: Any,
    velocity: Any, flips: Any, sums: Any, products: Any, columns: int,
) -> None:  # fmt: skip
    """See `kernels.reference.hopfield_tick`; products: (L, B, 10, N) scratch of the state's dtype."""
    _spread(W, s.shape[1])
    _hopfield_products(W, inflow, s, products, columns)
    _hopfield_update(drive, force, sigma, omega, s, s_out, velocity, flips, sums, products, columns)


def recursive_update(*arguments: Any) -> None:
    """The element-wise half of a recursive tick whose products were made elsewhere, by all threads."""
    use_threads(config.NUMBA_NUM_THREADS)
    _recursive_update(*arguments)


def hopfield_update(*arguments: Any) -> None:
    """The element-wise half of a Hopfield tick whose products were made elsewhere, by all threads."""
    use_threads(config.NUMBA_NUM_THREADS)
    _hopfield_update(*arguments)


def hopfield_red_black_tick(W: Any, drive: Any, *rest: Any) -> None:
    """See `kernels.reference.hopfield_red_black_tick`; products: (L, B, 10, N) scratch of the state's dtype."""
    _spread(W, drive.shape[1])
    _hopfield_red_black(W, drive, *rest)
