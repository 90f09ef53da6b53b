"""What each kind of layer is for, each measured beside a chain that does without it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.networks.tween.attention import Attention
from engine.networks.tween.chain import TweenChain
from engine.networks.tween.composite import Residual
from engine.networks.tween.dense import Dense
from engine.networks.tween.layer import Layer
from engine.networks.tween.links import depth_barrier
from engine.networks.tween.norm import LayerNorm, RMSNorm
from engine.networks.tween.recurrent import LSTM

CLASSES = 4


def _one_hot(answers: NDArray[np.int64]) -> NDArray[np.float32]:
    return np.eye(CLASSES, dtype=np.float32)[answers]


class TestDamping:
    """Patterns that stay for a while; one frame in ten shows another pattern, and the answer does not follow it."""

    lanes, samples = 4, 24

    def _learned(self, first: Layer, patterns: NDArray[np.float64]) -> TweenChain:
        rng = np.random.default_rng(0)
        chain = TweenChain(
            [first, Dense((24,), 24), Dense((24,), CLASSES, "linear")], lanes=self.lanes, samples=self.samples, seed=1
        )
        chain.rules.rate = 0.01
        now = np.zeros((self.lanes, self.samples), np.int64)
        for _ in range(1500):
            now = np.where(rng.random(now.shape) < 0.04, rng.integers(0, CLASSES, now.shape), now)
            shown = np.where(rng.random(now.shape) < 0.1, rng.integers(0, CLASSES, now.shape), now)
            chain.x = (patterns[shown] + 0.1 * rng.standard_normal(chain.x.shape)).astype(np.float32)
            chain.y = _one_hot(now)
            chain.tick()
        chain.rules.learning = False
        return chain

    def _outputs(self, chain: TweenChain, patterns: NDArray[np.float64], bad: int | None) -> NDArray[np.float32]:
        """Of 40 ticks of one pattern a sample, (ticks, S, B, classes); in the bad tick another one is shown."""
        chain.reset()
        right = np.arange(self.samples) % CLASSES
        other = (right + 1 + np.arange(self.samples) // CLASSES % (CLASSES - 1)) % CLASSES
        outputs = []
        for tick in range(40):
            shown = other if tick == bad else right
            chain.x = np.broadcast_to(patterns[shown], chain.x.shape).astype(np.float32)
            chain.tick()
            outputs.append(chain.output)
        return np.stack(outputs)

    def test_one_bad_frame_turns_a_dense_chain_round_and_hardly_moves_one_that_begins_with_an_lstm(self) -> None:
        patterns = np.random.default_rng(5).standard_normal((CLASSES, 8))
        moved, flipped = {}, {}
        for first in (LSTM((8,), 24), Dense((8,), 24)):
            chain = self._learned(first, patterns)
            calm, hit = (self._outputs(chain, patterns, bad) for bad in (None, 25))
            right = np.arange(self.samples) % CLASSES
            assert (calm[-1].argmax(-1) == right).mean() > 0.95
            moved[first.kind] = float(np.linalg.norm(hit - calm, axis=-1).max(0).mean())
            flipped[first.kind] = float((hit[25:].argmax(-1) != right).any(0).mean())
        print(f"moved {moved}, answers turned {flipped}")
        assert moved["lstm"] < 0.7 * moved["dense"]
        assert flipped["dense"] > 0.8
        assert flipped["lstm"] < 0.4


class TestRouting:
    """One step of a sequence is marked; the answer is its sign, the other steps' signs mislead. It moves every tick."""

    steps, features = 5, 4

    def _source_weight(self, *, learning: bool, told: bool = True) -> tuple[float, float]:
        """What the head reads of the marked step in the end, 1/5 by chance; and how often the answer is right."""
        rng = np.random.default_rng(0)
        shape = (self.steps, self.features)
        chain = TweenChain([Attention(shape), Dense(shape, 2, "linear")], lanes=4, samples=32, seed=1)
        chain.rules.rate, chain.rules.learning = 0.01, learning
        late: list[NDArray[np.float32]] = []
        weights, right = [], []
        for tick in range(1000):
            marked = np.arange(self.steps) == rng.integers(0, self.steps, (4, 32, 1))
            x = 0.3 * rng.standard_normal((4, 32, *shape))
            x[..., 0] = 2 * marked
            x[..., 1] = rng.choice([-1, 1], marked.shape)
            positive = (x[..., 1] * marked).sum(-1) > 0 if told else rng.random((4, 32)) < 0.5
            late.append(np.stack([positive, ~positive], -1).astype(np.float32))
            chain.x, chain.y = x.astype(np.float32), late[tick - 2] if tick > 1 else None
            if chain.y is not None and tick >= 900:
                right.append((chain.output.argmax(-1) == chain.y.argmax(-1)).mean())
            chain.tick()
            attention, (cache, _) = chain.links[0].layer, chain.links[0].passes[-1]
            assert isinstance(attention, Attention)
            routes = attention.routes(cache)[:, :, 0]
            if tick >= 900:
                weights.append(float(routes.swapaxes(-1, -2)[marked].mean()))
        return float(np.mean(weights)), float(np.mean(right))

    def test_the_head_turns_to_the_planted_source_wherever_it_is(self) -> None:
        before, guess = self._source_weight(learning=False)
        after, right = self._source_weight(learning=True)
        print(f"weight on the source {before:.3f} -> {after:.3f}, right {guess:.2f} -> {right:.2f}")
        assert 0.15 < before < 0.27
        assert after > 2 * before
        assert right > 0.9

    def test_it_does_not_when_answers_tell_nothing(self) -> None:
        after, right = self._source_weight(learning=True, told=False)
        assert after < 0.3
        assert 0.4 < right < 0.6


class TestRegulating:
    """The same pictures a thousand times as bright."""

    def _gaps(self, first: Layer, brightness: float) -> NDArray[np.float64]:
        rng = np.random.default_rng(0)
        chain = TweenChain([first, Dense((8,), 16), Dense((16,), 4, "linear")], lanes=2, samples=4, dtype="float64")
        x, y = rng.standard_normal(chain.x.shape), rng.standard_normal(chain.output.shape)
        for _ in range(40):
            chain.x, chain.y = brightness * x, y
            chain.tick()
        return np.stack([link.gap for link in chain.links])

    @pytest.mark.parametrize("make", [LayerNorm, RMSNorm])
    def test_behind_a_norm_the_gaps_do_not_know_the_scale_of_the_input(
        self, make: Callable[[tuple[int]], Layer]
    ) -> None:
        low, high = (self._gaps(make((8,)), brightness) for brightness in (1, 1000))
        print(f"gaps behind a {make((8,)).kind} change by {np.abs(high / low - 1).max():.1e}")
        np.testing.assert_allclose(high, low, rtol=1e-5)

    def test_behind_a_dense_layer_they_do(self) -> None:
        low, high = (self._gaps(Dense((8,), 8), brightness) for brightness in (1, 1000))
        print(f"gaps behind a dense layer change by {np.abs(high / low - 1).max():.1e}")
        assert np.abs(high / low - 1).max() > 0.2


class TestBypassing:
    """A hundred layers."""

    def _chain(self, residual: bool, layerwise: bool) -> TweenChain:
        rng = np.random.default_rng(0)
        hidden: list[Layer] = [Residual([Dense((16,), 16)], 0.1) if residual else Dense((16,), 16) for _ in range(99)]
        chain = TweenChain([*hidden, Dense((16,), CLASSES, "linear")], lanes=3, samples=4)
        chain.rules.rate, chain.rules.scale, chain.rules.layerwise = 0.01, 1.0, layerwise
        chain.x = rng.standard_normal(chain.x.shape).astype(np.float32)
        chain.y = np.broadcast_to(_one_hot(np.arange(CLASSES)), chain.output.shape)
        for _ in range(400):
            chain.tick()
        return chain

    def test_layerwise_link_budgets_stay_above_a_half_where_the_plain_chains_fall_below(self) -> None:
        with_bypass, plain = (
            np.stack([link.budget for link in self._chain(residual, layerwise=True).links])
            for residual in (True, False)
        )
        print(f"smallest budget {with_bypass.min():.3f} and {plain.min():.3f}; barrier "
              f"{depth_barrier(with_bypass)[-1].min():.1e} and {depth_barrier(plain)[-1].max():.1e}")  # fmt: skip
        assert with_bypass.min() > 0.5
        assert plain.min(0).max() < 0.5
        assert depth_barrier(with_bypass)[-1].min() > 1e10 * depth_barrier(plain)[-1].max()

    def test_credit_reaches_layer_one_and_the_chain_learns_where_the_plain_one_does_not(self) -> None:
        reach, left = {}, {}
        for residual in (True, False):
            links = self._chain(residual, layerwise=False).links
            reach[residual] = np.abs(links[0].credit).max() / np.abs(links[-1].credit).max()
            left[residual] = np.square(links[-1].credit).mean()
        print(f"credit at layer 1 over credit at layer 100 {reach}, squared error {left}")
        assert reach[True] > 0.1
        assert reach[False] < 1e-3
        assert left[True] < 0.1 * left[False]


class TestLiquid:
    """Twelve rare inputs, each with its answer, so that a few entries of a gradient dominate it."""

    def _error(self, *, liquid: bool, rate: float) -> float:
        """Squared error over the last 100 of 800 ticks; what is not finite is infinite."""
        rng = np.random.default_rng(0)
        chain = TweenChain([Dense((12,), 24), Dense((24,), CLASSES, "linear")], lanes=8, samples=4, seed=1)
        chain.rules.rate, chain.rules.liquid = rate, liquid
        answers = rng.integers(0, CLASSES, 12)
        errors = []
        with np.errstate(over="ignore", invalid="ignore"):
            for shown, due in self._shown(rng, chain):
                chain.x = 3 * np.eye(12, dtype=np.float32)[shown]
                chain.y = None if due is None else _one_hot(answers[due])
                chain.tick()
                errors.append(float(np.square(chain.links[-1].credit).mean()))
        found = float(np.mean(errors[-100:]))
        return found if np.isfinite(found) else np.inf

    @staticmethod
    def _shown(
        rng: np.random.Generator, chain: TweenChain
    ) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64] | None]]:
        shown: list[NDArray[np.int64]] = []
        for tick in range(800):
            shown.append(rng.integers(0, 12, (chain.lanes, chain.samples)))
            yield shown[-1], shown[tick - 2] if tick > 1 else None

    def test_they_help_where_steps_are_small(self) -> None:
        plain, liquid = (self._error(liquid=on, rate=0.0003) for on in (False, True))
        print(f"rate 0.0003: plain {plain:.4f}, liquid {liquid:.4f}")
        assert liquid < 0.5 * plain

    def test_they_hurt_where_steps_are_large(self) -> None:
        """Up to N times the step where one entry dominates: out of the range in which the chain is stable."""
        plain, liquid = (self._error(liquid=on, rate=0.03) for on in (False, True))
        print(f"rate 0.03: plain {plain:.1e}, liquid {liquid}")
        assert plain < 1e-6
        assert liquid > 1.0
