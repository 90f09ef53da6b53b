"""The command line as a person meets it: output, error lines and exit codes, each in a process of its own."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.preset import shipped_presets
from observatory import __version__
from observatory.commands.cli import build_parser, with_default_command
from observatory.commands.errors import UsageError

Cli = Callable[..., subprocess.CompletedProcess[str]]

PROBE_KEYS = {
    *("preset", "network", "layers", "neurons", "backend", "dtype", "sigma", "beta", "settled", "t_relax", "t_nudge"),
    *("d_nudge", "nudge_rms", "credit_ratio", "velocity_max", "saturated_share", "finite", "ticks"),
    *("ticks_per_second", "dense_flops", "effective_flops"),
}


@pytest.mark.parametrize("command", ["window", "presets", "info", "record", "replay", "probe"])
def test_each_command_has_help_with_examples(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        build_parser().parse_args([command, "--help"])
    assert left.value.code == 0
    assert re.search(r"examples:\n  observatory", capsys.readouterr().out)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], ["window"]),
        (["deep-100"], ["window", "deep-100"]),
        (["--backend", "numpy"], ["window", "--backend", "numpy"]),
        (["probe", "tiny"], ["probe", "tiny"]),
        (["--version"], ["--version"]),
    ],
)
def test_the_window_is_what_happens_without_a_command(words: list[str], expected: list[str]) -> None:
    assert with_default_command(words) == expected


def test_a_mistyped_command_is_named() -> None:
    with pytest.raises(UsageError, match="unknown command 'prob'; there are: window, presets"):
        with_default_command(["prob", "tiny"])


def test_version(cli: Cli) -> None:
    assert cli("--version").stdout == f"observatory {__version__}\n"


@pytest.mark.parametrize("words", [["--help"], ["presets"]])
def test_quick_answers_import_neither_qt_nor_numba(words: list[str]) -> None:
    code = (
        "import sys\n"
        "from observatory.__main__ import main\n"
        f"try: main({words!r})\n"
        "except SystemExit: pass\n"
        "heavy = {'PyQt6', 'numba', 'vispy', 'scipy', 'sklearn'} & set(sys.modules)\n"
        "sys.exit(str(heavy) if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


def test_blas_gets_one_thread_before_numpy_is_imported() -> None:
    code = (
        "import sys, os\n"
        "import observatory.__main__\n"
        "assert 'numpy' not in sys.modules\n"
        "print(os.environ['OPENBLAS_NUM_THREADS'])"
    )
    environment = {k: v for k, v in os.environ.items() if k != "OPENBLAS_NUM_THREADS"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=60)
    assert done.stdout == "1\n", done.stderr


def test_presets_lists_every_shipped_one(cli: Cli) -> None:
    lines = cli("presets").stdout.splitlines()
    assert [line.split()[0] for line in lines] == shipped_presets()


def test_presets_as_json(cli: Cli) -> None:
    presets = {preset["name"]: preset for preset in json.loads(cli("presets", "--json").stdout)}
    assert sorted(presets) == shipped_presets()
    assert (presets["deep-100"]["layers"], presets["deep-100"]["neurons"]) == (100, 64)
    assert presets["deep-100"]["knobs"] == {"sigma": 0.9}


def test_info_as_json(cli: Cli) -> None:
    done = cli("info", "--json")
    found = json.loads(done.stdout)
    assert done.returncode == 0
    assert found["version"] == __version__
    assert found["backend"]["name"] in found["backend"]["available"]
    assert found["gl"].get("renderer") or found["gl"]["error"]
    assert found["encoders"]
    assert found["settings"] == os.environ["OBSERVATORY_CONFIG_DIR"]


def test_info_survives_a_broken_opengl(cli: Cli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    shadow = tmp_path / "vispy"
    shadow.mkdir()
    (shadow / "__init__.py").write_text("import os; os.abort()")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    done = subprocess.run(
        [sys.executable, "-m", "observatory", "info", "--json"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "ended with code" in json.loads(done.stdout)["gl"]["error"]


def test_probe_as_json_has_the_promised_keys(cli: Cli) -> None:
    report = json.loads(cli("probe", "tiny", "--json").stdout)
    assert set(report) >= PROBE_KEYS
    assert report["settled"] is True
    assert len(report["nudge_rms"]) == report["layers"] == 6


def test_probe_obeys_its_arguments(cli: Cli) -> None:
    words = ("probe", "tiny", "--set", "sigma=0.5", "--set", "beta=0.2", "--max-ticks", "7", "--backend", "numpy")
    report = json.loads(cli(*words, "--json").stdout)
    assert (report["sigma"], report["beta"], report["backend"]) == (0.5, 0.2, "numpy")
    assert report["settled"] is False
    assert report["t_relax"] is None


def test_probe_of_another_sample_measures_something_else(cli: Cli) -> None:
    first, second = (json.loads(cli("probe", "tiny", "--sample", i, "--json").stdout) for i in ("0", "5"))
    assert first["nudge_rms"] != second["nudge_rms"]


def test_probe_as_a_table(cli: Cli) -> None:
    done = cli("probe", "tiny")
    rows = dict(re.split(r"\s{2,}", line.strip(), maxsplit=1) for line in done.stdout.splitlines())
    assert rows["preset"] == "tiny (recursive)"
    assert rows["size"] == "6 layers of 16 neurons"
    assert re.fullmatch(r"after \d+ ticks", rows["settled"])
    assert rows["finite"] == "yes"


def test_probe_of_a_living_network_tells_what_it_knows_when_it_is_frozen(cli: Cli) -> None:
    words = ("probe", "tween-attention", "--max-ticks", "60", "--set", "step=0.01")
    report = json.loads(cli(*words, "--json").stdout)
    assert (report["ticks"], report["world"], len(report["budget"]), len(report["gap"])) == (60, "rows", 4, 4)
    assert 0 <= report["correct_frozen"] <= 1
    told = cli(*words).stdout
    assert f"{report['correct_learning']:.1%} while it learned, {report['correct_frozen']:.1%} frozen" in told


def test_a_living_network_is_recorded(cli: Cli, tmp_path: Path) -> None:
    done = cli("record", "tween-chase", "--out", "game.mp4", "--seconds", "0.5", "--size", "320x240")
    assert done.returncode == 0, done.stderr
    assert re.search(r"^correct +\d+%$", done.stdout, re.MULTILINE)
    assert (tmp_path / "game.mp4").stat().st_size > 1000


def test_a_preset_file_of_ones_own(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text('title = "Mine"\nnetwork = "hopfield"\nlayers = 3\nneurons = 9\n')
    report = json.loads(cli("probe", "mine.toml", "--json").stdout)
    assert (report["preset"], report["layers"], report["neurons"]) == ("mine", 3, 9)


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (["nowhere"], "no preset named 'nowhere'; there are: conv-cifar"),
        (["gone.toml"], "gone.toml: cannot be read: No such file"),
        (["tiny", "--bogus"], "unrecognized arguments: --bogus"),
        (["tiny", "--backend", "abacus"], "unknown backend 'abacus'; there are: auto"),
        (["probe"], "required: PRESET"),
        (["probe", "nowhere"], "no preset named 'nowhere'"),
        (["probe", "bad.toml"], "bad.toml: layers: "),
        (["probe", "tiny", "--set", "sigma"], "'sigma' is not of the form name=value"),
        (["probe", "tiny", "--set", "sigma=much"], "sigma = much must be a number"),
        (["probe", "tiny", "--set", "sigma=nan"], "'sigma=nan' is not of the form name=value"),
        (["probe", "tiny", "--set", "sgima=1"], "unknown parameter 'sgima'; there are: "),
        (["probe", "tiny", "--set", "sigma=-1"], "sigma = -1 is outside its range"),
        (["probe", "tiny", "--max-ticks", "0"], "'0' is not a whole number of at least 1"),
        (["probe", "tiny", "--sample", "-1"], "--sample"),
        (["probe", "tiny", "--backend", "abacus"], "unknown backend 'abacus'"),
        (["probe", "tween-chase", "--sample", "3"], "lives in the world chase; its input cannot be chosen"),
        (["probe", "tween-chase", "--set", "sigma=1"], "unknown parameter 'sigma'; there are: "),
        (["record", "tiny"], "required: --out"),
        (["record", "tiny", "--out", "x.avi"], "x.avi: the file must end in .mp4"),
        (["record", "tiny", "--out", "/dev/null/x.mp4"], "/dev/null/x.mp4: cannot be written: "),
        (["record", "tiny", "--out", "x.mp4", "--size", "big"], "'big' is not of the form WIDTHxHEIGHT"),
        (["record", "tiny", "--out", "x.mp4", "--size", "641x480"], "641x480: both must be even, from 64 to 4096"),
        (["record", "tiny", "--out", "x.mp4", "--seconds", "0"], "'0' is not a number of seconds above 0"),
        (["record", "tiny", "--out", "x.mp4", "--fps", "1000"], "1000 frames a second are more than 120"),
        (["record", "tiny", "--out", "x.mp4", "--every", "0"], "'0' is not a whole number of at least 1"),
        (["record", "tiny", "--out", "x.mp4", "--set", "sigma=99"], "sigma = 99 is outside its range"),
        (["record", "tiny", "--out", "x.mp4", "--backend", "abacus"], "unknown backend 'abacus'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_use_is_one_line_and_code_2(cli: Cli, tmp_path: Path, words: list[str], what: str) -> None:
    (tmp_path / "bad.toml").write_text('title = "Bad"\nnetwork = "recursive"\nlayers = 0\nneurons = 16\n')
    done = cli(*words)
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1, done.stderr
    assert done.stderr.startswith("observatory")
    assert what in done.stderr
    assert not (tmp_path / "x.mp4").exists()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the variable is that of Linux' EGL")
def test_a_failure_while_running_is_one_line_and_code_1(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("__EGL_VENDOR_LIBRARY_FILENAMES", os.devnull)
    words = [sys.executable, "-m", "observatory", "record", "tiny", "--out", "x.mp4", "--seconds", "1"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("observatory record: failed: cannot draw without a window")
    assert done.stderr.count("\n") == 1


def test_a_reader_that_leaves_is_no_error(cli: Cli) -> None:
    line = f"{sys.executable} -u -m observatory presets --json | head -c 1; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout, done.stderr) == ("[0\n", "")


def test_ctrl_c_ends_without_a_traceback(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "observatory", "record", "tiny", "--out", "long.mp4", "--seconds", "3600"]
    process = subprocess.Popen(words, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 120
    while not any(tmp_path.glob("*.mp4")) and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert errors == "observatory record: stopped\n"
