// One thread that answers: proof that kernels compile and run on this device.

extern "C" __global__ void answer(int* place) {
    *place = 42;
}
EXPORT(answer)
