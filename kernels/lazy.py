"""Event-driven ticks: only what has changed is sent, and only the columns of what was sent are read.

A neuron remembers the value that it sent last. Once it has moved away from that by more than epsilon it sends the
difference to every accumulator that its weights feed; otherwise it does nothing and its weights are not touched.
Differences count from the last event, not from the last tick, so what the accumulators lack never exceeds epsilon per
neuron and never drifts. A layer that received nothing, and whose inputs stand still, is not visited at all.

Displacements of the nudged copies are of the order of the force on them, so their threshold is epsilon times its
largest entry: `thresholds` has one entry per state column. States (L, B, 3, N) are updated in place, layers being
walked in an order in which whatever is read is still last tick's. Weights come as event rows: row j is what neuron j
sends, so upwards the transposed matrix.

    sent_*, accumulators    of the shape of what they follow; start at zero together with the states
    hot        (L, B, 6)    uint8, starts at 1: whether z, s, dz, ds changed in the last tick; of this tick: whether
                            the remainder and what comes down from the layer are new
    skipped    (L, B, N)    uint8, 1 where the neuron's free state sent nothing in this tick
    stirred                 a knob, the drive or the inflow has moved: visit every layer
    pulled                  the force has moved: visit the top layer

Both ticks return the number of multiply-adds in the couplings that were really executed.
"""

from __future__ import annotations

import math
from typing import Any

from numba import njit

from kernels import TINY
from kernels.cpu import bounded, combine, displaced, furthest, half_difference, observe
from kernels.tanh import tanh_in_place, tanh_of
from kernels.walk import FAST


@njit(error_model="numpy", fastmath=FAST)
def _collect(x: Any, sent: Any, threshold: Any, which: Any, change: Any, skipped: Any) -> int:
    """Note which neurons have changed by more than the threshold, and by how much; how many they are."""
    events = 0
    for j in range(x.size):
        moved = x[j] - sent[j]
        loud = abs(moved) > threshold
        which[events] = j
        change[events] = moved
        events += loud
    for e in range(events):
        j = which[e]
        sent[j] = x[j]
        skipped[j] = 0
    return events


@njit(error_model="numpy", fastmath=FAST)
def _pour(events: int, which: Any, change: Any, rows: Any, into: Any) -> Any:
    """Add the noted changes times their rows to an accumulator, four rows at a time; multiply-adds done."""
    fours = events - events % 4
    for e in range(0, fours, 4):
        r0, r1, r2, r3 = rows[which[e]], rows[which[e + 1]], rows[which[e + 2]], rows[which[e + 3]]
        c0, c1, c2, c3 = change[e], change[e + 1], change[e + 2], change[e + 3]
        for i in range(into.size):
            into[i] += c0 * r0[i] + c1 * r1[i] + c2 * r2[i] + c3 * r3[i]
    for e in range(fours, events):
        row, c = rows[which[e]], change[e]
        for i in range(into.size):
            into[i] += c * row[i]
    return events * into.size


@njit(error_model="numpy")
def _send(x: Any, sent: Any, threshold: Any, rows: Any, into: Any, skipped: Any, which: Any, change: Any) -> Any:
    """Send those changes of x that exceed the threshold through `rows` into an accumulator; multiply-adds done."""
    events = _collect(x, sent, threshold, which, change, skipped)
    return _pour(events, which, change, rows, into)


@njit(error_model="numpy")
def _send_both(
    x: Any, sent: Any, threshold: Any, rows: Any, into: Any, other_rows: Any, into_other: Any, skipped: Any,
    which: Any, change: Any,
) -> Any:  # fmt: skip
    """The same for neurons that feed two accumulators."""
    events = _collect(x, sent, threshold, which, change, skipped)
    return _pour(events, which, change, rows, into) + _pour(events, which, change, other_rows, into_other)


@njit(error_model="numpy", fastmath=FAST)
def _rest(velocity: Any, flips: Any, sums: Any) -> None:
    """A layer that was not visited does not move."""
    if sums[1] != 0:
        velocity[:] = 0
        flips[:] = 0
        sums[1] = 0
    sums[3] = 0


@njit(error_model="numpy", inline="always")
def _asleep(hot: Any, k: int, b: int, into_first: int) -> Any:
    """Whether nothing within layer k or below it has changed; known without making a view, which most layers need."""
    if hot[k, b, 0] or hot[k, b, 2] or hot[k, b, 3]:
        return False
    if k == 0:
        return into_first == 0
    return not (hot[k - 1, b, 1] or hot[k - 1, b, 3])


@njit(error_model="numpy", fastmath=FAST)
def _remainder(free: Any, push: Any, turn: Any, out: Any) -> None:
    """Second-order remainder tanh(a + push) - tanh(a) - (1 - tanh(a)^2) push with free = tanh(a)."""
    one, tiny = free.dtype.type(1), free.dtype.type(TINY)
    tanh_of(push, turn)
    for i in range(free.size):
        out[i] = (one - free[i] * free[i]) * (turn[i] / max(one + free[i] * turn[i], tiny) - push[i])


@njit(nogil=True, cache=True, error_model="numpy", fastmath=FAST)
def recursive_tick(
    R: Any, R_rows: Any, W: Any, W_rows: Any, drive: Any, inflow: Any, force: Any, sigma: float, thresholds: Any,
    z: Any, s: Any, velocity: Any, flips: Any, sums: Any, sent_in: Any, sent_z: Any, sent_s: Any, sent_g: Any,
    own: Any, up: Any, back_r: Any, back_w: Any, curved: Any, scratch: Any, which: Any, hot: Any, skipped: Any,
    columns: int, stirred: bool, pulled: bool,
) -> int:  # fmt: skip
    """One lazy tick of the recursive chain; see `kernels.reference.recursive_tick` for the equations.

    R_rows, W_rows: transposed R, W. own = R z and up = W s_below: (L, B, 3, N); back_r = R^T g, back_w = W^T g,
    sent_g and curved: (L, B, 2, N); scratch (5, N); which (N,) int32; sent_in (B, N).
    """
    layers, samples, _, neurons = z.shape
    kind = z.dtype.type
    gain, one = kind(sigma), kind(1)
    share = kind(1 / math.sqrt(layers))
    reach, two = kind(2 * math.sqrt(layers)), kind(2)
    work = 0
    skipped[...] = 1
    fresh, push, turn, unmarked, change = scratch[0], scratch[1], scratch[2], scratch[3], scratch[4]
    for b in range(samples):
        into_first = _send(inflow[b], sent_in[b], thresholds[0], W_rows[0], up[0, b, 0], unmarked, which, change)
        work += into_first
        for k in range(layers - 1, -1, -1):
            if not stirred and _asleep(hot, k, b, into_first):
                hot[k, b, 1] = hot[k, b, 4] = hot[k, b, 5] = 0
                if sums[k, b, 1] != 0:
                    _rest(velocity[k, b], flips[k, b], sums[k, b])
                sums[k, b, 3] = 0 if math.isfinite(sums[k, b, 0]) else math.nan
                sums[k, b, 4] = 0
                continue
            was, lower = hot[k, b], hot[max(k - 1, 0), b]
            received = into_first if k == 0 else 0
            pushed = descended = 0
            if was[0]:
                received += _send(
                    z[k, b, 0], sent_z[k, b, 0], thresholds[0], R_rows[k], own[k, b, 0], skipped[k, b], which, change
                )
            if k > 0 and lower[1]:
                below, sent = s[k - 1, b, 0], sent_s[k - 1, b, 0]
                received += _send(below, sent, thresholds[0], W_rows[k], up[k, b, 0], skipped[k - 1, b], which, change)
            for c in range(1, columns):
                if was[2]:
                    pushed += _send(
                        z[k, b, c], sent_z[k, b, c], thresholds[c], R_rows[k], own[k, b, c], unmarked, which, change
                    )
                if k > 0 and lower[3]:
                    below, sent = s[k - 1, b, c], sent_s[k - 1, b, c]
                    pushed += _send(below, sent, thresholds[c], W_rows[k], up[k, b, c], unmarked, which, change)
                if was[0] or was[2] or was[3]:
                    for i in range(neurons):
                        free = z[k, b, 0, i]
                        push[i] = (one - free * free) * (z[k, b, c, i] + share * s[k, b, c, i])
                    sent, into_r, into_w = sent_g[k, b, c - 1], back_r[k, b, c - 1], back_w[k, b, c - 1]
                    descended += _send_both(
                        push, sent, thresholds[c], R[k], into_r, W[k], into_w, unmarked, which, change
                    )
            work += received + pushed + descended
            was[5] = descended > 0

            moved = 0.0
            was[0] = 0
            if received or stirred:
                combine(gain, own[k, b, 0], up[k, b, 0], push)
                combine(one, push, drive[k, b], push)
                tanh_of(push, fresh)
                observe(fresh, z[k, b, 0], velocity[k, b], flips[k, b], sums[k, b])
                moved = furthest(fresh, z[k, b, 0])
                z[k, b, 0, :] = fresh
                was[0] = moved != 0
            else:
                _rest(velocity[k, b], flips[k, b], sums[k, b])
            was_below = lower[1] if k > 0 else 0
            was[1] = 0
            if was[0] or was_below or stirred:
                below = s[k - 1, b, 0] if k > 0 else inflow[b]
                combine(share, z[k, b, 0], below, fresh)
                shifted = furthest(fresh, s[k, b, 0])
                s[k, b, 0, :] = fresh
                was[1] = shifted != 0
                moved = max(moved, shifted)
            sums[k, b, 3] = moved if math.isfinite(sums[k, b, 0] + sums[k, b, 1]) else math.nan

            nudged = 0.0
            was[2] = 0
            was[4] = columns > 1 and (received > 0 or pushed > 0 or stirred)
            for c in range(1, columns):
                if was[4]:
                    combine(gain, own[k, b, c], up[k, b, c], push)
                    _remainder(z[k, b, 0], push, turn, curved[k, b, c - 1])
                if was[4] or was[5]:
                    for i in range(neurons):
                        fresh[i] = bounded(gain * back_r[k, b, c - 1, i] + curved[k, b, c - 1, i], two)
                    nudged = max(nudged, furthest(fresh, z[k, b, c]))
                    z[k, b, c, :] = fresh
                    was[2] |= nudged != 0
            sums[k, b, 4] = nudged
        for k in range(layers):
            if columns == 1:
                hot[k, b, 3] = 0
                continue
            was = hot[k, b]
            top = k == layers - 1
            came = pulled if top else (hot[k + 1, b, 3] or hot[k + 1, b, 5])
            was[3] = 0
            if not (came or was[4] or stirred):
                continue
            for c in range(1, columns):
                for i in range(neurons):
                    if top:
                        above = force[b, i] if c == 1 else -force[b, i]
                    else:
                        above = s[k + 1, b, c, i] + back_w[k + 1, b, c - 1, i]
                    fresh[i] = bounded(above + share * curved[k, b, c - 1, i], reach)
                shifted = furthest(fresh, s[k, b, c])
                s[k, b, c, :] = fresh
                was[3] |= shifted != 0
                sums[k, b, 4] = max(sums[k, b, 4], shifted)
            sums[k, b, 2] = half_difference(s[k, b, 1], s[k, b, 2])
            if not math.isfinite(sums[k, b, 2]):
                sums[k, b, 4] = math.nan
    return work


@njit(error_model="numpy")
def _pass_on(
    W: Any, W_rows: Any, k: int, x: Any, sent: Any, threshold: float, up: Any, down: Any, b: int, c: int, skipped: Any,
    which: Any, change: Any,
) -> Any:  # fmt: skip
    """Send a layer's changes to both neighbours, or to the one there is."""
    if 0 < k < W.shape[0] - 1:
        return _send_both(
            x, sent, threshold, W_rows[k + 1], up[k + 1, b, c], W[k], down[k - 1, b, c], skipped, which, change
        )
    if k > 0:
        return _send(x, sent, threshold, W[k], down[k - 1, b, c], skipped, which, change)
    if W.shape[0] > 1:
        return _send(x, sent, threshold, W_rows[1], up[1, b, c], skipped, which, change)
    return 0


@njit(nogil=True, cache=True, error_model="numpy", fastmath=FAST)
def hopfield_tick(
    W: Any, W_rows: Any, drive: Any, inflow: Any, force: Any, sigma: float, thresholds: Any, s: Any,
    velocity: Any, flips: Any, sums: Any, sent_in: Any, sent_up: Any, up: Any, down: Any, scratch: Any, which: Any,
    hot: Any, skipped: Any, columns: int, stirred: bool, pulled: bool,
) -> int:  # fmt: skip
    """One lazy tick of the Hopfield chain; see `kernels.reference.hopfield_tick` for the equations (plain ticks).

    up = W s_below and down = W_above^T s_above: (L, B, 3, N); of `hot` the entries 0 (free) and 2 (displacements)
    are used; W_rows: transposed W; scratch (5, N); which (N,) int32.
    """
    layers, samples, _, neurons = s.shape
    kind = s.dtype.type
    half_gain = kind(sigma / 2)
    work = 0
    skipped[...] = 1
    fresh, push, unmarked, change = scratch[0], scratch[1], scratch[3], scratch[4]
    for b in range(samples):
        for k in range(layers):
            hot[k, b, 4] = 0
            hot[k, b, 5] = pulled and k == layers - 1
        first = _send(inflow[b], sent_in[b], thresholds[0], W_rows[0], up[0, b, 0], unmarked, which, change)
        hot[0, b, 4] = first > 0
        work += first
        for k in range(layers):
            for c in range(columns):
                if not hot[k, b, min(2 * c, 2)]:
                    continue
                x, sent, threshold = s[k, b, c], sent_up[k, b, c], thresholds[c]
                if c == 0:
                    done = _pass_on(W, W_rows, k, x, sent, threshold, up, down, b, c, skipped[k, b], which, change)
                else:
                    done = _pass_on(W, W_rows, k, x, sent, threshold, up, down, b, c, unmarked, which, change)
                if done:
                    work += done
                    received = 4 if c == 0 else 5
                    if k > 0:
                        hot[k - 1, b, received] = 1
                    if k < layers - 1:
                        hot[k + 1, b, received] = 1
        for k in range(layers):
            hot[k, b, 0] = hot[k, b, 2] = 0
            sums[k, b, 4] = 0
            if not (stirred or hot[k, b, 4] or hot[k, b, 5]):
                if sums[k, b, 1] != 0:
                    _rest(velocity[k, b], flips[k, b], sums[k, b])
                sums[k, b, 3] = 0
                continue
            was = hot[k, b]
            top = k == layers - 1
            leverage = kind(2 if top else 1)
            if was[4] or stirred:
                for i in range(neurons):
                    push[i] = leverage * (half_gain * (up[k, b, 0, i] + down[k, b, 0, i]) + drive[k, b, i])
                tanh_of(push, fresh)
                observe(fresh, s[k, b, 0], velocity[k, b], flips[k, b], sums[k, b])
                moved = furthest(fresh, s[k, b, 0])
                sums[k, b, 3] = moved if math.isfinite(sums[k, b, 0] + sums[k, b, 1]) else math.nan
                s[k, b, 0, :] = fresh
                was[0] = moved != 0
            else:
                _rest(velocity[k, b], flips[k, b], sums[k, b])
            if columns == 1 or not (was[4] or was[5] or stirred):
                continue
            nudged = 0.0
            for c in range(1, columns):
                for i in range(neurons):
                    drawn = half_gain * (up[k, b, c, i] + down[k, b, c, i])
                    if top:
                        drawn += force[b, i] if c == 1 else -force[b, i]
                    push[i] = leverage * drawn
                tanh_in_place(push)
                displaced(s[k, b, 0], push)
                nudged = max(nudged, furthest(push, s[k, b, c]))
                s[k, b, c, :] = push
            was[2] = nudged != 0
            sums[k, b, 2] = half_difference(s[k, b, 1], s[k, b, 2])
            sums[k, b, 4] = nudged if math.isfinite(sums[k, b, 2]) else math.nan
    return work
