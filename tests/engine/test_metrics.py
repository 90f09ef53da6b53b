import numpy as np

from engine.metrics import Settling, credit_decay, nudge_depth


def test_depth_counts_layers_from_the_top_without_a_gap():
    rms = np.array([1.0, 1e-5, 1.0, 0.5, 1.0])
    assert nudge_depth(rms, floor=0.0) == 3
    assert nudge_depth(rms[2:], floor=0.0) == 3


def test_depth_is_relative_to_the_top_and_stops_at_the_floor():
    rms = 0.5 ** np.arange(20)[::-1]
    assert nudge_depth(rms, 0.0) == nudge_depth(rms * 1e-9, 0.0) == 10
    assert nudge_depth(rms, floor=0.01) == 4


def test_no_nudge_or_a_broken_one_reaches_nothing():
    assert nudge_depth(np.zeros(5), 0.0) == 0
    assert nudge_depth(np.full(5, np.nan), 0.0) == 0


def test_decay_of_a_geometric_profile():
    rms = 0.7 ** np.arange(30)[::-1]
    assert abs(credit_decay(rms, nudge_depth(rms, 0.0)) - 0.7) < 1e-12
    assert credit_decay(rms, 1) is None


def test_settling_per_sample_and_for_the_batch():
    settling = Settling(3)
    for velocities in ([1, 1, np.nan], [0.01, 1, np.nan], [1, 0.01, np.nan]):
        settling.observe(np.array(velocities), 0.1)
    assert settling.first.tolist() == [2, 3, -1]
    assert settling.of_batch is None
    settling.observe(np.zeros(3), 0.1)
    assert settling.of_batch == 4
