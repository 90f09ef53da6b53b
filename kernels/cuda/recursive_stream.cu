// One tick of the recursive residual chain in two launches: see kernels/reference.py, recursive_tick.
// Grids: pass (tiles, L, 2) where z = 0 is R and z = 1 is W, elements (L, B). Partial results of R come first.
// Where cuBLAS multiplies instead, the element-wise pass is told that there is one tile of each kind.

template <int COLUMNS, class Weight, int VECTOR>
__device__ __forceinline__ void recursive_pass(
    Live* live, const Weight* R, const Weight* W, const float* inflow, const float* z, const float* s, float* forward,
    float* back, float share, int neurons, int layers, int samples) {
    DYNAMIC_SHARED(raw);
    count_tick(live);
    auto& shared = *reinterpret_cast<TileShared<COLUMNS, 1>*>(raw);
    const int column_tiles = (neurons + TILE_COLUMNS - 1) / TILE_COLUMNS;
    const int row_tiles = (neurons + TILE_ROWS - 1) / TILE_ROWS;
    const int row_tile = blockIdx.x / column_tiles, column_tile = blockIdx.x % column_tiles, layer = blockIdx.y;
    const int row0 = row_tile * TILE_ROWS, column0 = column_tile * TILE_COLUMNS, t = threadIdx.x;
    const bool recurrent = blockIdx.z == 0;
    const int slab = recurrent ? layer : layers + layer;
    const Columns states{samples, neurons};
    const Partials up{forward, samples, column_tiles, 3, neurons}, down{back, samples, row_tiles, 2, neurons};
    const Weight* A = (recurrent ? R : W) + (size_t)layer * neurons * neurons;
    for (int b = 0; b < samples; ++b) {
        const int j = column0 + t, i = row0 + t;
#pragma unroll
        for (int c = 0; c < COLUMNS; ++c) {
            float x = 0.0f;
            if (j < neurons) {
                if (recurrent)
                    x = z[states.at(layer, b, c, j)];
                else if (layer > 0)
                    x = s[states.at(layer - 1, b, c, j)];
                else if (c == 0)
                    x = inflow[(size_t)b * neurons + j];
            }
            shared.x[c][t] = x;
            if (c > 0 && t < TILE_ROWS) {
                float credit = 0.0f;
                if (i < neurons) {
                    const float free = z[states.at(layer, b, 0, i)];
                    credit =
                        (1.0f - free * free) * (z[states.at(layer, b, c, i)] + share * s[states.at(layer, b, c, i)]);
                }
                shared.g[c > 0 ? c - 1 : 0][t] = credit;
            }
        }
        __syncthreads();
        tile_pass<COLUMNS, 1, Weight, VECTOR>(
            A, neurons, row0, column0, shared, up.row(slab, b, column_tile, 0), down.row(slab, b, row_tile, 0));
        if (COLUMNS == 1) __syncthreads();
    }
}

template <int COLUMNS>
__device__ __forceinline__ void recursive_elements(
    const Live* live, const float* drive, const float* inflow, const float* aim, float* forward, float* back,
    const float* z, const float* s, float* z_out, float* s_out, float* velocity, unsigned char* flips, double* sums,
    float* atlas, float* history, float share, float reach, int column_tiles, int row_tiles, int neurons, int layers,
    int samples) {
    DYNAMIC_SHARED(raw);
    const int layer = blockIdx.x, b = blockIdx.y;
    const Columns states{samples, neurons};
    const Partials up{forward, samples, column_tiles, 3, neurons}, down{back, samples, row_tiles, 2, neurons};
    const float gain = live->sigma, beta = live->beta;
    const bool top = layer == layers - 1, shown = live->shown == b;
    Seen seen{};
    for (int i = threadIdx.x; i < neurons; i += blockDim.x) {
        const size_t place = ((size_t)layer * samples + b) * neurons + i, home = states.at(layer, b, 0, i);
        float push[COLUMNS];
#pragma unroll
        for (int c = 0; c < COLUMNS; ++c) push[c] = gain * up.total(layer, b, c, i) + up.total(layers + layer, b, c, i);
        const float below = layer > 0 ? s[states.at(layer - 1, b, 0, i)] : inflow[(size_t)b * neurons + i];
        const float free = tanhf(push[0] + drive[place]), stream = below + share * free, change = free - z[home];
        z_out[home] = free;
        s_out[home] = stream;
        seen.moved = larger(seen.moved, larger(fabsf(change), fabsf(stream - s[home])));
        float displaced[2];
#pragma unroll
        for (int c = 1; c < 3; ++c) {
            const size_t where = states.at(layer, b, c, i);
            const float old_z = z[where], old_s = s[where];
            float dz = old_z, ds = old_s;
            if (c < COLUMNS) {
                const float remainder = curved(free, push[c < COLUMNS ? c : 0]);
                float above = (c == 1 ? beta : -beta) * aim[(size_t)b * neurons + i];
                if (!top) above = s[states.at(layer + 1, b, c, i)] + down.total(layers + layer + 1, b, c - 1, i);
                dz = bounded(gain * down.total(layer, b, c - 1, i) + remainder, 2.0f);
                ds = bounded(above + share * remainder, reach);
                seen.nudged = larger(seen.nudged, larger(fabsf(dz - old_z), fabsf(ds - old_s)));
            }
            z_out[where] = dz;
            s_out[where] = ds;
            displaced[c - 1] = ds;
        }
        const float nudge = (displaced[0] - displaced[1]) / 2.0f;
        flips[place] = turns(flips[place], change, velocity[place]);
        velocity[place] = change;
        if (shown) show(atlas, layers, neurons, layer, i, free, change, nudge);
        seen.activation += (double)free * free;
        seen.velocity += (double)change * change;
        seen.nudge += (double)nudge * nudge;
    }
    reduce_block(
        seen, reinterpret_cast<double*>(raw), sums + ((size_t)layer * samples + b) * SUMS,
        peaks_of(history, live, layers, samples, layer, b));
}

#define RECURSIVE_PASS(NAME, COLUMNS, WEIGHT, VECTOR)                                                      \
    extern "C" __global__ void __launch_bounds__(STREAM_THREADS, 2) NAME(                                  \
        Live* live, const WEIGHT* R, const WEIGHT* W, const float* inflow, const float* z, const float* s, \
        float* forward, float* back, float share, int neurons, int layers, int samples) {                  \
        recursive_pass<COLUMNS, WEIGHT, VECTOR>(                                                           \
            live, R, W, inflow, z, s, forward, back, share, neurons, layers, samples);                     \
    }                                                                                                      \
    EXPORT(NAME)

#define RECURSIVE_ELEMENTS(NAME, COLUMNS)                                                                              \
    extern "C" __global__ void __launch_bounds__(STREAM_THREADS, 2) NAME(                                              \
        const Live* live, const float* drive, const float* inflow, const float* aim, float* forward, float* back,      \
        const float* z, const float* s, float* z_out, float* s_out, float* velocity, unsigned char* flips,             \
        double* sums, float* atlas, float* history, float share, float reach, int column_tiles, int row_tiles,         \
        int neurons, int layers, int samples) {                                                                        \
        recursive_elements<COLUMNS>(                                                                                   \
            live, drive, inflow, aim, forward, back, z, s, z_out, s_out, velocity, flips, sums, atlas, history, share, \
            reach, column_tiles, row_tiles, neurons, layers, samples);                                                 \
    }                                                                                                                  \
    EXPORT(NAME)
