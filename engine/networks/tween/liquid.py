"""Liquid gradients: G <- G * n * softmax(|G|), each weight array of a layer on its own.

The factor's mean is 1: near identity while |G| << 1, up to n-fold for a single entry that dominates.
"""

from __future__ import annotations

import numpy as np

from engine.networks.tween.activation import softmax
from engine.networks.tween.layer import Array


def liquid(gradient: Array) -> Array:
    """gradient (S, ...) -> the same shape; the softmax runs over a lane's entries."""
    entries = gradient.reshape(len(gradient), -1)
    turned: Array = entries * (entries.shape[1] * softmax(np.abs(entries)))
    return turned.reshape(gradient.shape)
