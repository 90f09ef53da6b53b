"""A tween chain as a network of the observatory: it lives in a world, and every tick is also a lesson.

Red is the output, green its change since the last tick, blue the gap, target minus output. Layers have shapes of their
own: `engine.tiles` says how they are laid out.
"""

from __future__ import annotations

from math import prod

import numpy as np
from numpy.typing import NDArray

from engine.knobs import Knob, set_knob
from engine.network import Observation
from engine.networks.tween.chain import TweenChain
from engine.networks.tween.layer import Array, Layer, ShapeError
from engine.networks.tween.links import Links, bottleneck, depth_barrier
from engine.tiles import Tiles
from engine.worlds.world import Scene, World
from kernels import SUMS


def tween_knobs() -> dict[str, Knob]:
    """How the chain learns."""
    return {
        "step": Knob(0.05, 1e-5, 2.0, "", "Step size; a layer takes between half of it and all, by its budget.", "log"),
        "gap_scale": Knob(0.1, 1e-3, 1.0, "", "How far targets lie from outputs along the credit.", "log"),
        "momentum": Knob(0.9, 0.0, 0.99, "", "Share of the last step that goes on."),
        "liquid": Knob(0, 0, 1, "", "Liquid gradients: large entries weigh more.", "switch"),
        "layerwise": Knob(0, 0, 1, "", "Targets by weighted means, without derivatives, where a layer can.", "switch"),
        "matched": Knob(1, 0, 1, "", "Errors go back through the moment that caused them, not this one.", "switch"),
        "freeze": Knob(0, 0, 1, "", "Stop learning; everything else goes on.", "switch"),
    }


class TweenNetwork:
    """One lane, one sample, and the world it lives in."""

    kind = "tween"
    samples = 1
    backend = "numpy"
    backend_reason = "layers of many kinds, a call each"

    def __init__(self, layers: list[Layer], world: World, *, dtype: str = "float32", seed: int = 0) -> None:
        if prod(layers[-1].shape) != len(world.answers):
            outputs, needed = prod(layers[-1].shape), len(world.answers)
            raise ShapeError(f"the last layer has {outputs} outputs, the world {world.kind} needs {needed}")
        self.chain = TweenChain(layers, seed=seed, dtype=dtype)
        self.world = world
        world.latency = len(layers)
        self.dtype = self.chain.dtype
        tiles = Tiles([layer.shape for layer in layers])
        self.layout, self.places, self.first, self.unused = tiles.layout, tiles.places, tiles.first, tiles.unused
        self._hits, self._from = tiles.hits, tiles.numbers
        self._own = tween_knobs()
        self._sums = np.zeros((len(layers), 1, SUMS))
        self._channels = np.zeros((3, self.layout.layers, self.layout.neurons), np.float32)
        self._fresh = False
        self._spent = 6.0 * sum(w.size for link in self.chain.links for w in link.weights.values())
        self.reset(seed)

    @property
    def parameters(self) -> dict[str, Knob]:
        """Knobs of the chain and of its world."""
        return {**self._own, **self.world.parameters}

    def reset(self, seed: int) -> None:
        """Silence, and the world from its beginning; what was learned stays."""
        self.chain.reset()
        self.world.reset(seed)
        self._fresh = False
        self.dense_flops = self.effective_flops = 0.0

    @property
    def ticks(self) -> int:
        """Ticks since the reset."""
        return self.chain.ticks

    def set_parameter(self, name: str, value: float | str) -> None:
        """Move a knob; acts at the next tick. Raises KnobError."""
        if name in self.world.parameters:
            set_knob(self.world.parameters, name, value)
            return
        set_knob(self._own, name, value)
        rules, knob = self.chain.rules, {key: found.value for key, found in self._own.items()}
        rules.rate, rules.scale, rules.momentum = knob["step"], knob["gap_scale"], knob["momentum"]
        rules.liquid, rules.layerwise = bool(knob["liquid"]), bool(knob["layerwise"])
        rules.matched, rules.learning = bool(knob["matched"]), not knob["freeze"]

    def tick(self, nudged: bool) -> None:
        """Look, answer from the late output, be told the right answer (if `nudged`), learn, and let the world go on."""
        chain, world = self.chain, self.world
        action = int(np.nan_to_num(self.logits()[0]).argmax())
        chain.x[0, 0] = world.observe()
        answer = world.answer() if nudged else None
        chain.y = None
        if answer is not None:
            chain.y = np.zeros_like(chain.output)
            chain.y.reshape(-1)[answer] = 1
        with np.errstate(over="ignore", invalid="ignore"):
            chain.tick()
        world.act(action)
        self._fresh = False
        self.dense_flops += self._spent
        self.effective_flops += self._spent

    def _observe(self) -> None:
        """Lay outputs, changes and gaps out in tiles, and add them up, once a tick at most."""
        if self._fresh:
            return
        self._fresh = True
        scale = np.float32(self.chain.rules.scale)
        room = self.layout.neurons
        with np.errstate(over="ignore", invalid="ignore"):
            for number, link in enumerate(self.chain.links):
                hits, order = self._hits[number], self._from[number]
                for channel, values in enumerate((link.output, link.change, scale * link.credit)):
                    found = values[0, 0].reshape(-1)
                    self._channels[channel, number, hits] = found[order]
                    self._sums[number, 0, channel] = float(np.square(found, dtype=np.float64).mean()) * room
                self._sums[number, 0, 3] = float(np.abs(link.change[0, 0]).max())
                self._sums[number, 0, 4] = 0.0

    def observe(self) -> Observation:
        """Reductions of the last tick, of each layer over its own outputs."""
        self._observe()
        return Observation(self._sums, self.layout.neurons)

    def channels(self, sample: int) -> tuple[Array, Array, Array]:
        """Output, change and gap, each (layers, neurons of a tile); 0 where a tile has no output."""
        self._observe()
        activation, velocity, nudge = self._channels
        return activation, velocity, nudge

    def links(self) -> Links:
        """Budgets and gaps of the last tick."""
        budget = np.stack([link.budget for link in self.chain.links])
        return Links(
            tuple(link.layer.kind for link in self.chain.links),
            budget[:, 0].astype(np.float32),
            np.array([link.gap[0] for link in self.chain.links], np.float32),
            depth_barrier(budget)[:, 0].astype(np.float32),
            int(bottleneck(budget)[0]) + 1,
        )

    def scene(self) -> Scene:
        """Where things stand in the world."""
        return self.world.scene()

    def logits(self) -> Array:
        """The output, (1, answers)."""
        return self.chain.output.reshape(1, -1)

    def state_dict(self) -> dict[str, Array]:
        """Weights by layer (from 1) and name."""
        return {
            f"{number}.{name}": weights[0]
            for number, link in enumerate(self.chain.links, 1)
            for name, weights in link.weights.items()
        }

    def load_state_dict(self, weights: dict[str, Array]) -> None:
        """Take over weights of the same names and shapes. Raises ValueError."""
        own = self.state_dict()
        if set(own) != set(weights):
            raise ValueError(f"weights: other tensors than this chain's: {', '.join(sorted(set(own) ^ set(weights)))}")
        for name, new in weights.items():
            if new.shape != own[name].shape:
                raise ValueError(f"weights: {name} has shape {new.shape}, expected {own[name].shape}")
            if not np.isfinite(new.astype(np.float64)).all():
                raise ValueError(f"weights: {name} holds NaN or infinity")
        for name, new in weights.items():
            own[name][...] = new

    def clamp(self, x: Array, labels: NDArray[np.int64] | None) -> None:
        """A network in a world cannot be shown pictures."""
        raise ValueError(f"this network lives in the world {self.world.kind}; its input cannot be chosen")

    def ablate(self, where: NDArray[np.bool_]) -> None:
        """Cut out these outputs (layers, neurons of a tile) too. Raises ValueError."""
        if where.shape != self.places.shape:
            raise ValueError(f"neurons to cut out have shape {where.shape}, this network's is {self.places.shape}")
        for link, places, cut in zip(self.chain.links, self.places, where, strict=True):
            dead = places[cut & (places >= 0)]
            if dead.size:
                if link.alive is None:
                    link.alive = np.ones(link.layer.shape, self.dtype)
                link.alive.reshape(-1)[dead] = 0

    def heal(self) -> None:
        """All outputs live again."""
        for link in self.chain.links:
            link.alive = None

    @property
    def ablated(self) -> NDArray[np.bool_]:
        """What is cut out, (layers, neurons of a tile)."""
        dead = np.zeros(self.places.shape, bool)
        for number, link in enumerate(self.chain.links):
            if link.alive is not None:
                dead[number, self._hits[number]] = link.alive.reshape(-1)[self._from[number]] == 0
        return dead

    def aim(self) -> None:
        """The target follows the world at every tick."""

    @property
    def pull(self) -> float:
        """Largest |y - a| at the output."""
        return max(float(np.abs(self.chain.links[-1].credit).max()), float(np.finfo(self.dtype).tiny))

    def release(self) -> None:
        """Take all credit back."""
        for link in self.chain.links:
            link.credit = np.zeros_like(link.credit)

    def skipped(self, sample: int) -> NDArray[np.bool_]:
        """Nothing is ever skipped."""
        return np.zeros((self.layout.layers, self.layout.neurons), bool)

    def oscillating(self, sample: int) -> NDArray[np.bool_]:
        """Not told: inputs move at every tick."""
        return np.zeros((self.layout.layers, self.layout.neurons), bool)

    def energy(self) -> NDArray[np.float64] | None:
        """There is none."""
        return None

    def decay_theory(self) -> float | None:
        """There is none."""
        return None

    def spectral_radius(self) -> float | None:
        """Not measured."""
        return None

    def density(self) -> NDArray[np.float32] | None:
        """None come and go."""
        return None
