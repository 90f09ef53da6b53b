// Words shared by all kernels. Header-free: NVRTC reads this text as it is; for the host emulation in the tests g++
// reads it behind a shim that defines the CUDA words and EMULATED.

#ifndef EMULATED
#define DYNAMIC_SHARED(name) extern __shared__ __align__(16) unsigned char name[]
#define SPINNING()
#define KEEP_IN_REGISTER(word) asm volatile("" : "+r"(word))
#define EXPORT(kernel)
#endif

constexpr unsigned WARP = 32, ALL_LANES = 0xffffffffu;

struct Half {
    unsigned short bits;
};

// What may change between any two ticks without a new graph; lies in device memory.
struct Live {
    float sigma, omega, beta;
    int shown;  // the sample in the atlas
    int step;   // of the streaming kernels: ticks since the host wrote this, from -1
};

__device__ __forceinline__ float as_float(float weight) {
    return weight;
}

__device__ __forceinline__ float as_float(Half weight) {
#ifdef EMULATED
    return float_of_half(weight.bits);
#else
    float value;
    asm("cvt.f32.f16 %0, %1;" : "=f"(value) : "h"(weight.bits));
    return value;
#endif
}

// Largest of two magnitudes; NaN wins, so that it shows in the reductions.
__device__ __forceinline__ float larger(float a, float b) {
    return a > b || a != a ? a : b;
}

__device__ __forceinline__ float bounded(float value, float bound) {
    return value > bound ? bound : value < -bound ? -bound : value;
}

// Totals of four values over the lanes of a warp in six shuffles; a lane gets that of value[lane / 8].
__device__ __forceinline__ float fold_four(float (&value)[4], unsigned lane) {
    const bool high = lane & 16, low = lane & 8;
#pragma unroll
    for (int q = 0; q < 2; ++q) {
        const float sent = high ? value[q] : value[q + 2], kept = high ? value[q + 2] : value[q];
        value[q] = kept + __shfl_xor_sync(ALL_LANES, sent, 16);
    }
    const float sent = low ? value[0] : value[1], kept = low ? value[1] : value[0];
    float total = kept + __shfl_xor_sync(ALL_LANES, sent, 8);
#pragma unroll
    for (int step = 4; step > 0; step /= 2) total += __shfl_xor_sync(ALL_LANES, total, step);
    return total;
}

// The reductions of one layer and sample, as one thread sees them.
struct Seen {
    double activation, velocity, nudge;
    float moved, nudged;
};

constexpr int SUMS = 5;

// Folds `seen` of all threads into sums[5], in an order that never changes, and the two largest changes into peaks[2]
// where that is not null. `scratch`: 5 doubles a warp, shared.
__device__ __forceinline__ void reduce_block(Seen seen, double* scratch, double* sums, float* peaks) {
    const unsigned lane = threadIdx.x % WARP, warp = threadIdx.x / WARP, warps = blockDim.x / WARP;
#pragma unroll
    for (int step = 16; step > 0; step /= 2) {
        seen.activation += __shfl_xor_sync(ALL_LANES, seen.activation, step);
        seen.velocity += __shfl_xor_sync(ALL_LANES, seen.velocity, step);
        seen.nudge += __shfl_xor_sync(ALL_LANES, seen.nudge, step);
        seen.moved = larger(seen.moved, __shfl_xor_sync(ALL_LANES, seen.moved, step));
        seen.nudged = larger(seen.nudged, __shfl_xor_sync(ALL_LANES, seen.nudged, step));
    }
    if (lane == 0) {
        double* mine = scratch + SUMS * warp;
        mine[0] = seen.activation;
        mine[1] = seen.velocity;
        mine[2] = seen.nudge;
        mine[3] = seen.moved;
        mine[4] = seen.nudged;
    }
    __syncthreads();
    if (threadIdx.x < SUMS) {
        double total = scratch[threadIdx.x];
        for (unsigned other = 1; other < warps; ++other) {
            const double next = scratch[SUMS * other + threadIdx.x];
            if (threadIdx.x < 3)
                total += next;
            else
                total = next > total || next != next ? next : total;
        }
        sums[threadIdx.x] = total;
        if (peaks != nullptr && threadIdx.x >= 3) peaks[threadIdx.x - 3] = (float)total;
    }
}

// Ticks in a row at which the velocity turned round, up to 255.
__device__ __forceinline__ unsigned char turns(unsigned char flips, float change, float velocity) {
    const bool turned = change * velocity < 0.0f && fabsf(change) > FLIP_THRESHOLD;
    return turned ? (flips < 255 ? flips + 1 : 255) : 0;
}

// tanh(a + push) - tanh(a) where free = tanh(a) and turn = tanh(push), without cancellation.
__device__ __forceinline__ float shifted(float free, float turn) {
    return (1.0f - free * free) * turn / (1.0f + free * turn);
}

// The same less its linear part: the second-order remainder of the forward map.
__device__ __forceinline__ float curved(float free, float push) {
    const float turn = tanhf(push);
    return (1.0f - free * free) * (turn / (1.0f + free * turn) - push);
}

// Where neuron (layer, sample, column, i) lies in the state columns (L, B, 3, N).
struct Columns {
    int samples, neurons;
    __device__ __forceinline__ size_t at(int layer, int sample, int column, int i) const {
        return (((size_t)layer * samples + sample) * 3 + column) * neurons + i;
    }
};

// The place of (layer, sample) of the step under way in history (steps, L, B, 2).
__device__ __forceinline__ float* peaks_of(
    float* history, const Live* live, int layers, int samples, int layer, int b) {
    return history + (((size_t)live->step * layers + layer) * samples + b) * 2;
}

// The first thread of a matrix pass counts the tick; the element-wise pass reads it in the next launch.
__device__ __forceinline__ void count_tick(Live* live) {
    if (threadIdx.x == 0 && blockIdx.x == 0 && blockIdx.y == 0 && blockIdx.z == 0) ++live->step;
}

// What one neuron's tick leaves behind for observers. `nudge` is the difference of the nudged copies over 2.
__device__ __forceinline__ void show(
    float* atlas, int layers, int neurons, int layer, int i, float activation, float velocity, float nudge) {
    const size_t plane = (size_t)layers * neurons, place = (size_t)layer * neurons + i;
    atlas[place] = activation;
    atlas[plane + place] = velocity;
    atlas[2 * plane + place] = nudge;
}
