"""Full passes through a chain within one moment, as ordinary backpropagation makes them, through time where wanted."""

from __future__ import annotations

from collections.abc import Sequence

from engine.networks.tween.layer import Array, Cache, Layer, State, Weights

Caches = list[Cache]
"""What a full pass leaves, layer 1 first."""


def sweep(
    layers: Sequence[Layer], weights: Sequence[Weights], x: Array, states: Sequence[State]
) -> tuple[Array, Caches, list[State]]:
    """The last layer's output for input x (S, B, *shape), what `sweep_back` needs, and the new memories."""
    caches: Caches = []
    after: list[State] = []
    for layer, own, state in zip(layers, weights, states, strict=True):
        x, cache, new = layer.forward(own, x, state)
        caches.append(cache)
        after.append(new)
    return x, caches, after


def sweep_back(
    layers: Sequence[Layer], weights: Sequence[Weights], passes: Sequence[Caches], credits: Sequence[Array]
) -> list[Weights]:
    """Backpropagation through time: gradients of every layer, summed over `passes`, oldest first.

    `credits` are what should be added to the output of each pass, (S, B, *shape) each; nothing arrives from beyond the
    newest, and nothing is sent beyond the oldest.
    """
    totals: list[Weights] = [{} for _ in layers]
    arriving: list[State | None] = [None] * len(layers)
    for caches, credit in zip(reversed(passes), reversed(credits), strict=True):
        g = credit
        for number in reversed(range(len(layers))):
            g, found, state = layers[number].backward(weights[number], g, caches[number], arriving[number])
            arriving[number] = state or None
            total = totals[number]
            for name, gradient in found.items():
                if name in total:
                    total[name] += gradient
                else:
                    total[name] = gradient
    return totals
