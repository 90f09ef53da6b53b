"""A session: one network, its input, its phases and what is measured, ticked by whoever holds it."""

from __future__ import annotations

import math
import time

import numpy as np
from numpy.typing import NDArray

from engine.build import build_network, load_data, stream_of
from engine.commands import (
    Ablate,
    AblateRegion,
    Command,
    Dream,
    Heal,
    Learn,
    LoadPreset,
    Nudge,
    Pause,
    Reset,
    SaveWeights,
    SelectSample,
    SetInput,
    SetParameter,
    SetTarget,
    Step,
    TakeSnapshot,
    Throttle,
)
from engine.dreaming import Dreaming, Prior
from engine.frame import ABLATED, NOT_FINITE, OSCILLATING, SATURATED, SKIPPED, UNUSED, Frame, Metrics, Phase
from engine.homeostasis import Homeostat, homeostasis_knobs
from engine.knobs import Knob, KnobError, set_knob
from engine.learning.live import LiveLearning
from engine.listening import Listening, listening_knobs
from engine.metrics import credit_decay, nudge_depth
from engine.network import Network
from engine.networks.chain import Chain, softmax
from engine.networks.conv.chain import ConvChain
from engine.networks.disturbance import drawn_lesion
from engine.networks.growing.network import GrowingNetwork
from engine.networks.nested.chain import NestedChain
from engine.networks.tween.network import TweenNetwork
from engine.oracle.readout import ReadOut
from engine.phases import Clocked, Persistent, Schedule, Streaming, phase_knobs
from engine.preset import Preset, PresetError
from engine.snapshot import Snapshot
from engine.weights import write_weights
from kernels.backends import AUTO
from kernels.cuda.device import DeviceError

SATURATED_ABOVE = 0.97
_LIVING = TweenNetwork | GrowingNetwork
"""Networks that never settle: each tick brings something new, and is a lesson."""
_IN_PLACES = TweenNetwork | GrowingNetwork | ConvChain | NestedChain
"""Networks whose tiles have places without a neuron, and neurons with several."""
_NO_RESETTLING = ("rate", "beta", "tolerance", "t_free", "t_nudge", "hold", "advance", "homeostasis")


class Session:
    """A network that runs: commands change it between ticks, `frame` publishes it. Not thread-safe by design.

    Raises PresetError when the preset cannot be built (weights, knobs) and BackendError for the backend.
    """

    def __init__(self, preset: Preset, backend: str = AUTO) -> None:
        self._backend_wanted = backend
        self.paused = False
        self.throttle = preset.ticks_per_second
        self.steps_left = 0
        """Ticks that are still owed while paused."""
        self._nudge = True
        self._epoch = 0
        self._load(preset)

    def _load(self, preset: Preset) -> None:
        network = build_network(preset, self._backend_wanted)
        phases: dict[str, Knob] = {}
        stream = stream_of(preset)
        if stream is not None:
            phases = listening_knobs(stream)
        elif isinstance(network, Chain):
            phases = phase_knobs() | homeostasis_knobs()
            set_knob(phases, "persistent", float(preset.mode == "persistent"))
        for name, value in preset.knobs.items():
            try:
                if name in phases:
                    set_knob(phases, name, value)
                else:
                    set_knob({**network.parameters, **phases}, name, value)
                    network.set_parameter(name, value)
            except KnobError as error:
                raise PresetError(f"{preset.name}: knobs: {error}") from None
        self.preset = preset
        self.network: Network = network
        shape = network.layout.layers, network.layout.neurons
        self._neurons = network.first if isinstance(network, _IN_PLACES) else np.ones(shape, bool)
        """One place for each neuron, (layers, neurons)."""
        self._learning: LiveLearning | None = None
        self._dreaming: Dreaming | None = None
        self._stream = stream
        self._listening: Listening | None = None
        self._phase_knobs = phases
        self._data = load_data(preset)
        self.throttle = preset.ticks_per_second
        self._label: int | None = None
        self._sample: int | None = None
        self._image: NDArray[np.float32] = np.zeros(self._data.shape, np.float32)
        if not isinstance(network, _LIVING) and stream is None:
            self._clamp_sample(preset.sample)
        self._start_afresh()

    @property
    def backend(self) -> str:
        """Name of the backend in use."""
        return self.network.backend

    @property
    def backend_reason(self) -> str:
        """What it computes with, and if it is not the first choice, why."""
        return self.network.backend_reason

    def leave_device(self, error: DeviceError) -> str:
        """Pause and go on without the device that has failed; what to tell the person.

        The state is that of the last tick if it could still be read. Otherwise it is the newest copy on the host, and
        the free phase starts anew from there. Presets loaded later stay on the host too.
        """
        failed = self.backend
        assert isinstance(self.network, Chain)
        lost = self.network.leave_device(f"{failed} failed: {error}")
        self._backend_wanted = self.backend
        if lost:
            self._settle_anew()
        self.paused, self.steps_left = True, 0
        kept = f"the state of {lost} ticks ago" if lost else "the state it had"
        return f"{failed} failed ({error}). Paused with {kept}; Play goes on with {self.backend}."

    @property
    def phase(self) -> Phase:
        """The phase that the next tick belongs to."""
        return self._schedule.phase

    def _start_afresh(self) -> None:
        self.done = False
        """Whether the hold of this sample was over at the last tick."""
        self.network.reset(self.preset.seed)
        self._epoch += 1
        self.homeostat = Homeostat(self.network.layout.layers, self.network.dtype)
        """What regulates sigma while the knob `homeostasis` is on; an experiment may put another one here."""
        settles = self._stream is None and not isinstance(self.network, _LIVING)
        self._readout = ReadOut(self.network) if settles else None
        self._schedule: Schedule = self._new_schedule()
        self.network.reset(self.preset.seed)
        self._radius: float | None = None
        self._timed_from = (time.perf_counter(), 0)
        self._ticks_per_second = 0.0
        self._gather_knobs()

    def _new_schedule(self) -> Schedule:
        if isinstance(self.network, _LIVING):
            return Streaming(self.network, self._nudge)
        if self._stream is not None:
            self._listening = Listening(self.network, self._nudge, self._stream, self.preset.seed)
            return self._listening
        if self._dreaming is not None:
            self._dreaming = self._new_dream()
            return self._dreaming
        kind = Persistent if self._phase_knobs["persistent"].value else Clocked
        return kind(self.network, self._nudge)

    def _new_dream(self) -> Dreaming:
        """A dream that begins at the clamped picture. Raises ValueError for a network that cannot dream."""
        prior = Prior(self._data, self.preset.seed)
        return Dreaming(self.network, self._nudge, self._data, prior, self._data.encode(self._image)[None])

    @property
    def _picture(self) -> NDArray[np.float32]:
        """What the network is shown: what was clamped, what it hears, or what it dreams."""
        if self._listening is not None and self._listening.heard is not None:
            return self._data.decode(self._listening.heard.x)
        return self._image if self._dreaming is None else self._dreaming.pictures[0]

    def _settle_anew(self) -> None:
        """The free state has to settle anew, from where it is."""
        self._schedule.begin(self.network)
        self.homeostat.disturbed()
        if self._readout is not None:
            self._readout.begin()
        self._radius = None

    def _gather_knobs(self) -> None:
        self.knobs: dict[str, Knob] = {**self.network.parameters, **self._phase_knobs}

    def _clamp_sample(self, index: int) -> None:
        index %= len(self._data.images)
        self._clamp(self._data.picture(index), int(self._data.labels[index]))
        self._sample = index

    def _clamp(self, image: NDArray[np.float32], label: int | None) -> None:
        self._refuse_under_a_stream("its input and its target cannot be chosen")
        shape = self._data.shape
        if image.shape != shape:
            raise ValueError(f"a picture of {' x '.join(map(str, shape))} pixels is needed, got shape {image.shape}")
        x = self._data.encode(image)[None]
        self.network.clamp(x, None if label is None else np.array([label]))
        if self._dreaming is not None:
            self._dreaming.dream_from(x)
        self._image = np.array(image, np.float32)
        self._label = label

    def _refuse_under_a_stream(self, why: str) -> None:
        if self._stream is not None:
            raise ValueError(f"this network follows the stream {self._stream.kind}; {why}")

    def apply(self, command: Command) -> str:
        """Carry out one command; news for the person, mostly none.

        Raises ValueError (PresetError, KnobError, ...) and is then unchanged.
        """
        match command:
            case SetParameter(name, value):
                self._set_parameter(name, value)
            case LoadPreset(preset):
                self._load(preset)
            case SelectSample(index):
                self._clamp_sample(index)
                self._settle_anew()
            case SetInput(image, label):
                self._clamp(image, label)
                self._sample = None
                self._settle_anew()
            case SetTarget(label):
                if not 0 <= label < self._data.classes:
                    raise ValueError(f"class {label} does not exist; there are 0 to {self._data.classes - 1}")
                begun = self._image
                self._clamp(self._picture, label)
                self._image = begun
                self._settle_anew()
            case Pause(on):
                self.paused, self.steps_left = on, 0
            case Step(count):
                self.paused, self.steps_left = True, self.steps_left + count
            case Reset():
                self._start_afresh()
            case Ablate(share):
                if not 0 <= share <= 1:
                    raise ValueError(f"a share of {share:g} of the neurons cannot be cut out; it goes from 0 to 1")
                dead = self.network.ablated
                rng = np.random.default_rng((self.preset.seed, 7, int(dead.sum())))
                self.network.ablate(drawn_lesion(self._neurons & ~dead, share, rng, self._neurons))
                self._settle_anew()
            case AblateRegion(neurons):
                self.network.ablate(neurons)
                self._settle_anew()
            case Heal():
                self.network.heal()
                self._settle_anew()
            case Learn(on):
                self._learn(on)
            case Dream(on) if on != (self._dreaming is not None):
                return self._dream(on)
            case SaveWeights(path):
                write_weights(path, self.network.state_dict(), {"preset": self.preset.name})
                return f"Weights saved: {path}"
            case TakeSnapshot(reply):
                reply.put(self._snapshot())
            case Nudge(on):
                self._nudge = on
                self._schedule.switch_nudge(self.network, on)
            case Throttle(ticks_per_second):
                if not 0 <= ticks_per_second < float("inf"):
                    raise ValueError(f"throttle {ticks_per_second:g} is not a number of ticks per second")
                self.throttle = ticks_per_second
        return ""

    def _snapshot(self) -> Snapshot:
        network = self.network
        weights = network.acting if isinstance(network, Chain) else network.state_dict()
        return Snapshot(
            preset=self.preset,
            weights={name: array.copy() for name, array in weights.items()},
            knobs={name: knob.choice if knob.choices else knob.value for name, knob in self.knobs.items()},
            tick=network.ticks,
            epoch=self._epoch,
        )

    def _set_parameter(self, name: str, value: float | str) -> None:
        if name in self._phase_knobs:
            set_knob(self._phase_knobs, name, value)
            if name == "persistent" and self._dreaming is None:
                self._schedule = self._new_schedule()
        else:
            set_knob(dict(self.knobs), name, value)
            self.network.set_parameter(name, value)
        if name not in _NO_RESETTLING:
            self._settle_anew()
        self._gather_knobs()

    def tick(self) -> None:
        """Advance the network once; go to the next sample when its time has come."""
        phase = self._schedule.phase
        self.done = self._schedule.tick(self.network, self.knobs)
        if self._readout is not None:
            self._readout.tick()
        rested = self._schedule.relaxing.of_batch is not None or self._schedule.phase in ("nudged", "hold")
        if self._radius is None and rested and self._stream is None:
            self._radius = self.network.spectral_radius()
        if self._learning is not None:
            self._learn_from(self._learning, phase)
        if "homeostasis" in self.knobs and self.knobs["homeostasis"].value and self._dreaming is None:
            self._regulate()
        if self.done and self._sample is not None and self.knobs["advance"].value:
            learning = self._learning
            self._clamp_sample(self._sample + 1 if learning is None else learning.next_sample())
            self._settle_anew()

    def _regulate(self) -> None:
        """Move sigma where the velocity says: down at once, up when this sample is over."""
        homeostat = self.homeostat
        seen = self.network.observe()
        velocity = float(seen.velocity_max.max()) if seen.finite else math.inf
        verdict = homeostat.observe(velocity, self.knobs["tolerance"].value, self._radius)
        if verdict == "diverges" or (verdict == "rests" and self.done):
            knob = self.knobs["sigma"]
            sigma = homeostat.regulated(knob.value, knob.high)
            if sigma != knob.value:
                self._set_parameter("sigma", sigma)
            if not seen.finite:
                self._start_afresh()

    def _dream(self, on: bool) -> str:
        """Let the clamped picture go, or hold what is dreamt as the input."""
        self._refuse_under_a_stream("it cannot dream")
        learned = self._learning is not None
        if on:
            self._schedule = self._dreaming = self._new_dream()
            self._learning = None
        else:
            self._clamp(self._picture, self._label)
            self._sample, self._dreaming = None, None
            self._schedule = self._new_schedule()
        self._settle_anew()
        return "Learning is off: a dream teaches nothing." if on and learned else ""

    def _learn(self, on: bool) -> None:
        if not on:
            self._learning = None
            return
        self._refuse_under_a_stream("it does not learn live")
        if self._dreaming is not None:
            raise ValueError("the network dreams, and a dream teaches nothing; end the dream first")
        elif self._learning is None:
            if not isinstance(self.network, Chain):
                raise ValueError(
                    f"a {self.network.kind} network learns at every tick already; its knob freeze stops it"
                )
            self._learning = LiveLearning(self.network, self._data, self.preset.seed)

    def _learn_from(self, learning: LiveLearning, before: Phase) -> None:
        """Update after a nudged phase, or at every tick without phases; note the answer that came before it."""
        if self._label is None or not self._nudge:
            return
        now, rate = self._schedule.phase, self.knobs["rate"].value
        right = int(self.network.logits()[0].argmax()) == self._label
        if now == "persistent":
            learning.update(self._label, rate / self.knobs["t_nudge"].value)
            if self.done:
                learning.answered(right)
                learning.sample_done()
        elif before == "free" and now != "free":
            learning.answered(right)
        elif before == "nudged" and now != "nudged":
            learning.update(self._label, rate)
            learning.sample_done()

    def _measured_speed(self) -> float:
        now, (since, ticks) = time.perf_counter(), self._timed_from
        if now - since > 0.25:
            self._ticks_per_second = (self.network.ticks - ticks) / (now - since)
            self._timed_from = (now, self.network.ticks)
        return self._ticks_per_second

    def frame(self) -> Frame:
        """Everything a view needs, copied out."""
        network, schedule = self.network, self._schedule
        activation, velocity, nudge = (np.array(c, np.float32) for c in network.channels(0))
        saturated = np.abs(activation) > SATURATED_ABOVE
        oscillating = network.oscillating(0)
        unsound = ~(np.isfinite(activation) & np.isfinite(velocity) & np.isfinite(nudge))
        bits = (SATURATED, saturated), (OSCILLATING, oscillating), (NOT_FINITE, unsound), (SKIPPED, network.skipped(0))
        lives = network if isinstance(network, TweenNetwork) else None
        flags = np.where(network.ablated, ABLATED, 0).astype(np.uint8)
        if isinstance(network, _IN_PLACES):
            flags[network.unused] = UNUSED
        for bit, where in bits:
            flags[where] |= bit
        seen = network.observe()
        rms_nudge = seen.rms_nudge[:, 0]
        depth = nudge_depth(rms_nudge, schedule.floor)
        energy = network.energy()
        velocity_max = float(seen.velocity_max[0])
        listening = self._listening
        heard = None if listening is None else listening.heard
        moves = velocity_max if listening is None else listening.apart
        metrics = Metrics(
            phase=schedule.phase,
            phase_ticks=schedule.phase_ticks,
            settled=bool(
                not isinstance(network, _LIVING)
                and network.ticks > 0
                and "tolerance" in self.knobs
                and moves < self.knobs["tolerance"].value
            ),
            t_relax=schedule.relaxing.of_batch,
            t_nudge=schedule.nudging.of_batch,
            d_nudge=depth,
            nudge_floor=schedule.floor,
            velocity_max=velocity_max,
            rms_activation=seen.rms_activation[:, 0].astype(np.float32),
            rms_velocity=seen.rms_velocity[:, 0].astype(np.float32),
            rms_nudge=rms_nudge.astype(np.float32),
            saturated_share=float(saturated[self._neurons].mean()),
            oscillating_share=float(oscillating[self._neurons].mean()),
            finite=seen.finite,
            energy=None if energy is None else float(energy[0]),
            credit_decay=credit_decay(rms_nudge, depth),
            decay_theory=network.decay_theory(),
            dense_flops=network.dense_flops,
            effective_flops=network.effective_flops,
            ticks_per_second=self._measured_speed(),
            probabilities=_probabilities(network),
            spectral_radius=self._radius,
            entrainment=None if listening is None else listening.entrainment,
        )
        scene = None if lives is None else lives.scene()
        return Frame(
            tick=network.ticks,
            preset=self.preset.name,
            layout=network.layout,
            activation=activation,
            velocity=velocity,
            nudge=nudge,
            flags=flags,
            metrics=metrics,
            knobs=self.knobs,
            sample=self._sample if self._dreaming is None else None,
            image=self._picture if scene is None else scene.picture,
            label=self._label if heard is None else heard.label,
            paused=self.paused,
            nudging=self._nudge,
            dreaming=self._dreaming is not None,
            learning=None if self._learning is None else self._learning.progress,
            data=self._data.summary,
            seed=self.preset.seed,
            backend=network.backend,
            backend_reason=network.backend_reason,
            epoch=self._epoch,
            decision=None if self._readout is None else self._readout.decision(0),
            links=None if lives is None else lives.links(),
            scene=scene,
            density=network.density(),
            rhythm=None if listening is None else listening.rhythm(),
            growth=network.growth() if isinstance(network, GrowingNetwork) else None,
        )


def _probabilities(network: Network) -> NDArray[np.float32]:
    """Of the free copy's classes; a tween chain is taught them as they are, without a softmax."""
    logits = network.logits()[0]
    found = logits.clip(0, 1) if isinstance(network, TweenNetwork) else softmax(logits)
    return found.astype(np.float32)
