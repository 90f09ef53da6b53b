// One tick of a lattice of voxels in one launch: see kernels/lattice_reference.py, tick. Grid: (L, B).
// A thread computes whole voxels; its warp reads each plane of synapses side by side. K and T hold sigma already.

constexpr int LATTICE_THREADS = 512;

template <int COLUMNS>
__device__ __forceinline__ void lattice_tick(
    const Live* live, const float* K, const float* T, const float* drive, const float* inflow, const float* aim,
    const float* s, float* s_out, float* velocity, unsigned char* flips, double* sums, float* atlas, int side, int layers,
    int samples) {
    DYNAMIC_SHARED(raw);
    const int z = blockIdx.x, b = blockIdx.y, neurons = side * side;
    const Columns states{samples, neurons};
    const float beta = live->beta;
    const bool shown = live->shown == b;
    Seen seen{};
    for (int i = threadIdx.x; i < neurons; i += blockDim.x) {
        const int y = i / side, x = i % side;
        const size_t place = ((size_t)z * samples + b) * neurons + i;
        float push[COLUMNS] = {}, back[2] = {};
#pragma unroll 3
        for (int row = 0; row < 27; ++row) {
            const int dz = row / 9 - 1, dy = row / 3 % 3 - 1, dx = row % 3 - 1;
            if (z + dz < 0 || z + dz >= layers || y + dy < 0 || y + dy >= side || x + dx < 0 || x + dx >= side) continue;
            const size_t synapse = ((size_t)z * 27 + row) * neurons + i;
            const size_t there = states.at(z + dz, b, 0, i + dy * side + dx);
            const float weight = K[synapse], free = s[there];
            push[0] += weight * free;
            if (COLUMNS == 3) {
                const float returned = T[synapse] * (1.0f - free * free);
#pragma unroll
                for (int c = 1; c < COLUMNS; ++c) {
                    const float moved = s[there + (size_t)c * neurons];
                    push[c] += weight * moved;
                    back[c - 1] += returned * moved;
                }
            }
        }
        const float fed = z == 0 ? inflow[(size_t)b * neurons + i] : 0.0f;
        const size_t home = states.at(z, b, 0, i);
        const float free = tanhf(push[0] + drive[place] + fed), change = free - s[home];
        s_out[home] = free;
        seen.moved = larger(seen.moved, fabsf(change));
        float nudge = 0.0f;
#pragma unroll
        for (int c = 1; c < 3; ++c) {
            const size_t where = states.at(z, b, c, i);
            const float old = s[where];
            float next = old;
            if (c < COLUMNS) {
                float pull = back[c - 1];
                if (z == layers - 1) pull += (c == 1 ? beta : -beta) * aim[(size_t)b * neurons + i];
                next = bounded(pull + curved(free, push[c < COLUMNS ? c : 0]), 2.0f);
                seen.nudged = larger(seen.nudged, fabsf(next - old));
            }
            s_out[where] = next;
            nudge += (c == 1 ? next : -next) / 2.0f;
        }
        flips[place] = turns(flips[place], change, velocity[place]);
        velocity[place] = change;
        if (shown) show(atlas, layers, neurons, z, i, free, change, nudge);
        seen.activation += (double)free * free;
        seen.velocity += (double)change * change;
        seen.nudge += (double)nudge * nudge;
    }
    reduce_block(seen, reinterpret_cast<double*>(raw), sums + ((size_t)z * samples + b) * SUMS, nullptr);
}

#define LATTICE_TICK(NAME, COLUMNS)                                                                                     \
    extern "C" __global__ void __launch_bounds__(LATTICE_THREADS, 2) NAME(                                              \
        const Live* live, const float* K, const float* T, const float* drive, const float* inflow, const float* aim,    \
        const float* s, float* s_out, float* velocity, unsigned char* flips, double* sums, float* atlas, int side,      \
        int layers, int samples) {                                                                                      \
        lattice_tick<COLUMNS>(                                                                                          \
            live, K, T, drive, inflow, aim, s, s_out, velocity, flips, sums, atlas, side, layers, samples);             \
    }                                                                                                                   \
    EXPORT(NAME)
