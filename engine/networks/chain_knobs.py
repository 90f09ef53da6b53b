"""The knobs that chains share."""

from __future__ import annotations

from engine.knobs import Knob, choice_knob

PLAIN, LAZY = "plain", "lazy"
_SIGMA = "Lipschitz knob: spectral norm of the recurrent coupling. 1 is the edge."
_DYNAMICS = "How a tick is computed. Plain: all layers at once from last tick's values. Lazy: only changes are sent."


def common_knobs(dynamics: tuple[str, ...], more_words: str = "") -> dict[str, Knob]:
    """Knobs that the chains share; `dynamics` are the ways to tick, and where there is but one there is no knob."""
    sends = "Lazy ticks: a neuron sends once it has changed by more than this."
    refines = "Lazy ticks start with this many times epsilon and refine as they rest."
    lazy = {"epsilon": Knob(1e-3, 0.0, 0.1, "", sends, "log"), "coarse": Knob(1, 1, 100, "", refines, "log")}
    return {
        "sigma": Knob(0.9, 0.0, 3.0, "", _SIGMA, edge=1.0),
        "beta": Knob(0.1, 0.0, 1.0, "", "Nudge strength; the two nudged copies feel +beta and -beta."),
        "noise": Knob(0.0, 0.0, 1.0, "", "Standard deviation of fresh noise on every neuron's input at every tick."),
        "input_noise": Knob(0.0, 0.0, 2.0, "", "Standard deviation of fresh noise on every pixel at every tick."),
        "weight_noise": Knob(0.0, 0.0, 1.0, "", "Noise on all weights, in RMS of each matrix: drawn once, gone at 0."),
        "input_gain": Knob(0.5, 0.0, 5.0, "", "How strongly the picture drives the first layer."),
        **({"dynamics": choice_knob(dynamics, _DYNAMICS + more_words)} if len(dynamics) > 1 else {}),
        **(lazy if LAZY in dynamics else {}),
    }
