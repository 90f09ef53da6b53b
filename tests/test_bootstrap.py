"""scripts/bootstrap.sh on a machine made of stand-ins: a `python3`, `apt-get` and `sudo` that only note their calls."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the script runs apt and bash")

SCRIPT = Path(__file__).parents[1] / "scripts" / "bootstrap.sh"

PYTHON = """\
echo "python $*" >>"$LOG"
case "$*" in
    *version_info\\ \\<*) exit "${TOO_OLD:-0}" ;;
    *ensurepip*) exit "${NO_VENV:-0}" ;;
    *python%d*) echo python3.11-venv ;;
    -V) echo Python 3.11.9 ;;
    "-m venv --clear "*) mkdir -p "$4/bin" && cp "$0" "$4/bin/python" ;;
    *"pip install"*) exit "${PIP_FAILS:-0}" ;;
    *missing_libraries.py*) [ -e "$LOG.libraries" ] || echo ${MISSING:-} ;;
esac
"""
APT = """\
echo "apt $*" >>"$LOG"
case "$*" in *install*) touch "$LOG.libraries" ;; esac
"""
SUDO = """\
[ -n "${SUDO_ALLOWED:-}" ] || exit 1
shift
exec "$@"
"""


class Machine:
    """A checkout in a folder and a PATH with nothing but stand-ins and a few plain tools."""

    def __init__(self, folder: Path) -> None:
        self.checkout = folder / "checkout"
        (self.checkout / "scripts").mkdir(parents=True)
        shutil.copy(SCRIPT, self.checkout / "scripts")
        (self.checkout / "pyproject.toml").write_text("one\n")
        self.programs = folder / "programs"
        self.programs.mkdir()
        for tool in ("bash", "cat", "cksum", "cp", "dirname", "env", "mkdir", "rm", "touch", "true", "uname"):
            (self.programs / tool).symlink_to(str(shutil.which(tool)))
        self.put("id", "echo 1000")
        self.put("python3", PYTHON)
        self.log = folder / "calls"

    def put(self, name: str, body: str) -> None:
        path = self.programs / name
        path.write_text(f"#!{shutil.which('bash')}\n{body}")
        path.chmod(0o755)

    def run(self, **circumstances: str) -> tuple[int, str, list[str]]:
        """Exit code, what was said, and the calls made."""
        self.log.write_text("")
        done = subprocess.run(
            [self.checkout / "scripts" / "bootstrap.sh", "test"],
            env={"PATH": str(self.programs), "LOG": str(self.log), **circumstances},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.stdout == ""
        return done.returncode, done.stderr, self.log.read_text().splitlines()


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def installs(calls: list[str]) -> int:
    return sum("pip install" in call for call in calls)


def test_the_second_time_it_neither_says_nor_installs_anything(machine: Machine) -> None:
    code, said, calls = machine.run()
    assert (code, installs(calls)) == (0, 1)
    assert "installing the Python packages" in said
    code, said, calls = machine.run()
    assert (code, said, installs(calls)) == (0, "", 0)


def test_changed_dependencies_are_installed(machine: Machine) -> None:
    machine.run()
    (machine.checkout / "pyproject.toml").write_text("two\n")
    code, said, calls = machine.run()
    assert (code, installs(calls)) == (0, 1)
    assert "making .venv" not in said


def test_a_moved_checkout_is_installed_again(machine: Machine) -> None:
    machine.run()
    machine.checkout = machine.checkout.rename(machine.checkout.with_name("elsewhere"))
    assert installs(machine.run()[2]) == 1


def test_a_failed_installation_is_taken_up_again(machine: Machine) -> None:
    assert machine.run(PIP_FAILS="1")[0] == 1
    code, _, calls = machine.run()
    assert (code, installs(calls)) == (0, 1)


def test_a_venv_whose_python_has_gone_is_made_anew(machine: Machine) -> None:
    machine.run()
    (machine.checkout / ".venv" / "bin" / "python").unlink()
    code, said, calls = machine.run()
    assert (code, installs(calls)) == (0, 1)
    assert "making .venv" in said


def test_an_old_python_is_refused_in_words(machine: Machine) -> None:
    code, said, calls = machine.run(TOO_OLD="1")
    assert (code, installs(calls)) == (1, 0)
    assert said.startswith("bootstrap: Python 3.11 or newer is needed and none was found (python3 is Python 3.11.9)")


def test_a_missing_venv_module_is_named(machine: Machine) -> None:
    code, said, _ = machine.run(NO_VENV="1")
    assert code == 1
    assert said.endswith("sudo apt-get install -y --no-install-recommends python3.11-venv\n")


def test_without_sudo_the_command_is_printed_and_the_work_goes_on(machine: Machine) -> None:
    machine.put("apt-get", APT)
    machine.put("sudo", SUDO)
    code, said, calls = machine.run(MISSING="libegl1 xvfb")
    assert code == 0
    assert said.endswith("    sudo apt-get install -y --no-install-recommends libegl1 xvfb\n")
    assert not any(call.startswith("apt") for call in calls)


def test_with_sudo_the_libraries_are_installed(machine: Machine) -> None:
    machine.put("apt-get", APT)
    machine.put("sudo", SUDO)
    code, said, calls = machine.run(MISSING="libegl1 xvfb", SUDO_ALLOWED="yes")
    assert code == 0
    assert "missing" not in said
    (install,) = [call for call in calls if call.startswith("apt") and " install " in call]
    assert install.endswith(" libegl1 xvfb")
