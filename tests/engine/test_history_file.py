"""A history on disk: the same frames again, and one clear line for whatever else lies there."""

from __future__ import annotations

import json

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from engine.history import History, HistoryError, Replay
from engine.history import file as module
from engine.history.file import FORMAT, read_history, write_history
from engine.history.ring import MIB
from engine.preset import load_preset
from engine.session import Session
from tests.engine.history_frames import assert_replays, frame


@pytest.fixture(scope="module")
def logged():
    """A history of two networks, and its frames."""
    history, live = History(), []
    for name, ticks in (("tiny", 400), ("tween-chase", 150)):
        session = Session(load_preset(name))
        for _ in range(ticks):
            session.tick()
            live.append(session.frame())
            history.append(live[-1], when=1000.0 + len(live))
    return history, live


@pytest.fixture
def path(logged, tmp_path):
    path = tmp_path / "two.history"
    assert write_history(path, logged[0]) == len(logged[1])
    return path


def test_the_same_frames_come_back(logged, path):
    history, live = logged
    back = read_history(path)
    assert back.span == history.span
    assert back.tags == history.tags
    assert back.worst() == history.worst()
    assert back.used <= back.cap
    (_, index), (_, before) = back.index(), history.index()
    assert np.array_equal(index, before)
    replay, same = Replay(back), Replay(history)
    for number, shown in enumerate(live):
        replayed = replay.frame(number)
        assert_replays(shown, replayed)
        assert np.array_equal(replayed.velocity, same.frame(number).velocity)
        assert replayed.scene is None or replayed.scene.points == shown.scene.points


def test_a_full_ring_comes_back_from_its_oldest_frame(tmp_path):
    history = History(MIB)
    rng = np.random.default_rng(0)
    for tick in range(3000):
        history.append(frame(tick, rng.normal(size=(2, 100))))
    assert history.span[0] > 0
    write_history(tmp_path / "ring.history", history)
    back = read_history(tmp_path / "ring.history")
    assert back.span == history.span
    number = history.span[0]
    assert np.array_equal(Replay(back).frame(number).activation, Replay(history).frame(number).activation)


def test_the_running_network_goes_on_being_logged_into_a_history_from_a_file(path, logged):
    back = read_history(path)
    back.append(logged[1][-1])
    assert back.span[1] == len(logged[1]) + 1
    assert_replays(logged[1][-1], Replay(back).frame(len(logged[1])))


def test_an_empty_history_is_not_written(tmp_path):
    with pytest.raises(HistoryError, match="no history to save"):
        write_history(tmp_path / "none.history", History())
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_cannot_be_written_leaves_the_old_one(path, logged, monkeypatch):
    before = path.read_bytes()

    def full(*_words, **_more):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("safetensors.numpy.save_file", full)
    with pytest.raises(HistoryError, match="No space left"):
        write_history(path, logged[0])
    assert path.read_bytes() == before
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def one_line(error):
    text = str(error.value)
    assert "\n" not in text
    assert len(text) < 400
    return text


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, "no such file"),
        (b"", "not a history"),
        (b"title = 'a preset'\n" * 20, "not a history"),
        (b"\x00" * 500, "not a history"),
        (bytes(range(256)) * 8, "not a history"),
    ],
)
def test_what_is_no_history_is_answered_in_one_line(tmp_path, content, told):
    path = tmp_path / "odd.history"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(HistoryError) as error:
        read_history(path)
    assert told in one_line(error)
    assert "odd.history" in one_line(error)


def test_a_folder_and_foreign_tensors_are_answered_in_one_line(tmp_path):
    with pytest.raises(HistoryError) as error:
        read_history(tmp_path)
    one_line(error)
    save_file({"W": np.zeros((3, 3), np.float32)}, tmp_path / "weights.history")
    with pytest.raises(HistoryError, match="not a history of the observatory"):
        read_history(tmp_path / "weights.history")


def test_a_history_of_another_version_is_named(tmp_path):
    save_file({}, tmp_path / "new.history", {"format": FORMAT, "version": "7", "about": "{}"})
    with pytest.raises(HistoryError, match="version 7; this program reads version 1"):
        read_history(tmp_path / "new.history")


def read_all(path, some=None):
    """Read a file and some frames of it, or all."""
    replay = Replay(read_history(path))
    first, end = replay.history.span
    for number in range(first, end) if some is None else np.linspace(first, end - 1, some).astype(int).tolist():
        replay.frame(number)


def refusal(path, some):
    """What a file is refused with, "" if it is read."""
    try:
        read_all(path, some)
    except HistoryError as error:
        return str(error)
    return ""


def test_every_flipped_byte_and_every_cut_is_noticed(path):
    """Of the payload any flip; in the texts of the header one may make another text, which still is read or refused."""
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    told = []
    for at in [*rng.integers(0, len(whole), 150).tolist(), 0, 7, 8, 9, len(whole) - 1]:
        broken = bytearray(whole)
        broken[at] ^= 1 << int(rng.integers(8))
        path.write_bytes(bytes(broken))
        told.append(refusal(path, 3))
    assert sum(map(bool, told)) > 130
    assert not any("\n" in text for text in told)
    for length in (len(whole) - 1, len(whole) // 2, 100, 8):
        path.write_bytes(whole[:length])
        assert refusal(path, 3)


def rewritten(path, change):
    """Change what a file says about itself, as no disk error would."""
    from safetensors import safe_open

    with safe_open(path, "numpy") as file:
        metadata = dict(file.metadata())
    tensors = {name: array.copy() for name, array in load_file(path).items()}
    about = json.loads(metadata["about"])
    change(about, tensors)
    sums = [module._sum(tensors[f"{i}.payload"], tensors[f"{i}.index"]) for i in range(len(about["segments"]))]
    for segment, total in zip(about["segments"], sums, strict=True):
        segment["sum"] = total
    save_file(tensors, path, {**metadata, "about": json.dumps(about)})


def drop_first(about, tensors):
    about["segments"] = about["segments"][::2]


def garble(about, tensors):
    tensors["0.payload"][len(tensors["0.payload"]) // 3 :] ^= 0x55


def other_forms(about, tensors):
    about["forms"] = [["object", "Bomb", [], []] for _ in about["forms"]]


def deep_forms(about, tensors):
    form = ["none"]
    for _ in range(50):
        form = ["tuple", [form]]
    about["forms"][0] = form


def odd_fields(about, tensors):
    for segment in about["segments"]:
        segment["fields"] = segment["fields"][:-1]


def swapped(about, tensors):
    for segment in about["segments"]:
        segment["fields"] = segment["fields"][::-1]


def huge(about, tensors):
    about["forms"] = [["array", "<f4", [10**12]] if form[0] == "array" else form for form in about["forms"]]


@pytest.mark.parametrize("change", [drop_first, garble, other_forms, deep_forms, odd_fields, swapped, huge])
def test_a_file_made_with_intent_is_answered_in_one_line_too(path, change):
    rewritten(path, change)
    with pytest.raises(HistoryError) as error:
        read_all(path)
    one_line(error)
