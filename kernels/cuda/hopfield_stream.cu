// One tick of the Hopfield energy chain in two launches: see kernels/reference.py, hopfield_tick.
// Grids: pass (tiles, L), elements (L, B); tiles are numbered row tile * column tiles + column tile.
// Where cuBLAS multiplies instead, the element-wise pass is told that there is one tile of each kind.

template <int COLUMNS, class Weight, int VECTOR>
__device__ __forceinline__ void hopfield_pass(
    Live* live, const Weight* W, const float* inflow, const float* s, float* forward, float* back, int neurons,
    int layers, int samples) {
    DYNAMIC_SHARED(raw);
    count_tick(live);
    auto& shared = *reinterpret_cast<TileShared<COLUMNS, 0>*>(raw);
    const int column_tiles = (neurons + TILE_COLUMNS - 1) / TILE_COLUMNS;
    const int row_tiles = (neurons + TILE_ROWS - 1) / TILE_ROWS;
    const int row_tile = blockIdx.x / column_tiles, column_tile = blockIdx.x % column_tiles, layer = blockIdx.y;
    const int row0 = row_tile * TILE_ROWS, column0 = column_tile * TILE_COLUMNS, t = threadIdx.x;
    const Columns states{samples, neurons};
    const Partials up{forward, samples, column_tiles, 3, neurons}, down{back, samples, row_tiles, 3, neurons};
    const Weight* A = W + (size_t)layer * neurons * neurons;
    for (int b = 0; b < samples; ++b) {
        const int j = column0 + t, i = row0 + t;
#pragma unroll
        for (int c = 0; c < COLUMNS; ++c) {
            float below = 0.0f;
            if (j < neurons && layer > 0) below = s[states.at(layer - 1, b, c, j)];
            if (j < neurons && layer == 0 && c == 0) below = inflow[(size_t)b * neurons + j];
            shared.x[c][t] = below;
            if (t < TILE_ROWS) shared.g[c][t] = i < neurons ? s[states.at(layer, b, c, i)] : 0.0f;
        }
        __syncthreads();
        tile_pass<COLUMNS, 0, Weight, VECTOR>(
            A, neurons, row0, column0, shared, up.row(layer, b, column_tile, 0), down.row(layer, b, row_tile, 0));
    }
}

template <int COLUMNS>
__device__ __forceinline__ void hopfield_elements(
    const Live* live, const float* drive, const float* aim, float* forward, float* back, const float* s, float* s_out,
    float* velocity, unsigned char* flips, double* sums, float* atlas, float* history, float* product, int column_tiles,
    int row_tiles, int neurons, int layers, int samples) {
    DYNAMIC_SHARED(raw);
    const int layer = blockIdx.x, b = blockIdx.y;
    const Columns states{samples, neurons};
    const Partials up{forward, samples, column_tiles, 3, neurons}, down{back, samples, row_tiles, 3, neurons};
    const float half_gain = live->sigma / 2.0f, omega = live->omega, beta = live->beta;
    const bool top = layer == layers - 1, shown = live->shown == b;
    Seen seen{};
    for (int i = threadIdx.x; i < neurons; i += blockDim.x) {
        float mapped = 0.0f, activation = 0.0f, change = 0.0f, nudge = 0.0f;
        const size_t place = ((size_t)layer * samples + b) * neurons + i;
#pragma unroll
        for (int c = 0; c < 3; ++c) {
            const size_t where = states.at(layer, b, c, i);
            const float old = s[where];
            float next = old;
            if (c < COLUMNS) {
                const float product_below = up.total(layer, b, c, i);
                float push = half_gain * product_below;
                if (!top)
                    push += half_gain * down.total(layer + 1, b, c, i);
                else if (c > 0)
                    push += (c == 1 ? beta : -beta) * aim[(size_t)b * neurons + i];
                if (c == 0) {
                    push += drive[place];
                    product[place] = product_below;
                }
                next = tanhf(push * (top ? 2.0f : 1.0f));
                if (c == 0)
                    mapped = next;
                else
                    next = shifted(mapped, next);
                if (omega != 1.0f) {
                    const float earlier = s_out[where];
                    next = omega * (next - earlier) + earlier;
                }
            }
            s_out[where] = next;
            if (c == 0) {
                activation = next;
                change = next - old;
                seen.moved = larger(seen.moved, fabsf(change));
            } else {
                nudge += (c == 1 ? next : -next) / 2.0f;
                seen.nudged = larger(seen.nudged, fabsf(next - old));
            }
        }
        flips[place] = turns(flips[place], change, velocity[place]);
        velocity[place] = change;
        if (shown) show(atlas, layers, neurons, layer, i, activation, change, nudge);
        seen.activation += (double)activation * activation;
        seen.velocity += (double)change * change;
        seen.nudge += (double)nudge * nudge;
    }
    reduce_block(
        seen, reinterpret_cast<double*>(raw), sums + ((size_t)layer * samples + b) * SUMS,
        peaks_of(history, live, layers, samples, layer, b));
}

#define HOPFIELD_PASS(NAME, COLUMNS, WEIGHT, VECTOR)                                                                \
    extern "C" __global__ void __launch_bounds__(STREAM_THREADS, 2) NAME(                                           \
        Live* live, const WEIGHT* W, const float* inflow, const float* s, float* forward, float* back, int neurons, \
        int layers, int samples) {                                                                                  \
        hopfield_pass<COLUMNS, WEIGHT, VECTOR>(live, W, inflow, s, forward, back, neurons, layers, samples);        \
    }                                                                                                               \
    EXPORT(NAME)

#define HOPFIELD_ELEMENTS(NAME, COLUMNS)                                                                             \
    extern "C" __global__ void __launch_bounds__(STREAM_THREADS, 2) NAME(                                            \
        const Live* live, const float* drive, const float* aim, float* forward, float* back, const float* s,         \
        float* s_out, float* velocity, unsigned char* flips, double* sums, float* atlas, float* history,             \
        float* product, int column_tiles, int row_tiles, int neurons, int layers, int samples) {                     \
        hopfield_elements<COLUMNS>(                                                                                  \
            live, drive, aim, forward, back, s, s_out, velocity, flips, sums, atlas, history, product, column_tiles, \
            row_tiles, neurons, layers, samples);                                                                    \
    }                                                                                                                \
    EXPORT(NAME)
