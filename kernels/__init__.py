"""How a tick is computed: a NumPy reference and faster backends behind the same functions.

Both chains keep three columns per sample: the free state x0 and the displacements d+ = x+ - x0 and d- = x- - x0 of
the two nudged copies. Carrying displacements instead of the copies themselves is the same mathematics (the exact
addition formula tanh(a + b) - tanh(a) = (1 - tanh(a)^2) tanh(b) / (1 + tanh(a) tanh(b)) is used), but a displacement
keeps its full relative precision in float32 however small it is beside the state.

Arrays common to both ticks (L layers, N neurons, B samples):

    state columns   (L, B, 3, N)   free, d+, d-
    drive           (L, B, N)      bias plus noise
    inflow          (B, N)         what layer 1 reads from below (the encoded input)
    force           (B, N)         beta * f on the top layer; the minus copy feels its negative
    velocity        (L, B, N)      change of the free copy in this tick; holds the last tick's on entry
    flips           (L, B, N)      uint8, ticks in a row at which the velocity changed its sign above FLIP_THRESHOLD
    sums            (L, B, 5)      float64: sum of squares of activation, velocity, nudge; largest |change| of the free
                                   copy, of the displacements

With `columns` = 1 only the free copy is advanced and the displacements stay as they are.
"""

FLIP_THRESHOLD = 1e-3
"""A sign change of the velocity counts as an oscillation only above this magnitude."""
SUMS = 5
"""Number of reductions per layer and sample."""
TINY = 1e-30
"""Smallest denominator of the addition formula: a neuron saturated to exactly 1 is then not displaced, not 0/0."""
