"""One tick of each chain in Numba: every weight is read once per tick, for both directions and all columns.

A layer's matrix is walked in blocks of four rows a quarter of it apart, so that four streams run through memory side
by side; a block stays in the first-level cache while each column uses it. Functions are module-level and cached on
disk; they release the GIL. Sums are reordered (fast-math without the assumption that there is no NaN), so results
differ from the reference by rounding.

Small networks are ticked by one thread: two gain little there, and a spinning team collapses to the scheduler's
quantum (16 ms a tick were measured) when a neighbour, say the software renderer of a window, holds one of the cores.
"""

from __future__ import annotations

import math
import os
import threading
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "passive")

from numba import config, njit, prange, set_num_threads

from kernels import FLIP_THRESHOLD, TINY
from kernels.half import weight
from kernels.tanh import tanh_of

SHARED_FROM = 2_000_000
"""Ticks of at least this many weights times samples are shared by all threads, smaller ones done by one."""

FAST = {"reassoc", "contract", "nsz", "arcp"}


@njit(error_model="numpy", fastmath=FAST, inline="always")
def _four_rows(A: Any, i: int, quarter: int, x: Any, y: Any) -> None:
    """y[rows] = A[rows] x for the four rows of block i."""
    r0, r1, r2, r3 = A[i], A[i + quarter], A[i + 2 * quarter], A[i + 3 * quarter]
    a0 = a1 = a2 = a3 = x.dtype.type(0)
    for j in range(x.size):
        a0 += weight(r0[j]) * x[j]
        a1 += weight(r1[j]) * x[j]
        a2 += weight(r2[j]) * x[j]
        a3 += weight(r3[j]) * x[j]
    y[i] = a0
    y[i + quarter] = a1
    y[i + 2 * quarter] = a2
    y[i + 3 * quarter] = a3


@njit(error_model="numpy", fastmath=FAST, inline="always")
def _four_rows_back(A: Any, i: int, quarter: int, g: Any, v: Any) -> None:
    """v += A[rows]^T g[rows] for the four rows of block i."""
    r0, r1, r2, r3 = A[i], A[i + quarter], A[i + 2 * quarter], A[i + 3 * quarter]
    g0, g1, g2, g3 = g[i], g[i + quarter], g[i + 2 * quarter], g[i + 3 * quarter]
    for j in range(v.size):
        v[j] += weight(r0[j]) * g0 + weight(r1[j]) * g1 + weight(r2[j]) * g2 + weight(r3[j]) * g3


@njit(error_model="numpy", fastmath=FAST, inline="always")
def _four_rows_both(A: Any, i: int, quarter: int, x: Any, y: Any, g: Any, v: Any) -> None:
    """Both in the same walk."""
    r0, r1, r2, r3 = A[i], A[i + quarter], A[i + 2 * quarter], A[i + 3 * quarter]
    g0, g1, g2, g3 = g[i], g[i + quarter], g[i + 2 * quarter], g[i + 3 * quarter]
    a0 = a1 = a2 = a3 = x.dtype.type(0)
    for j in range(x.size):
        m0, m1, m2, m3 = weight(r0[j]), weight(r1[j]), weight(r2[j]), weight(r3[j])
        a0 += m0 * x[j]
        a1 += m1 * x[j]
        a2 += m2 * x[j]
        a3 += m3 * x[j]
        v[j] += m0 * g0 + m1 * g1 + m2 * g2 + m3 * g3
    y[i] = a0
    y[i + quarter] = a1
    y[i + 2 * quarter] = a2
    y[i + 3 * quarter] = a3


@njit(error_model="numpy", fastmath=FAST, inline="always")
def _four_rows_times_three(A: Any, i: int, quarter: int, X: Any, Y: Any) -> None:
    """Y[c, rows] = A[rows] X[c] for three columns in one walk: twelve sums that stay in registers."""
    r0, r1, r2, r3 = A[i], A[i + quarter], A[i + 2 * quarter], A[i + 3 * quarter]
    x, y, z = X[0], X[1], X[2]
    a0 = a1 = a2 = a3 = b0 = b1 = b2 = b3 = c0 = c1 = c2 = c3 = X.dtype.type(0)
    for j in range(x.size):
        m0, m1, m2, m3 = weight(r0[j]), weight(r1[j]), weight(r2[j]), weight(r3[j])
        u, v, w = x[j], y[j], z[j]
        a0, b0, c0 = a0 + m0 * u, b0 + m0 * v, c0 + m0 * w
        a1, b1, c1 = a1 + m1 * u, b1 + m1 * v, c1 + m1 * w
        a2, b2, c2 = a2 + m2 * u, b2 + m2 * v, c2 + m2 * w
        a3, b3, c3 = a3 + m3 * u, b3 + m3 * v, c3 + m3 * w
    for row, (a, b, c) in enumerate(((a0, b0, c0), (a1, b1, c1), (a2, b2, c2), (a3, b3, c3))):
        at = i + row * quarter
        Y[0, at], Y[1, at], Y[2, at] = a, b, c


@njit(error_model="numpy", fastmath=FAST, inline="always")
def _four_rows_back_two(A: Any, i: int, quarter: int, G: Any, V: Any) -> None:
    """V[c] += A[rows]^T G[c, rows] for two columns in one walk."""
    r0, r1, r2, r3 = A[i], A[i + quarter], A[i + 2 * quarter], A[i + 3 * quarter]
    g0, g1, g2, g3 = G[0, i], G[0, i + quarter], G[0, i + 2 * quarter], G[0, i + 3 * quarter]
    h0, h1, h2, h3 = G[1, i], G[1, i + quarter], G[1, i + 2 * quarter], G[1, i + 3 * quarter]
    v, w = V[0], V[1]
    for j in range(v.size):
        m0, m1, m2, m3 = weight(r0[j]), weight(r1[j]), weight(r2[j]), weight(r3[j])
        v[j] += m0 * g0 + m1 * g1 + m2 * g2 + m3 * g3
        w[j] += m0 * h0 + m1 * h1 + m2 * h2 + m3 * h3


@njit(error_model="numpy", fastmath=FAST)
def _through(A: Any, X: Any, Y: Any, G: Any, V: Any, columns: int, first: int) -> None:
    """One pass over A: Y[c] = A X[c] for c < columns, and V[c - first] = A^T G[c - first] for first <= c < columns."""
    n = A.shape[0]
    quarter = n // 4
    for c in range(columns - first):
        V[c, :] = 0
    for i in range(quarter):
        if columns == 3 and first == 1:
            _four_rows_times_three(A, i, quarter, X, Y)
            _four_rows_back_two(A, i, quarter, G, V)
            continue
        for c in range(first):
            _four_rows(A, i, quarter, X[c], Y[c])
        for c in range(first, columns):
            _four_rows_both(A, i, quarter, X[c], Y[c], G[c - first], V[c - first])
    for i in range(4 * quarter, n):
        for c in range(columns):
            total = X.dtype.type(0)
            for j in range(n):
                total += weight(A[i, j]) * X[c, j]
            Y[c, i] = total
        for c in range(columns - first):
            for j in range(n):
                V[c, j] += weight(A[i, j]) * G[c, i]


@njit(error_model="numpy", fastmath=FAST)
def _forward(A: Any, X: Any, Y: Any, columns: int) -> None:
    """Y[c] = A X[c]."""
    _through(A, X, Y, X, Y, columns, columns)


@njit(error_model="numpy", fastmath=FAST)
def _backward(A: Any, G: Any, V: Any, columns: int) -> None:
    """V[c] = A^T G[c]."""
    n = A.shape[0]
    quarter = n // 4
    for c in range(columns):
        V[c, :] = 0
    for i in range(quarter):
        for c in range(columns):
            _four_rows_back(A, i, quarter, G[c], V[c])
    for i in range(4 * quarter, n):
        for c in range(columns):
            for j in range(n):
                V[c, j] += weight(A[i, j]) * G[c, i]


@njit(error_model="numpy", fastmath=True)
def furthest(new: Any, old: Any) -> Any:
    """Largest |new - old|; meaningless where there is a NaN."""
    largest = new.dtype.type(0)
    for i in range(new.size):
        largest = max(largest, abs(new[i] - old[i]))
    return largest


@njit(error_model="numpy", fastmath=FAST)
def _square_sum(x: Any) -> float:
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
    sums[0] = _square_sum(new)
    sums[1] = _square_sum(velocity)


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
def _displaced_block(
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
            _through(R[k], z[k, b], p[2:5], p[0:2], p[5:7], columns, 1)
            _through(W[k], below, p[7:10], p[0:2], p[10:12], columns, 1)


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
                    z_out[k, b, c, :] = z[k, b, c]
                    s_out[k, b, c, :] = s[k, b, c]
                    continue
                push, turn, above = p[2 + c], p[7 + c], p[12 + c]
                combine(gain, push, turn, push)
                tanh_of(push, turn)
                if k < layers - 1:
                    combine(one, s[k + 1, b, c], products[k + 1, b, 9 + c], above)
                else:
                    combine(one if c == 1 else -one, force[b], p[15], above)
                dz, ds = z_out[k, b, c], s_out[k, b, c]
                _displaced_block(free, push, turn, p[4 + c], above, gain, share, reach, dz, ds)
                nudged = max(nudged, furthest(dz, z[k, b, c]), furthest(ds, s[k, b, c]))
            sums[k, b, 2] = half_difference(s_out[k, b, 1], s_out[k, b, 2])
            sound = math.isfinite(sums[k, b, 0] + sums[k, b, 1] + _square_sum(stream))
            sums[k, b, 3] = moved if sound else math.nan
            sums[k, b, 4] = nudged if math.isfinite(sums[k, b, 2]) else math.nan


@njit(error_model="numpy", fastmath=FAST)
def _displaced_state(free: Any, turn: Any, out: Any) -> None:
    """tanh(a + push) - tanh(a) from free = tanh(a) and turn = tanh(push), without cancellation."""
    one, tiny = free.dtype.type(1), free.dtype.type(TINY)
    for i in range(free.size):
        out[i] = (one - free[i] * free[i]) * turn[i] / max(one + free[i] * turn[i], tiny)


@njit(error_model="numpy", fastmath=FAST)
def _hopfield_target(
    pulls: Any, below: Any, drive: Any, force: Any, half_gain: Any, leverage: Any, c: int, free: Any, out: Any
) -> None:
    """out = F of one layer and column, from W s_below in `below` and W_above^T s_above in `pulls`.

    For a displacement column `free` is the free copy's F, and `force` is what the top layer feels (else zero).
    """
    for i in range(out.size):
        push = half_gain * (below[i] + pulls[i])
        if c == 0:
            push += drive[i]
        elif c == 1:
            push += force[i]
        else:
            push -= force[i]
        out[i] = leverage * push
    tanh_of(out, out)
    if c > 0:
        _displaced_state(free, out, out)


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
            _through(W[k], below, p[0:3], s[k, b], p[3:6], columns, 0)


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
                    new[:] = old
                    continue
                pulls = p[9] if top else products[k + 1, b, 3 + c]
                _hopfield_target(pulls, p[c], drive[k, b], felt, half_gain, leverage, c, p[6], target)
                if accelerated:
                    _relax(speed, target, new)
                else:
                    new[:] = target
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
    """Rows of `products` as in `_hopfield`."""
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
                    _forward(W[k], s_out[k - 1, b], p[0:3], columns)
                else:
                    p[6, :] = inflow[b]
                    _forward(W[k], p[6:7], p[0:1], 1)
                    p[1:3, :] = 0
                if not top:
                    _backward(W[k + 1], s_out[k + 1, b], p[3:6], columns)
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


def _use_threads(count: int) -> None:
    """Let the calling thread's ticks run on `count` threads; asking Numba each time would cost 4 us a tick."""
    if getattr(_team, "size", None) != count:
        set_num_threads(count)
        _team.size = count


def _spread(weights: Any, samples: int) -> None:
    _use_threads(config.NUMBA_NUM_THREADS if weights.size * samples >= SHARED_FROM else 1)


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
    _use_threads(config.NUMBA_NUM_THREADS)
    _recursive_update(*arguments)


def hopfield_update(*arguments: Any) -> None:
    """The element-wise half of a Hopfield tick whose products were made elsewhere, by all threads."""
    _use_threads(config.NUMBA_NUM_THREADS)
    _hopfield_update(*arguments)


def hopfield_red_black_tick(W: Any, drive: Any, *rest: Any) -> None:
    """See `kernels.reference.hopfield_red_black_tick`; products: (L, B, 10, N) scratch of the state's dtype."""
    _spread(W, drive.shape[1])
    _hopfield_red_black(W, drive, *rest)
