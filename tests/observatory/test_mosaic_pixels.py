"""The colours of planted frames, in a real OpenGL window."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from frames import fake_frame
from numpy.typing import NDArray
from PyQt6.QtGui import QImage
from pytestqt.qtbot import QtBot

from engine.frame import NOT_FINITE, OSCILLATING, SATURATED, SKIPPED, Frame
from observatory.canvas.colours import BLUE, GREEN, PAGE, RED, REST
from observatory.canvas.glyphs import digit_texture
from observatory.canvas.mosaic import MosaicCanvas
from observatory.view import ViewSettings

LAYERS, SIDE = 12, 8
TOLERANCE = 2.0


def planted(layer: int, **values: Any) -> Frame:
    """A resting frame with one layer set to the given values."""
    channels: dict[str, Any] = {}
    for name, value in values.items():
        channel = np.zeros((LAYERS, SIDE * SIDE), np.uint8 if name == "flags" else np.float32)
        channel[layer - 1] = value
        channels[name] = channel
    return fake_frame(LAYERS, SIDE, **channels)


def manual(gain: float = 1.0, **settings: Any) -> ViewSettings:
    view = ViewSettings(**settings)
    for channel in view.channels:
        channel.auto, channel.gain = False, gain
    return view


@pytest.fixture
def canvas(qtbot: QtBot) -> Iterator[MosaicCanvas]:
    eye = MosaicCanvas(manual())
    qtbot.addWidget(eye.native)
    eye.native.resize(640, 480)
    eye.native.show()
    qtbot.waitExposed(eye.native)
    yield eye
    eye.close()


def pixels(image: QImage) -> NDArray[np.uint8]:
    image = image.convertToFormat(QImage.Format.Format_RGB888)
    bits = image.constBits()
    assert bits is not None
    rows = np.frombuffer(bits.asstring(image.sizeInBytes()), np.uint8).reshape(image.height(), image.bytesPerLine())
    return rows[:, : 3 * image.width()].reshape(image.height(), image.width(), 3)


def shown(canvas: MosaicCanvas, frame: Frame, qtbot: QtBot) -> NDArray[np.uint8]:
    """What the window shows of a frame after its next swap."""
    with qtbot.waitSignal(canvas.native.frameSwapped):
        canvas.show_frame(frame)
    return pixels(canvas.native.grabFramebuffer())


def centre_of(canvas: MosaicCanvas, picture: NDArray[np.uint8], layer: int) -> NDArray[np.float64]:
    """Mean colour of the central half of a tile, 0..255."""
    x, y = canvas.position_of(layer)
    here, there = canvas.position_of(1), canvas.position_of(2)
    half = int((there[0] - here[0]) / 1.1 / 4)
    part = picture[round(y) - half : round(y) + half, round(x) - half : round(x) + half]
    return part.reshape(-1, 3).astype(float).mean(axis=0)


def colour(tint: tuple[float, float, float], light: float) -> NDArray[np.float64]:
    return np.array([255 * max(light * part, rest) for part, rest in zip(tint, REST, strict=True)])


@pytest.mark.parametrize("layer", [1, 4, LAYERS])
@pytest.mark.parametrize(("channel", "tint"), [("activation", RED), ("velocity", GREEN), ("nudge", BLUE)])
@pytest.mark.parametrize("value", [0.5, -0.5, 1.0])
def test_each_channel_has_its_colour_and_its_layer(
    canvas: MosaicCanvas, qtbot: QtBot, layer: int, channel: str, tint: tuple[float, float, float], value: float
) -> None:
    picture = shown(canvas, planted(layer, **{channel: value}), qtbot)
    np.testing.assert_allclose(centre_of(canvas, picture, layer), colour(tint, abs(value)), atol=TOLERANCE)
    other = layer % LAYERS + 1
    np.testing.assert_allclose(centre_of(canvas, picture, other), colour(tint, 0), atol=TOLERANCE)


def test_the_channels_add_up(canvas: MosaicCanvas, qtbot: QtBot) -> None:
    picture = shown(canvas, planted(3, activation=0.5, nudge=0.25), qtbot)
    expected = 255 * (0.5 * np.array(RED) + 0.25 * np.array(BLUE))
    np.testing.assert_allclose(centre_of(canvas, picture, 3), expected, atol=TOLERANCE)


def test_a_neuron_that_sent_nothing_is_dimmed(canvas: MosaicCanvas, qtbot: QtBot) -> None:
    picture = shown(canvas, planted(3, activation=0.8, flags=SKIPPED), qtbot)
    np.testing.assert_allclose(centre_of(canvas, picture, 3), colour(RED, 0.45 * 0.8), atol=TOLERANCE)


def test_changing_a_gain_redraws(canvas: MosaicCanvas, qtbot: QtBot) -> None:
    shown(canvas, planted(2, velocity=0.1), qtbot)
    with qtbot.waitSignal(canvas.native.frameSwapped):
        canvas._settings.green.gain = 6.0
    picture = pixels(canvas.native.grabFramebuffer())
    np.testing.assert_allclose(centre_of(canvas, picture, 2), colour(GREEN, 0.6), atol=TOLERANCE)


@pytest.mark.parametrize(("value", "light"), [(1.0, 1.0), (1e-2, 0.5), (3e-4, 1 + math.log10(3e-4) / 4), (1e-5, 0.0)])
def test_the_log_scale_spreads_four_decades(canvas: MosaicCanvas, qtbot: QtBot, value: float, light: float) -> None:
    canvas._settings.blue.log = True
    picture = shown(canvas, planted(5, nudge=value), qtbot)
    np.testing.assert_allclose(centre_of(canvas, picture, 5), colour(BLUE, light), atol=TOLERANCE)


def test_velocities_of_rest_stay_dark_on_the_log_scale(canvas: MosaicCanvas, qtbot: QtBot) -> None:
    canvas._settings.green.log = True
    picture = shown(canvas, planted(5, velocity=1e-4), qtbot)
    np.testing.assert_allclose(centre_of(canvas, picture, 5), colour(GREEN, 0), atol=TOLERANCE)


def test_a_channel_can_be_switched_off(canvas: MosaicCanvas, qtbot: QtBot) -> None:
    canvas._settings.red.on = False
    picture = shown(canvas, planted(1, activation=1.0, velocity=0.5), qtbot)
    np.testing.assert_allclose(centre_of(canvas, picture, 1), colour(GREEN, 0.5), atol=TOLERANCE)


@pytest.mark.parametrize(
    ("flag", "velocity", "white"),
    [
        (SATURATED, 0.0, 0.4),
        (OSCILLATING, 1.0, 0.85),
        (OSCILLATING, 0.5, 0.575),
        (OSCILLATING, 0.001, 0.3),
        (SATURATED | OSCILLATING, 0.0, 0.4),
    ],
)
def test_highlights_whiten(canvas: MosaicCanvas, qtbot: QtBot, flag: int, velocity: float, white: float) -> None:
    canvas._settings.green.on = False
    expected = colour(RED, 0.9) * (1 - white) + 255 * white
    picture = shown(canvas, planted(7, activation=0.9, velocity=velocity, flags=flag), qtbot)
    np.testing.assert_allclose(centre_of(canvas, picture, 7), expected, atol=TOLERANCE)
    canvas._settings.highlight = False
    plain = shown(canvas, planted(7, activation=0.9, velocity=velocity, flags=flag), qtbot)
    np.testing.assert_allclose(centre_of(canvas, plain, 7), colour(RED, 0.9), atol=TOLERANCE)


@pytest.mark.parametrize("values", [{"activation": 0.5}, {"velocity": np.nan}, {"nudge": np.inf}])
def test_broken_neurons_are_magenta(canvas: MosaicCanvas, qtbot: QtBot, values: dict[str, float]) -> None:
    picture = shown(canvas, planted(6, flags=NOT_FINITE | SATURATED, **values), qtbot)
    np.testing.assert_allclose(centre_of(canvas, picture, 6), [255, 0, 0.85 * 255], atol=TOLERANCE)


def test_a_single_neuron_lies_where_the_array_says(canvas: MosaicCanvas, qtbot: QtBot) -> None:
    row, column = 2, 5
    values = np.zeros(SIDE * SIDE, np.float32)
    values[row * SIDE + column] = 1.0
    picture = shown(canvas, planted(8, activation=values), qtbot)
    x, y = canvas.position_of(8)
    cell = (canvas.position_of(2)[0] - canvas.position_of(1)[0]) / 1.1 / SIDE
    lit = picture[round(y + (row + 0.5 - SIDE / 2) * cell), round(x + (column + 0.5 - SIDE / 2) * cell)]
    np.testing.assert_allclose(lit, colour(RED, 1), atol=TOLERANCE)
    assert (picture[..., 0] > 60).sum() < 4 * cell**2


def test_a_resting_network_is_dark_with_automatic_exposure(canvas: MosaicCanvas, qtbot: QtBot) -> None:
    for channel in canvas._settings.channels:
        channel.auto = True
    noise = np.random.default_rng(0).normal(size=(LAYERS, SIDE * SIDE)).astype(np.float32)
    picture = shown(canvas, fake_frame(LAYERS, SIDE, velocity=2e-5 * noise, nudge=1e-9 * noise), qtbot)
    for layer in range(1, LAYERS + 1):
        np.testing.assert_allclose(centre_of(canvas, picture, layer), colour(RED, 0), atol=TOLERANCE)


def test_without_a_frame_the_page_is_empty(canvas: MosaicCanvas) -> None:
    picture = pixels(canvas.native.grabFramebuffer())
    np.testing.assert_allclose(picture.reshape(-1, 3).mean(axis=0), 255 * np.array(PAGE), atol=1)


@pytest.mark.parametrize("size", [(640, 480), (801, 601), (333, 517)])
def test_tiles_have_whole_numbers(canvas: MosaicCanvas, qtbot: QtBot, size: tuple[int, int]) -> None:
    canvas.native.resize(*size)
    picture = shown(canvas, fake_frame(LAYERS, SIDE), qtbot)
    tile = (canvas.position_of(2)[0] - canvas.position_of(1)[0]) / 1.1
    ink = [int((digit_texture()[:, 5 * i : 5 * i + 5] > 0).sum()) for i in range(10)]
    scales = set()
    for layer in range(1, LAYERS + 1):
        x, y = canvas.position_of(layer)
        top, bottom = max(math.floor(y - 0.66 * tile), 0), round(y - tile / 2)
        header = picture[top:bottom, math.floor(x - tile / 2) : math.floor(x + tile / 2)]
        lit = int((header.max(axis=2) > 80).sum())
        scales.add(lit / sum(ink[int(digit)] for digit in str(layer)))
    assert len(scales) == 1
    assert scales.pop() in (1, 4, 9, 16)
