"""View settings tell of every change; the automatic exposure neither latches, flickers nor magnifies noise."""

from __future__ import annotations

import numpy as np
import pytest
from frames import fake_frame

from observatory.view import VELOCITY_FLOOR, ChannelSettings, Exposure, Level, ViewSettings, settings_for

LAYERS, NEURONS = 6, 16


def uniform(value: float) -> np.ndarray:
    return np.full((LAYERS, NEURONS), value, np.float32)


def light(level: Level, value: float) -> float:
    return 0.0 if abs(value) <= level.floor else min(abs(value) * level.scale, 1.0)


@pytest.mark.parametrize(
    ("part", "field", "value"),
    [
        ("red", "on", False),
        ("green", "gain", 3.0),
        ("blue", "log", True),
        ("green", "auto", False),
        (None, "highlight", False),
        (None, "columns", 7),
    ],
)
def test_every_change_is_told_once(part: str | None, field: str, value: object) -> None:
    settings = ViewSettings()
    told: list[bool] = []
    settings.changed.connect(lambda: told.append(True))
    setattr(settings if part is None else getattr(settings, part), field, value)
    assert told == [True]


def test_two_settings_do_not_share_their_signals() -> None:
    one, other = ViewSettings(), ViewSettings()
    told: list[bool] = []
    one.changed.connect(lambda: told.append(True))
    other.red.gain = 2.0
    assert told == []


def test_manual_gain_is_absolute() -> None:
    settings = ViewSettings(red=ChannelSettings(auto=False, gain=2.5))
    exposure = Exposure()
    exposure.observe(fake_frame(activation=uniform(0.01)))
    assert exposure.levels(settings)[0].scale == 2.5


def test_gain_also_scales_the_automatic_exposure() -> None:
    settings = ViewSettings()
    exposure = Exposure()
    exposure.observe(fake_frame(activation=uniform(0.2)))
    before = exposure.levels(settings)[0].scale
    settings.red.gain = 3.0
    assert exposure.levels(settings)[0].scale == pytest.approx(3 * before)


def test_an_all_zero_first_frame_does_not_latch() -> None:
    late, fresh = Exposure(), Exposure()
    planted = fake_frame(activation=uniform(0.2), velocity=uniform(0.1), nudge=uniform(0.01), tick=2)
    late.observe(fake_frame())
    late.observe(planted)
    fresh.observe(planted)
    assert late.tops == fresh.tops


def test_a_brighter_picture_is_followed_at_once_and_a_fading_one_slowly() -> None:
    exposure = Exposure()
    exposure.observe(fake_frame(velocity=uniform(0.01)))
    exposure.observe(fake_frame(velocity=uniform(0.5)))
    bright = exposure.tops[1]
    assert bright == pytest.approx(50 * 0.01 * 1.8)
    tops = [bright]
    for _ in range(300):
        exposure.observe(fake_frame(velocity=uniform(0.01)))
        tops.append(exposure.tops[1])
    steps = np.array(tops[1:]) / np.array(tops[:-1])
    assert steps.min() > 0.95
    assert steps.max() <= 1.0
    assert tops[-1] == pytest.approx(0.01 * 1.8)


def test_an_alternating_picture_does_not_flicker() -> None:
    exposure = Exposure()
    tops = []
    for tick in range(40):
        exposure.observe(fake_frame(velocity=uniform(0.5 if tick % 2 else 0.1)))
        tops.append(exposure.tops[1])
    assert max(tops[5:]) / min(tops[5:]) < 1.05


def test_numerical_noise_at_rest_stays_dark() -> None:
    settings, exposure = ViewSettings(), Exposure()
    for _ in range(2000):
        exposure.observe(fake_frame(velocity=uniform(VELOCITY_FLOOR), nudge=uniform(1e-8)))
    _, green, blue = exposure.levels(settings)
    assert light(green, VELOCITY_FLOOR) == 0
    assert light(green, 3 * VELOCITY_FLOOR) < 0.1
    assert light(blue, 1e-8) == 0


def test_a_tiny_nudge_above_its_floor_is_seen() -> None:
    exposure = Exposure()
    exposure.observe(fake_frame(nudge=uniform(3e-4), metrics={"nudge_floor": 1e-9}))
    blue = exposure.levels(ViewSettings())[2]
    assert light(blue, 3e-4) > 0.5


def test_a_weak_nudge_after_a_strong_one_is_exposed_on_its_own() -> None:
    exposure = Exposure()
    for strength in (0.1, 0.0, 1e-12):
        exposure.observe(fake_frame(nudge=uniform(strength), metrics={"nudge_floor": 0.0}))
    assert light(exposure.levels(ViewSettings())[2], 1e-12) > 0.5


def test_broken_neurons_do_not_spoil_the_exposure() -> None:
    broken = uniform(0.1)
    broken[2, 3], broken[4, 5] = np.nan, np.inf
    exposure = Exposure()
    exposure.observe(fake_frame(velocity=broken, metrics={"nudge_floor": float("nan")}))
    assert exposure.tops[1] == pytest.approx(0.1 * 1.8, rel=0.05)
    assert all(np.isfinite([level.scale, level.floor]).all() for level in exposure.levels(ViewSettings()))


def test_another_preset_starts_afresh() -> None:
    exposure = Exposure()
    exposure.observe(fake_frame(velocity=uniform(0.5)))
    exposure.observe(fake_frame(velocity=uniform(0.01), epoch=1))
    assert exposure.tops[1] == pytest.approx(0.01 * 1.8)


def test_the_fading_signals_of_a_hopfield_chain_start_logarithmic() -> None:
    assert all(channel.log for channel in settings_for("hopfield").channels)
    assert not any(channel.log for channel in settings_for("recursive").channels)
