"""What the chains share: input, read-out, nudging force, noise, observation, weights."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.knobs import Knob, set_knob
from engine.layout import Layout
from engine.lazy import LazyState
from engine.learning.optimise import clip_recurrent
from engine.linalg import semi_orthogonal, spectral_norms
from engine.linalg import softmax as softmax
from engine.network import Observation
from engine.networks.chain_knobs import LAZY as LAZY
from engine.networks.chain_knobs import PLAIN as PLAIN
from engine.networks.chain_knobs import common_knobs as common_knobs
from engine.networks.disturbance import Disturbance
from engine.networks.on_device import ChainOnDevice
from engine.weights import check_weights
from kernels import SUMS, TINY
from kernels.backends import Backend, load_on_host
from kernels.cuda.device import Device, DeviceError
from kernels.half import rounded, stored

Array = NDArray[Any]
WEAK = 0.01
"""Strength of a steady force: whatever state it meets, the nudge stays in the linear range."""
REFINEMENT = 3.0
"""Coarse lazy thresholds fall by this factor whenever the state is calm."""
CALM = 0.1
"""It is calm once nothing changes by more than this share of the threshold in a tick."""
OSCILLATING_TICKS = 6
"""A neuron oscillates once its velocity has changed sign this many ticks in a row."""
SLACK = 1e-5
"""Weights that are read keep their bits if no norm is above 1 by more than this."""


class Chain:
    """Base of the chains: L layers of N neurons, states (L, B, 3, N) in columns free, d+, d- (see `kernels`).

    Subclasses say in `_advance` what a tick is, in `couplings` which of `weights` a tick reads, in `recurrent` which
    have norms bounded by 1. `weights` are used themselves, as in `adopt`; without them they are drawn from the seed.
    Without a `layout` tiles are square. With `half_weights` the couplings are rounded to half precision and, where the
    backend can, stored so. If the backend has a device that can compute this chain, the chain lives there; otherwise,
    and after `leave_device`, `backend` and `backend_reason` say what computes it and why.
    The read-out is linear with the cross-entropy C against the label, so the force on the top layer is
    f = -dC/ds_L = W_out^T (onehot - softmax(W_out s_L)).
    """

    kind: str
    couplings: tuple[str, ...]
    state_names: tuple[str, ...]
    recurrent: tuple[str, ...]
    scratch_rows: int
    lazy_kind: Callable[[dict[str, Array], Array, Array], LazyState]
    on_device: tuple[str, ...] = (PLAIN,)
    """Dynamics that a device computes; for the others the state comes to the host."""

    def __init__(
        self, layers: int, neurons: int, pixels: int, classes: int, backend: Backend, *, dtype: str = "float32",
        samples: int = 1, seed: int = 0, half_weights: bool = False, weights: dict[str, Array] | None = None,
        layout: Layout | None = None,
    ) -> None:  # fmt: skip
        side = math.isqrt(neurons)
        self.layout = layout or Layout(layers, side, side)
        self.parameters = self._knobs()
        self.samples = samples
        self.dtype = np.dtype(dtype)
        self._use(backend)
        if weights is None:
            weights = self._initial_weights(np.random.default_rng(seed), pixels, classes)
        self.weights: dict[str, Array] = weights
        self._flops_per_product = 2.0 * samples * sum(self.weights[name].size for name in self.couplings)
        self.half_weights = half_weights
        self._seed = seed
        self._disturbance = Disturbance(layers, neurons, self.severed)
        self._store_couplings()

        shape = (layers, samples, neurons)
        self._drive = np.zeros(shape, self.dtype)
        self._noise = np.zeros(shape, self.dtype)
        self._x = np.zeros((samples, pixels), self.dtype)
        self._seen = self._x
        self._labels: NDArray[np.int64] | None = None
        self._inflow = np.zeros((samples, neurons), self.dtype)
        self._aim = np.zeros((samples, neurons), self.dtype)
        self._force = np.zeros((samples, neurons), self.dtype)
        self._velocity = np.zeros(shape, self.dtype)
        self._flips = np.zeros(shape, np.uint8)
        self._sums = np.zeros((layers, samples, SUMS))
        self._products = np.zeros((layers, samples, self.scratch_rows, neurons), self.dtype)
        self._states = self._columns()
        self._next_states = self._columns()
        self._lazy: LazyState | None = None
        self._on_device: ChainOnDevice | None = None
        if backend.device is not None:
            self._enter(backend.device)
        self.reset(seed)

    def _use(self, backend: Backend, why: str = "") -> None:
        self._backend = backend
        self.backend = backend.name
        self.backend_reason = f"{backend.reason} ({why})" if why else backend.reason
        """What computes the ticks, for the person, and if it is not what was wanted, why not."""

    def _enter(self, device: Device) -> None:
        try:
            weights = self._device_weights()
            self._on_device = ChainOnDevice(device, self.kind, weights, self._inflow, self.half_weights)
            self.backend_reason += f", {self._on_device.reason}"
        except DeviceError as error:
            self._use(load_on_host(), f"not {self.backend}: {error}")

    def _device_weights(self) -> dict[str, Array]:
        """What a device reads of the weights, by the names that it knows."""
        return {name: self.acting[name] for name in self.couplings}

    def leave_device(self, why: str) -> int:
        """Compute on the host from now on; how many ticks old the state is that could be saved from the device."""
        lost = 0 if self._on_device is None else self._on_device.rescue(self._mirrored())
        self._on_device = None
        self._use(load_on_host(), why)
        return lost

    def _mirrored(self) -> dict[str, Array]:
        """The host's copies of what the device computes, under the device's names."""
        now = dict(zip(self.state_names, self._states, strict=True))
        before, product = self._next_states[-1], self._products[:, :, 0]
        return {**now, "before": before, "product": product, "velocity": self._velocity, "flips": self._flips}

    def _fetch(self) -> None:
        """Bring the host's copies up to date."""
        if self._on_device is not None:
            self._on_device.fetch(self._mirrored())

    def _knobs(self) -> dict[str, Knob]:
        raise NotImplementedError

    def _store_couplings(self) -> None:
        """Put the couplings into the form that the backend reads."""
        if self.half_weights:
            for name in self.couplings:
                self.weights[name][...] = rounded(self.weights[name])
        self.acting = self._disturbance.of(self.weights)
        """The weights that ticks read: `weights` themselves, but for lesions and weight noise."""
        if self.half_weights:
            for name in self.couplings:
                if self.acting[name] is not self.weights[name]:
                    self.acting[name] = rounded(self.acting[name])
        packed = self.half_weights and self._backend.half
        self._stacks = [stored(self.acting[name]) if packed else self.acting[name] for name in self.couplings]

    def _columns(self) -> list[Array]:
        """The state arrays of the chain, each (L, B, 3, N); the last one is what the read-out and the force see."""
        return [np.zeros((self.layout.layers, self.samples, 3, self.layout.neurons), self.dtype)]

    def _initial_weights(self, rng: np.random.Generator, pixels: int, classes: int) -> dict[str, Array]:
        neurons = self.layout.neurons
        spread = math.sqrt(max(neurons, pixels) / pixels)
        return {
            "W_in": (semi_orthogonal(rng, neurons, pixels) * spread).astype(self.dtype),
            "W_out": semi_orthogonal(rng, classes, neurons).astype(self.dtype),
            "b": np.zeros((self.layout.layers, neurons), self.dtype),
        }

    def _biases(self) -> Array:
        """What drives the neurons without noise, as it broadcasts to (L, B, N)."""
        return self.acting["b"][:, None]

    def _advance(self, columns: int) -> None:
        """Compute `_next_states` from `_states`."""
        raise NotImplementedError

    def _relaxation(self) -> float:
        """omega of the next tick; 1 is plain."""
        return 1.0

    def _products_per_weight(self, nudged: bool) -> float:
        """How many multiply-adds each weight of the couplings takes part in per tick and sample."""
        raise NotImplementedError

    def value(self, name: str) -> float:
        """Where a knob stands."""
        return self.parameters[name].value

    def set_parameter(self, name: str, value: float | str) -> None:
        """Move a knob; acts at the next tick. Raises KnobError."""
        set_knob(self.parameters, name, value)
        self._disturb()
        if name in ("input_gain", "input_noise"):
            self._feed()
        elif name == "weight_noise":
            self._disturbance.set_noise(self.value(name), self._seed)
            self.weights_changed()
        elif name == "noise":
            self._drive[...] = self._biases()
        elif name == "dynamics":
            self._lazy = None

    def _disturb(self) -> None:
        """Something that every neuron depends on has changed."""
        self._stirred = True
        if "coarse" in self.parameters:
            self._coarseness = self.value("coarse")

    def reset(self, seed: int) -> None:
        """Back to rest (all states zero) with the same weights; `seed` starts the noise afresh."""
        self._rng = np.random.default_rng((seed, 1))
        if self.value("weight_noise") > 0 and seed != self._seed:
            self._disturbance.set_noise(self.value("weight_noise"), seed)
            self.weights_changed()
        self._seed = seed
        for array in (*self._states, *self._next_states, self._aim, self._velocity, self._flips, self._sums):
            array[...] = 0
        if self._on_device is not None:
            self._on_device.host_changed()
        self._drive[...] = self._biases()
        self._lazy = None
        self._disturb()
        self.ticks = 0
        self.dense_flops = self.effective_flops = 0.0

    def clamp(self, x: Array, labels: NDArray[np.int64] | None) -> None:
        """Read encoded pictures x (samples, pixels); `labels` (samples,) are the classes to nudge towards.

        `None` means the class that the network itself finds most likely. Raises ValueError.
        """
        if x.shape != self._x.shape:
            raise ValueError(f"the input has shape {x.shape}, this network reads {self._x.shape}")
        if not np.isfinite(x).all():
            raise ValueError("the input holds NaN or infinity")
        self._x[...] = x
        self._labels = None if labels is None else np.asarray(labels)
        self._feed()

    def _feed(self) -> None:
        self._read_pixels(self._x)
        self._disturb()

    def _read_pixels(self, x: Array) -> None:
        self._seen = x
        self._inflow[...] = self.value("input_gain") * (x @ self.acting["W_in"].T)

    def show(self, x: Array) -> None:
        """Other pictures x (samples, pixels) and the same classes to nudge towards; checks nothing."""
        self._x[...] = x
        self._feed()

    def aim(self, steadily: bool = False) -> None:
        """Set the nudging force to -dC/ds_L at the free state of this moment.

        `steadily`: a weak one that does not fade as the network comes to agree, WEAK W_out^T (onehot - 1 / classes).
        """
        logits = self.logits()
        labels = logits.argmax(-1) if self._labels is None else self._labels
        error = np.full_like(logits, -1 / logits.shape[-1]) if steadily else -softmax(logits)
        error[np.arange(self.samples), labels] += 1
        W_out = self.acting["W_out"]
        np.matmul(WEAK * error if steadily else error, W_out, out=self._aim[:, : W_out.shape[1]])

    @property
    def pull(self) -> float:
        """Largest |f| of the force that `aim` has set; never 0, however sure the network is."""
        return max(float(np.abs(self._aim).max()), float(np.finfo(self.dtype).tiny))

    def release(self) -> None:
        """Put the nudged copies back onto the free one and take the force away."""
        for state in (*self._states, *self._next_states):
            state[:, :, 1:] = 0
        self._aim[...] = 0
        if self._on_device is not None:
            self._on_device.release()
        if self._lazy is not None:
            self._lazy.release()

    def tick(self, nudged: bool) -> None:
        """Advance every layer once: the free copy, and the two nudged copies with it if `nudged`."""
        noise = self.value("noise")
        if noise > 0:
            self._rng.standard_normal(out=self._noise, dtype=self.dtype)
            np.multiply(self._noise, noise, out=self._drive)
            self._drive += self._biases()
            self._drive *= ~self._dead[:, None]
            self._stirred = True
        input_noise = self.value("input_noise")
        if input_noise > 0:
            pixels = self._rng.standard_normal(self._x.shape, np.float32)
            self._read_pixels((self._x + input_noise * pixels).astype(self.dtype))
            self._stirred = True
        columns = 3 if nudged else 1
        dense = self._flops_per_product * self._products_per_weight(nudged)
        way = self.parameters["dynamics"].choice if "dynamics" in self.parameters else PLAIN
        done = dense
        if self._on_device is not None and way in self.on_device:
            self._tick_on(self._on_device, columns)
        else:
            self._fetch()
            if way == LAZY:
                done = 2.0 * self._tick_lazily(columns)
            else:
                self._tick_on_host(columns)
            if self._on_device is not None:
                self._on_device.host_changed()
        self.ticks += 1
        self.dense_flops += dense
        self.effective_flops += done

    def _tick_on_host(self, columns: int) -> None:
        if columns == 3:
            np.multiply(self._aim, self.value("beta"), out=self._force)
        self._advance(columns)
        self._states, self._next_states = self._next_states, self._states

    def _tick_on(self, device: ChainOnDevice, columns: int) -> None:
        inputs = (self._drive, self._inflow) if self._stirred else None
        knobs = self.value("sigma"), self._relaxation(), self.value("beta")
        self._sums[...] = device.tick(self._mirrored(), self._aim, inputs, columns, *knobs)
        self._stirred = False

    def _tick_lazily(self, columns: int) -> float:
        """An event-driven tick in place; the multiply-adds done."""
        if self._lazy is None:
            self._lazy = self.lazy_kind(self.acting, self._states[0], self._inflow)
            self._stirred = True
        lazy = self._lazy
        pulled = False
        if columns == 3:
            force = self._aim * self.value("beta")
            pulled = not np.array_equal(force, self._force)
            if pulled and not self._force.any():
                self._coarseness = self.value("coarse")
            self._force[...] = force
        observed = (self._velocity, self._flips, self._sums)
        done = 0.0
        while True:
            threshold = self._coarseness * self.value("epsilon")
            lazy.set_thresholds(threshold, self.value("beta") * self.pull if columns == 3 else 0.0)
            done += lazy.tick(
                self._drive, self._inflow, self._force, self.value("sigma"), self._states, observed,
                columns, self._stirred, pulled,
            )  # fmt: skip
            self._stirred = False
            if self._coarseness == 1:
                return done
            moved = self._sums[:, :, 3].max(), self._sums[:, :, 4].max() / max(self.value("beta") * self.pull, TINY)
            if max(moved[: 1 + (columns == 3)]) > CALM * threshold:
                return done
            self._coarseness = max(1.0, self._coarseness / REFINEMENT)
            self._stirred = True

    def observe(self) -> Observation:
        """Reductions of the last tick."""
        return Observation(self._sums, self.layout.neurons)

    def channels(self, sample: int) -> tuple[Array, Array, Array]:
        """Activation, velocity and nudge of one sample, each (L, N), signed."""
        self._fetch()
        stream = self._states[-1][:, sample]
        return self._states[0][:, sample, 0], self._velocity[:, sample], (stream[:, 1] - stream[:, 2]) / 2

    def columns(self) -> tuple[Array, ...]:
        """The states as the last tick left them, each (L, B, 3, N) in columns free, d+, d-; views, not copies."""
        self._fetch()
        return tuple(self._states)

    def read_in(self) -> tuple[Array, Array]:
        """The pictures x (B, pixels) as the last tick saw them and what layer 1 reads of them, the inflow (B, N)."""
        return self._seen, self._inflow

    def skipped(self, sample: int) -> NDArray[np.bool_]:
        """Where lazy ticks did no work in the last tick, (L, N)."""
        if self._lazy is None:
            return np.zeros((self.layout.layers, self.layout.neurons), bool)
        return self._lazy.skipped[:, sample] > 0

    def oscillating(self, sample: int) -> NDArray[np.bool_]:
        """Where the velocity keeps changing its sign, (L, N)."""
        self._fetch()
        return self._flips[:, sample] >= OSCILLATING_TICKS

    def logits(self) -> Array:
        """Read-out of the free copy's top layer, (B, classes)."""
        state = self._states[-1][-1, :, 0]
        if self._on_device is not None and self._on_device.ahead:
            state = self._on_device.top()
        W_out = self.acting["W_out"]
        read_out: Array = state[:, : W_out.shape[1]] @ W_out.T
        return read_out

    def energy(self) -> NDArray[np.float64] | None:
        """A chain has no energy unless it says so."""
        return None

    def decay_theory(self) -> float | None:
        """No law for the credit's decay unless the chain says so."""
        return None

    def spectral_radius(self) -> float | None:
        """Not measured unless the chain says so: the recursive one's is bounded by sigma."""
        return None

    def density(self) -> NDArray[np.float32] | None:
        """No synapses come and go unless the chain says so."""
        return None

    def state_dict(self) -> dict[str, Array]:
        """Weights by name."""
        return dict(self.weights)

    def load_state_dict(self, weights: dict[str, Array]) -> None:
        """Take over weights of the same names and shapes; recurrent ones are clipped to spectral norm 1.

        Raises ValueError naming the tensor that is missing, unknown, of the wrong shape or not finite.
        """
        check_weights(self.weights, weights)
        for name, new in weights.items():
            self.weights[name][...] = new.astype(self.dtype)
        self.bound(slack=SLACK)
        self.weights_changed()

    def bound(self, slack: float = 0.0) -> None:
        """Put recurrent couplings back to spectral norms of at most 1, in place; leave them if below 1 + slack."""
        large = (n for n in self.recurrent if not slack or spectral_norms(self.weights[n]).max() > 1 + slack)
        clip_recurrent(self.weights, tuple(large))

    def adopt(self, weights: dict[str, Array]) -> None:
        """Use these arrays themselves, not copies; names, shapes and dtype as in `weights`."""
        self.weights = weights
        self.weights_changed()

    def weights_changed(self) -> None:
        """Something has written into `weights`; acts at the next tick."""
        self._store_couplings()
        if self._on_device is not None:
            self._on_device.load_weights(self._device_weights())
        self._lazy = None
        self._drive[...] = self._biases()
        self._feed()

    @property
    def ablated(self) -> NDArray[np.bool_]:
        """The neurons that are cut out, (L, N)."""
        return self._disturbance.dead

    @property
    def _dead(self) -> NDArray[np.bool_]:
        """The same in the order of the states."""
        return self.ablated

    def severed(self, dead: NDArray[np.bool_]) -> dict[str, NDArray[np.bool_]]:
        """Which weights are cut with the `dead` neurons (L, N), by name: all that they receive, hold and send."""
        raise NotImplementedError

    def cut(self) -> dict[str, NDArray[np.bool_]]:
        """Where weights are cut at present, by name, each of its tensor's shape; empty without a lesion."""
        return self._disturbance.cut()

    def ablate(self, where: NDArray[np.bool_]) -> None:
        """Cut out these neurons (L, N) too, in mid-flight: from now on their state is 0, free and nudged.

        `weights` keeps what they had. Raises ValueError for a wrong shape.
        """
        dead = self._disturbance.dead
        if where.shape != dead.shape:
            raise ValueError(f"a lesion of shape {where.shape} does not fit {self.layout.layers} layers")
        self._fetch()
        self._disturbance.dead = dead | where
        layer, neuron = np.nonzero(self._dead)
        for states in (self._states, self._next_states):
            states[0][layer, :, :, neuron] = 0
        if self._on_device is not None:
            self._on_device.host_changed()
        self.weights_changed()

    def heal(self) -> None:
        """All neurons live again, with the weights they had.

        Recurrent couplings that were learned beside a lesion are clipped to spectral norm 1 again (those in half
        precision cannot have been).
        """
        self._disturbance.dead = np.zeros_like(self._disturbance.dead)
        if not self.half_weights:
            self.bound(slack=SLACK)
        self.weights_changed()
