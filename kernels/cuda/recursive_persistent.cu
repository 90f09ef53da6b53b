// Many ticks of the recursive residual chain in one launch: see kernels/reference.py, recursive_tick, one sample.
// Grid: one block a layer, all resident at once. `z` and `s` are updated in place.
//
// Upwards travel the streams s_l, downwards s_l + W_l^T g_l of the nudged columns. With one column nothing needs to
// travel down, but a layer must not overtake the one above by two ticks: there one acknowledging word does.

template <int COLUMNS, int WIDTH>
struct RecursiveShared {
    static constexpr int NUDGED = COLUMNS > 1 ? COLUMNS - 1 : 1;
    float fold[HELD_WARPS][WIDTH];
    float z[COLUMNS][WIDTH], s[COLUMNS][WIDTH], below[COLUMNS][WIDTH], push[COLUMNS][WIDTH];
    float credit[NUDGED][WIDTH], back[NUDGED][WIDTH];
    float velocity[WIDTH];
    unsigned char flips[WIDTH];
    Peaks peaks;
    int lost;
};

template <int COLUMNS, class Weight, int WIDTH>
__device__ __forceinline__ void recursive_persistent(
    const Weight* R, const Weight* W, const Live* live, const float* drive, const float* inflow, const float* aim,
    float* z, float* s, float* velocity, unsigned char* flips, double* sums, float* atlas, float* history, Word* up,
    Word* down, int* lost, unsigned first_tag, int ticks, float share, float reach, int neurons, int layers) {
    DYNAMIC_SHARED(raw);
    Held<Weight, WIDTH, 2> held;
    auto& shared = *reinterpret_cast<RecursiveShared<COLUMNS, WIDTH>*>(raw + held.SHARED_BYTES);
    const int layer = blockIdx.x, t = threadIdx.x;
    const bool top = layer == layers - 1, mine = t < neurons;
    const Columns states{1, neurons};
    const size_t matrix = (size_t)layer * neurons * neurons;
    held.load(R + matrix, W + matrix, neurons, raw);
    if (t == 0) shared.lost = 0;
    if (t < WIDTH) {
#pragma unroll
        for (int c = 0; c < COLUMNS; ++c) {
            shared.z[c][t] = mine ? z[states.at(layer, 0, c, t)] : 0.0f;
            shared.s[c][t] = mine ? s[states.at(layer, 0, c, t)] : 0.0f;
            shared.below[c][t] = mine && layer == 0 && c == 0 ? inflow[t] : 0.0f;
            if (mine && !top) publish(slot_of<WIDTH>(up, first_tag, layers, layer, c, t), shared.s[c][t], first_tag);
        }
        shared.velocity[t] = mine ? velocity[(size_t)layer * neurons + t] : 0.0f;
        shared.flips[t] = mine ? flips[(size_t)layer * neurons + t] : 0;
    }
    __syncthreads();  // before anyone can set shared.lost
    float moved = 0.0f, nudged = 0.0f;
    for (int step = 0; step < ticks; ++step) {
        const unsigned tag = first_tag + step;
        if (t < WIDTH) {
#pragma unroll
            for (int c = 0; c < COLUMNS; ++c) {
                if (mine && layer > 0)
                    shared.below[c][t] = await(slot_of<WIDTH>(up, tag, layers, layer - 1, c, t), tag, shared.lost);
                if (c > 0) {
                    const float free = shared.z[0][t];
                    shared.credit[c > 0 ? c - 1 : 0][t] =
                        (1.0f - free * free) * (shared.z[c][t] + share * shared.s[c][t]);
                }
            }
        }
        __syncthreads();
        if (shared.lost) break;
        if (step > 0) shared.peaks.record(history, layers, layer, step - 1);
        if (COLUMNS == 1 && t == 0 && layer > 0) publish(slot_of<WIDTH>(down, tag, layers, layer, 0, 0), 0.0f, tag);
        const float gain = live->sigma;
        float* const push = shared.push[0];
        held.template pass<0, false>(
            shared.z[0], shared.fold[0], shared.fold[0], [=](int row, float sum) { push[row] = gain * sum; });
        held.template pass<1, false>(
            shared.below[0], shared.fold[0], shared.fold[0], [=](int row, float sum) { push[row] += sum; });
        if constexpr (COLUMNS == 3) {
#pragma unroll 1
            for (int c = 1; c < COLUMNS; ++c) {
                float* const y = shared.push[c];
                held.template pass<0, true>(shared.z[c], shared.credit[c - 1], shared.fold[0], [=](int row, float sum) {
                    y[row] = gain * sum;
                });
                __syncthreads();
                if (mine) shared.back[c - 1][t] = held.unfold(shared.fold[0], t);
                __syncthreads();
                held.template pass<1, true>(
                    shared.below[c], shared.credit[c - 1], shared.fold[0], [=](int row, float sum) { y[row] += sum; });
                __syncthreads();
                if (mine && layer > 0)
                    publish(
                        slot_of<WIDTH>(down, tag, layers, layer, c, t), shared.s[c][t] + held.unfold(shared.fold[0], t),
                        tag);
                __syncthreads();
            }
        } else {
            if (t == 0 && !top) await(slot_of<WIDTH>(down, tag, layers, layer + 1, 0, 0), tag, shared.lost);
            __syncthreads();
        }
        moved = nudged = 0.0f;
        if (mine) {
            const float beta = live->beta, below = shared.below[0][t];
            const float free = tanhf(push[t] + drive[(size_t)layer * neurons + t]), stream = below + share * free;
            const float change = free - shared.z[0][t];
            const bool onward = !top && step + 1 < ticks;
            moved = larger(fabsf(change), fabsf(stream - shared.s[0][t]));
            shared.z[0][t] = free;
            shared.s[0][t] = stream;
            if (onward) publish(slot_of<WIDTH>(up, tag + 1, layers, layer, 0, t), stream, tag + 1);
            shared.flips[t] = turns(shared.flips[t], change, shared.velocity[t]);
            shared.velocity[t] = change;
#pragma unroll 1
            for (int c = 1; c < COLUMNS; ++c) {
                const float remainder = curved(free, shared.push[c][t]);
                const float above = top ? (c == 1 ? beta : -beta) * aim[t]
                                        : await(slot_of<WIDTH>(down, tag, layers, layer + 1, c, t), tag, shared.lost);
                const float dz = bounded(gain * shared.back[c - 1][t] + remainder, 2.0f);
                const float ds = bounded(above + share * remainder, reach);
                nudged = larger(nudged, larger(fabsf(dz - shared.z[c][t]), fabsf(ds - shared.s[c][t])));
                shared.z[c][t] = dz;
                shared.s[c][t] = ds;
                if (onward) publish(slot_of<WIDTH>(up, tag + 1, layers, layer, c, t), ds, tag + 1);
            }
        }
        shared.peaks.note(moved, nudged);
    }
    __syncthreads();
    if (shared.lost) {
        if (t == 0) *lost = 1;
        return;
    }
    shared.peaks.record(history, layers, layer, ticks - 1);
    Seen seen{0.0, 0.0, 0.0, moved, nudged};
    if (mine) {
#pragma unroll
        for (int c = 0; c < COLUMNS; ++c) {
            z[states.at(layer, 0, c, t)] = shared.z[c][t];
            s[states.at(layer, 0, c, t)] = shared.s[c][t];
        }
        const size_t place = (size_t)layer * neurons + t;
        const float activation = shared.z[0][t], change = shared.velocity[t];
        const float nudge = (s[states.at(layer, 0, 1, t)] - s[states.at(layer, 0, 2, t)]) / 2.0f;
        velocity[place] = change;
        flips[place] = shared.flips[t];
        show(atlas, layers, neurons, layer, t, activation, change, nudge);
        seen.activation = (double)activation * activation;
        seen.velocity = (double)change * change;
        seen.nudge = (double)nudge * nudge;
    }
    reduce_block(seen, reinterpret_cast<double*>(shared.fold[0]), sums + (size_t)layer * SUMS, nullptr);
}

#define RECURSIVE_PERSISTENT(NAME, COLUMNS, WEIGHT, WIDTH)                                                             \
    extern "C" __global__ void __launch_bounds__(HELD_THREADS, 1) NAME(                                                \
        const WEIGHT* R, const WEIGHT* W, const Live* live, const float* drive, const float* inflow, const float* aim, \
        float* z, float* s, float* velocity, unsigned char* flips, double* sums, float* atlas, float* history,         \
        Word* up, Word* down, int* lost, unsigned first_tag, int ticks, float share, float reach, int neurons,         \
        int layers) {                                                                                                  \
        recursive_persistent<COLUMNS, WEIGHT, WIDTH>(                                                                  \
            R, W, live, drive, inflow, aim, z, s, velocity, flips, sums, atlas, history, up, down, lost, first_tag,    \
            ticks, share, reach, neurons, layers);                                                                     \
    }                                                                                                                  \
    EXPORT(NAME)
