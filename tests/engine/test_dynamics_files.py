"""Streams from one's own files: read whole, or refused in one line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from engine.dynamics import StreamError, make_stream

STATES = np.random.default_rng(0).standard_normal((30, 3))


def csv(path: Path, table: np.ndarray, head: str = "", divider: str = ",") -> str:
    lines = [divider.join(map(repr, map(float, row))) for row in table]
    path.write_text("\n".join([*([head] if head else []), *lines]) + "\n")
    return str(path)


@pytest.mark.parametrize("divider", [",", ";", "\t"])
def test_a_table_with_names_and_times(tmp_path: Path, divider: str) -> None:
    timed = np.column_stack([0.5 * np.arange(30), STATES])
    stream = make_stream(csv(tmp_path / "own.csv", timed, divider.join(["Time", "a", "b", "c"]), divider))
    assert (stream.states[:, :, 0] == STATES).all()
    assert (stream.dt, stream.nodes, stream.features, stream.truth.adjacency) == (0.5, 3, 1, None)


def test_a_bare_table_takes_dt_and_noise(tmp_path: Path) -> None:
    name = csv(tmp_path / "own.csv", STATES)
    assert make_stream(name).dt == 1.0
    stream = make_stream(name, dt=0.1, noise=0.5, seed=4)
    assert stream.dt == 0.1
    assert (stream.clean[:, :, 0] == STATES).all()
    assert np.abs(stream.states - stream.clean).max() > 0.1


def test_an_archive_with_all_it_may_hold(tmp_path: Path) -> None:
    reads = np.eye(3, dtype=bool)
    np.savez(tmp_path / "own.npz", states=STATES.reshape(15, 3, 2)[:, :, :].repeat(2, 0), dt=0.25, adjacency=reads)
    stream = make_stream(str(tmp_path / "own.npz"))
    assert (stream.states.shape, stream.dt, stream.labels) == ((30, 3, 2), 0.25, ("x1", "x2"))
    assert (stream.truth.adjacency == reads).all()


def test_bad_tables_are_refused_with_the_place(tmp_path: Path) -> None:
    lines = [",".join(map(str, row)) for row in STATES]
    cases = {
        "": "empty",
        "\n".join(lines[:5]): "5 ticks, at least 20 are needed",
        "\n".join([*lines[:4], "1,2", *lines[4:]]): "line 5 has 2 columns, expected 3",
        "\n".join([*lines[:4], "1,oops,2", *lines[4:]]): "line 5 holds 'oops', expected a number",
        "\n".join([*lines[:4], "1,nan,2", *lines[4:]]): "tick 5, node 2 is not a finite number",
        "t,a\n" + "\n".join(f"{i * i},1" for i in range(30)): "the times are not evenly spaced",
        "t\n" + "\n".join(map(str, range(30))): "no column of states",
    }
    for text, complaint in cases.items():
        path = tmp_path / "own.csv"
        path.write_text(text)
        _refused(path, complaint)
    path.write_bytes(b"\xff\xfe\x00bad\xff")
    _refused(path, "cannot be read: ")


def test_bad_archives_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "own.npz"
    cases = [
        ({"x": STATES}, "holds x; needed is states"),
        ({"states": STATES[0]}, "states has shape (3,), expected (T, nodes) or (T, nodes, d)"),
        ({"states": STATES, "dt": -1.0}, "dt is not one positive number"),
        ({"states": STATES, "adjacency": np.eye(4)}, "adjacency has shape (4, 4), expected (3, 3)"),
        ({"states": np.array(["a"] * 30)}, "states.npy holds <U1, expected numbers"),
    ]
    for arrays, complaint in cases:
        np.savez(path, **arrays)
        _refused(path, complaint)
    np.savez(path, states=np.array([{}] * 30))
    _refused(path, "states.npy holds object, expected numbers")
    path.write_bytes(b"PK\x03\x04 no archive")
    _refused(path, "cannot be read: ")


def _refused(path: Path, complaint: str) -> None:
    with pytest.raises(StreamError) as refused:
        make_stream(str(path))
    assert complaint in str(refused.value)
    assert str(path) in str(refused.value)
    assert "\n" not in str(refused.value)


def test_columns_keep_the_names_they_have(tmp_path: Path) -> None:
    rows = [",".join(map(str, (i, *row))) for i, row in enumerate(STATES)]
    for head, names in (("Time,North,South,East", ("North", "South", "East")),
                        ("t,a,a,b", ("x[1]", "x[2]", "x[3]")), ("t,a,,b", ("x[1]", "x[2]", "x[3]"))):  # fmt: skip
        (tmp_path / "own.csv").write_text("\n".join([head, *rows]))
        assert make_stream(str(tmp_path / "own.csv")).names == names
