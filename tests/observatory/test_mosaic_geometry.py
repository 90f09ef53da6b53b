"""Where tiles lie: columns, the mapping between pixels and neurons, zoom."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.layout import Layout
from observatory.canvas.geometry import Camera, Grid, best_columns

SIZE = (1280, 800)

layouts = st.builds(lambda layers, side: Layout(layers, side, side), st.integers(1, 300), st.integers(1, 64))
sizes = st.tuples(st.integers(1, 4000), st.integers(1, 3000))


@pytest.mark.parametrize(
    ("layers", "size", "columns"),
    [(1, (1280, 800), 1), (4, (500, 500), 2), (100, (1000, 1150), 10), (100, (100, 5000), 2), (100, (9000, 80), 100)],
)
def test_columns_suit_the_aspect_ratio(layers: int, size: tuple[int, int], columns: int) -> None:
    assert best_columns(Layout(layers, 8, 8), size) == columns


@given(layouts, sizes)
def test_no_other_number_of_columns_shows_larger_tiles(layout: Layout, size: tuple[int, int]) -> None:
    chosen = Camera.fit(Grid(layout, best_columns(layout, size)), size).cell
    others = [Camera.fit(Grid(layout, columns), size).cell for columns in range(1, layout.layers + 1)]
    assert chosen == pytest.approx(max(others), abs=2e-6)


@given(layouts, sizes)
def test_the_fitted_mosaic_lies_within_the_window(layout: Layout, size: tuple[int, int]) -> None:
    grid = Grid(layout, best_columns(layout, size))
    camera = Camera.fit(grid, size)
    left, top = camera.to_screen(0, 0, size)
    right, bottom = camera.to_screen(*grid.extent, size)
    assert min(left, top) >= -1e-6
    assert right <= size[0] + 1e-6
    assert bottom <= size[1] + 1e-6


@given(layouts, st.integers(1, 20), st.data())
def test_every_neuron_is_found_where_it_is_drawn(layout: Layout, columns: int, data: st.DataObject) -> None:
    grid = Grid(layout, columns)
    layer = data.draw(st.integers(1, layout.layers))
    row = data.draw(st.integers(0, layout.height - 1))
    column = data.draw(st.integers(0, layout.width - 1))
    left, top = grid.tile(layer)
    assert grid.neuron_at(left + column + 0.5, top + row + 0.5) == (layer, row, column)


def test_layers_run_row_by_row_from_the_top_left() -> None:
    grid = Grid(Layout(7, 4, 4), 3)
    first, second, fourth = grid.tile(1), grid.tile(2), grid.tile(4)
    assert second[1] == first[1]
    assert second[0] > first[0]
    assert fourth[0] == first[0]
    assert fourth[1] > first[1]


def test_between_and_beyond_the_tiles_there_is_no_neuron() -> None:
    grid = Grid(Layout(5, 4, 4), 3)
    left, top = grid.tile(2)
    assert grid.neuron_at(left - 0.05, top + 1) is None
    assert grid.neuron_at(left + 1, top - 0.1) is None
    assert grid.layer_at(left + 1, top - 0.1) == 2
    empty_slot = grid.tile(6)
    assert grid.layer_at(*empty_slot) is None
    assert grid.layer_at(-1, 1) is None
    assert grid.layer_at(1, -1) is None


@given(st.floats(0.2, 5), st.floats(0, 1280), st.floats(0, 800))
def test_zooming_keeps_the_point_under_the_pointer(factor: float, px: float, py: float) -> None:
    grid = Grid(Layout(100, 8, 8), 13)
    camera = Camera.fit(grid, SIZE)
    before = camera.to_world(px, py, SIZE)
    after = camera.zoomed(factor, px, py, SIZE).to_world(px, py, SIZE)
    assert after == pytest.approx(before, abs=1e-6)


@given(st.floats(1, 30), st.floats(-1e5, 1e5), st.floats(-1e5, 1e5))
def test_the_mosaic_cannot_be_dragged_out_of_sight(factor: float, dx: float, dy: float) -> None:
    grid = Grid(Layout(100, 8, 8), 13)
    camera = Camera.fit(grid, SIZE).zoomed(factor, 640, 400, SIZE).panned(dx, dy).held(grid, SIZE)
    wide, high = grid.extent
    assert 0 <= camera.x <= wide
    assert 0 <= camera.y <= high


def test_zooming_out_ends_at_the_whole() -> None:
    grid = Grid(Layout(100, 8, 8), 13)
    fitted = Camera.fit(grid, SIZE)
    assert fitted.zoomed(0.3, 10, 10, SIZE).held(grid, SIZE) == fitted


@given(st.integers(1, 100))
def test_a_layer_zoomed_on_fills_the_window(layer: int) -> None:
    grid = Grid(Layout(100, 8, 8), 13)
    camera = Camera.on_layer(grid, layer, SIZE)
    left, top = camera.to_screen(*grid.tile(layer), SIZE)
    assert left >= 0
    assert top >= 0
    assert left + 8 * camera.cell <= SIZE[0]
    assert top + 8 * camera.cell <= SIZE[1]
    assert 8 * camera.cell > 0.7 * SIZE[1]
    assert math.isclose(left + 4 * camera.cell, SIZE[0] / 2)
