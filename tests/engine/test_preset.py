"""Presets: what is shipped builds, and what is wrong is said with file, key, fault and what is allowed."""

from __future__ import annotations

import numpy as np
import pytest

from engine.build import build_network, load_data
from engine.preset import PresetError, load_preset, parse_preset, shipped_presets
from engine.session import Session
from engine.weights import WeightsError, read_weights, write_weights

GOOD = 'title = "T"\nnetwork = "recursive"\nlayers = 3\nneurons = 9\n'


def parse(text):
    return parse_preset(text, "mine", "mine.toml")


def data_is_here(preset):
    """Whether this machine has the preset's data set; Fashion-MNIST and its like do not come with the program."""
    try:
        load_data(preset)
    except PresetError:
        return preset.data == "digits"
    return True


def test_the_promised_presets_are_there_and_tick():
    assert {"deep-100", "deep-100-wide", "edge-of-chaos", "hopfield-100", "hopfield-critical", "tiny"} <= set(
        shipped_presets()
    )
    for name in shipped_presets():
        preset = load_preset(name)
        if not data_is_here(preset):
            with pytest.raises(PresetError, match="not found in"):
                Session(preset)
            continue
        session = Session(preset)
        session.tick()
        assert session.frame().metrics.finite
        assert session.preset.title
        assert session.preset.description.endswith(".")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("title = ", "not a TOML file"),
        (GOOD.replace("9", "10"), "neurons: must be a square number"),
        (GOOD.replace("3", "0"), "layers: .*greater than or equal to 1.*got 0"),
        (GOOD.replace("recursive", "recurrent"), "network: .*'recursive', 'hopfield'.*got 'recurrent'"),
        (GOOD + "depth = 3\n", "depth: unknown key; allowed are: title"),
        (GOOD + 'layers_ = "x"\n', "layers_: unknown key"),
        (GOOD.replace('title = "T"\n', ""), "title: .*required"),
        (GOOD + 'name = "x"\n', "name: unknown key"),
        (GOOD + 'weights_file = "w.pickle"\n', "weights_file: must be a .safetensors file"),
        (GOOD.replace("3", "1000").replace("9", "4096"), "GiB of weights; at most"),
        (GOOD + "[knobs]\nsigma = true\n", "knobs: sigma must be a number.*True"),
    ],
)
def test_faults_are_named(text, words):
    with pytest.raises(PresetError, match=f"mine.toml.*{words}"):
        parse(text)


def test_all_faults_come_in_one_message():
    with pytest.raises(PresetError) as error:
        parse(GOOD.replace("3", "-1").replace("9", "8") + "x = 1\n")
    assert len(str(error.value).splitlines()) == 3


@pytest.mark.parametrize(
    ("knobs", "words"),
    [
        ("gravity = 1.0", "unknown parameter 'gravity'"),
        ("sigma = 9", "outside its range 0 to 3"),
        ("hold = 0.5", "whole"),
    ],
)
def test_knobs_are_checked_when_the_network_is_built(knobs, words):
    with pytest.raises(PresetError, match=f"mine: knobs: .*{words}"):
        Session(parse(f"{GOOD}[knobs]\n{knobs}\n"))


def test_persistent_mode_comes_from_the_preset():
    assert Session(parse(GOOD + 'mode = "persistent"\n')).phase == "persistent"


@pytest.mark.parametrize("missing", ["nothing-like-it", "folder/none.toml"])
def test_a_missing_preset_is_one_clear_message(missing):
    with pytest.raises(PresetError, match=missing):
        load_preset(missing)


def test_a_binary_file_is_no_preset(tmp_path):
    path = tmp_path / "noise.toml"
    path.write_bytes(b"\xff\xfe\x00\x81")
    with pytest.raises(PresetError, match="not UTF-8"):
        load_preset(path)


def test_weights_beside_the_preset_are_loaded_and_clipped(tmp_path):
    preset = parse(GOOD)
    weights = build_network(preset).state_dict()
    weights["R"] = weights["R"] * 1.5
    write_weights(tmp_path / "w.safetensors", weights)
    (tmp_path / "own.toml").write_text(GOOD + 'weights_file = "w.safetensors"\nseed = 7\n')
    loaded = build_network(load_preset(tmp_path / "own.toml")).state_dict()
    np.testing.assert_array_equal(loaded["W"], weights["W"])
    np.testing.assert_allclose(loaded["R"], weights["R"] / 1.5, atol=1e-6)


def test_wrong_weights_are_refused_by_name(tmp_path):
    path = tmp_path / "w.safetensors"
    preset = parse(GOOD).model_copy(update={"weights_file": path})
    with pytest.raises(PresetError, match="no such weights file"):
        build_network(preset)
    path.write_bytes(b"not safetensors at all")
    with pytest.raises(PresetError, match="not a readable safetensors"):
        build_network(preset)
    good = build_network(parse(GOOD)).state_dict()
    for broken, words in (
        ({**good, "W": good["W"][:2]}, "W has shape"),
        ({**good, "W": good["W"] * np.nan}, "W holds NaN"),
        ({k: v for k, v in good.items() if k != "b"}, "missing .'b'"),
        ({**good, "extra": good["b"]}, "unknown .'extra'"),
    ):
        write_weights(path, broken)
        with pytest.raises(PresetError, match=words):
            build_network(preset)


def test_writing_weights_leaves_the_old_file_when_it_fails(tmp_path):
    path = tmp_path / "w.safetensors"
    write_weights(path, {"a": np.ones(3, np.float32)})
    with pytest.raises(WeightsError, match="cannot be written"):
        write_weights(tmp_path / "none" / "w.safetensors", {"a": np.zeros(3, np.float32)})
    np.testing.assert_array_equal(read_weights(path)["a"], np.ones(3))
    assert [p.name for p in tmp_path.iterdir()] == ["w.safetensors"]
