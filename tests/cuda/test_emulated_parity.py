"""Host emulation (never a GPU) of every kernel beside the float64 reference, under four schedules."""

from __future__ import annotations

import numpy as np
import pytest
from emulation import SCHEDULES, EmulatedDevice, needs_emulation
from parity import HELD, SINGLE, STREAMED, Case, assert_parity, draw, found, start

pytestmark = needs_emulation


@pytest.mark.parametrize("case", [*STREAMED, *SINGLE, *HELD], ids=str)
def test_a_burst_is_the_references(library, case):
    for seed, schedule in enumerate(SCHEDULES):
        assert_parity(EmulatedDevice(library, schedule, seed), case)


@pytest.mark.parametrize("held", [False, True], ids=["streamed", "held"])
@pytest.mark.parametrize("kind", ["recursive", "hopfield"])
def test_results_do_not_depend_on_the_schedule_by_a_single_bit(library, kind, held):
    case = Case(kind, 3, 64, held=held)
    runs = []
    for schedule in SCHEDULES:
        device = EmulatedDevice(library, schedule, seed=7)
        chain = start(device, case, draw(case))
        chain.tick(3, 4)
        runs.append(found(device, chain))
    for other in runs[1:]:
        for name, array in runs[0].items():
            np.testing.assert_array_equal(array, other[name], err_msg=name)


@pytest.mark.parametrize("held", [False, True], ids=["streamed", "held"])
@pytest.mark.parametrize("kind", ["recursive", "hopfield"])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_bad_number_shows_in_the_reductions(library, kind, held, bad):
    case = Case(kind, 4, 9, held=held)
    arrays = draw(case)
    arrays["s"][2, 0, 0, 5] = bad
    device = EmulatedDevice(library)
    chain = start(device, case, arrays)
    chain.tick(3, 4)
    assert not np.isfinite(chain.peaks()[0]).all()


@pytest.mark.parametrize("kind", ["recursive", "hopfield"])
def test_a_bad_number_stays_in_its_sample(library, kind):
    case = Case(kind, 4, 9, samples=2)
    arrays = draw(case)
    arrays["s"][2, 1, 0, 5] = np.nan
    device = EmulatedDevice(library)
    chain = start(device, case, arrays)
    chain.tick(3, 4)
    assert np.isfinite(device.read(chain.sums)[:, 0]).all()


@pytest.mark.parametrize("kind", ["recursive", "hopfield"])
def test_the_two_ways_follow_each_other(library, kind):
    """Streamed, held and streamed bursts of one chain are the ticks of a chain that only streams."""
    case = Case(kind, 3, 16, omega=1.4 if kind == "hopfield" else 1.0, held=True)
    arrays = draw(case)
    device = EmulatedDevice(library)
    mixed = start(device, case, arrays)
    streamed = start(device, Case(kind, 3, 16, omega=case.omega), arrays)
    for columns, ticks in ((3, 3), (3, 5), (1, 4), (3, 1), (3, 7)):
        mixed.tick(columns, ticks)
        streamed.tick(columns, ticks)
        np.testing.assert_allclose(mixed.peaks(), streamed.peaks(), atol=1e-5)
    ours, theirs = found(device, mixed), found(device, streamed)
    for name in ("s", "velocity", "atlas"):
        np.testing.assert_allclose(ours[name], theirs[name], atol=1e-5, err_msg=name)


def test_knobs_live_between_the_ticks_of_one_recorded_pair(library):
    case = Case("hopfield", 2, 9)
    device = EmulatedDevice(library)
    chain = start(device, case, draw(case))
    chain.set_knobs(sigma=0.0, beta=0.0)
    chain.set_input("drive", np.zeros((2, 1, 9), np.float32))
    chain.tick(3, 2)
    assert not chain.state()["s"].any()
    chain.set_knobs(beta=0.5)
    chain.tick(3, 2)
    assert chain.state()["s"][1, 0, 1:].any()
