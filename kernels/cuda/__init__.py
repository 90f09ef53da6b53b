"""CUDA for both chains, through CuPy: streaming kernels in a graph, and a persistent kernel where a layer fits.

    from kernels import cuda
    usable, reason = cuda.probe()
    device = cuda.open_device()                                   # DeviceError with the reason
    chain = cuda.DeviceChain(device, "hopfield", {"W": W})        # chain.reason says which way is used
    chain.set_input("inflow", inflow); chain.set_knobs(sigma=0.9, omega=1.0, beta=0.1)
    chain.tick(columns=3, ticks=16)                               # returns at once
    chain.peaks()                                                 # (16, L, B, 2): waits; largest changes of each tick
    reader = cuda.AtlasReader(device, chain)                      # for the view: request(tick), take()

CuPy is imported when a device is opened and nowhere else.
"""

from __future__ import annotations

from kernels.cuda.chain import HELD_FROM, LONGEST_BURST, DeviceChain
from kernels.cuda.cupy_device import CupyDevice, answers
from kernels.cuda.device import Device, DeviceError
from kernels.cuda.lattice import DeviceLattice
from kernels.cuda.readback import AtlasReader, Reading

__all__ = [
    "HELD_FROM", "LONGEST_BURST", "AtlasReader", "Device", "DeviceChain", "DeviceError", "DeviceLattice", "Reading",
    "open_device", "probe",
]  # fmt: skip


def open_device(index: int = 0) -> Device:
    """The GPU `index`, after a one-thread kernel has answered on it. Raises DeviceError with the reason."""
    device = CupyDevice(index)
    if not answers(device):
        raise DeviceError(f"{device.name}: a one-thread kernel gave a wrong answer")
    return device


def probe() -> tuple[bool, str]:
    """Whether CUDA kernels run here, and the device's name or the reason why not. Never raises."""
    try:
        import cupy

        if cupy.cuda.runtime.getDeviceCount() == 0:
            return False, "CuPy finds no CUDA device"
        return True, f"{open_device().name}, CuPy {cupy.__version__}"
    except Exception as error:
        return False, f"{type(error).__name__}: {error}"
