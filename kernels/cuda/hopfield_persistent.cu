// Many ticks of the Hopfield energy chain in one launch: see kernels/reference.py, hopfield_tick, with one sample.
// Grid: one block a layer, all resident at once. `s` and `s_before` are updated in place.

template <int COLUMNS, int WIDTH>
struct HopfieldShared {
    float fold[HELD_WARPS][WIDTH];
    float own[COLUMNS][WIDTH], before[COLUMNS][WIDTH], below[COLUMNS][WIDTH], product[COLUMNS][WIDTH];
    float velocity[WIDTH];
    unsigned char flips[WIDTH];
    Peaks peaks;
    int lost;
};

template <int COLUMNS, class Weight, int WIDTH>
__device__ __forceinline__ void hopfield_persistent(
    const Weight* W, const Live* live, const float* drive, const float* inflow, const float* aim, float* s,
    float* s_before, float* velocity, unsigned char* flips, double* sums, float* atlas, float* product, float* history,
    Word* up, Word* down, int* lost, unsigned first_tag, int ticks, int neurons, int layers) {
    DYNAMIC_SHARED(raw);
    Held<Weight, WIDTH, 1> held;
    auto& shared = *reinterpret_cast<HopfieldShared<COLUMNS, WIDTH>*>(raw + held.SHARED_BYTES);
    const int layer = blockIdx.x, t = threadIdx.x;
    const bool top = layer == layers - 1, mine = t < neurons;
    const Columns states{1, neurons};
    const Weight* const A = W + (size_t)layer * neurons * neurons;
    held.load(A, A, neurons, raw);
    if (t == 0) shared.lost = 0;
    if (t < WIDTH) {
#pragma unroll
        for (int c = 0; c < COLUMNS; ++c) {
            shared.own[c][t] = mine ? s[states.at(layer, 0, c, t)] : 0.0f;
            shared.before[c][t] = mine ? s_before[states.at(layer, 0, c, t)] : 0.0f;
            shared.below[c][t] = mine && layer == 0 && c == 0 ? inflow[t] : 0.0f;
            if (mine && !top) publish(slot_of<WIDTH>(up, first_tag, layers, layer, c, t), shared.own[c][t], first_tag);
        }
        shared.velocity[t] = mine ? velocity[(size_t)layer * neurons + t] : 0.0f;
        shared.flips[t] = mine ? flips[(size_t)layer * neurons + t] : 0;
    }
    __syncthreads();  // before anyone can set shared.lost
    float moved = 0.0f, nudged = 0.0f;
    for (int step = 0; step < ticks; ++step) {
        const unsigned tag = first_tag + step;
        if (mine && layer > 0) {
#pragma unroll
            for (int c = 0; c < COLUMNS; ++c)
                shared.below[c][t] = await(slot_of<WIDTH>(up, tag, layers, layer - 1, c, t), tag, shared.lost);
        }
        __syncthreads();
        if (shared.lost) break;
        if (step > 0) shared.peaks.record(history, layers, layer, step - 1);
#pragma unroll 1
        for (int c = 0; c < COLUMNS; ++c) {
            float* const y = shared.product[c];
            held.template pass<0, true>(
                shared.below[c], shared.own[c], shared.fold[0], [y](int row, float sum) { y[row] = sum; });
            __syncthreads();
            if (mine && layer > 0)
                publish(slot_of<WIDTH>(down, tag, layers, layer, c, t), held.unfold(shared.fold[0], t), tag);
            __syncthreads();
        }
        moved = nudged = 0.0f;
        if (mine) {
            const float half_gain = live->sigma / 2.0f, omega = live->omega, beta = live->beta;
            float free = 0.0f;
#pragma unroll 1
            for (int c = 0; c < COLUMNS; ++c) {
                float push = half_gain * shared.product[c][t];
                if (!top)
                    push += half_gain * await(slot_of<WIDTH>(down, tag, layers, layer + 1, c, t), tag, shared.lost);
                else if (c > 0)
                    push += (c == 1 ? beta : -beta) * aim[t];
                if (c == 0) push += drive[(size_t)layer * neurons + t];
                float next = tanhf(push * (top ? 2.0f : 1.0f));
                if (c == 0)
                    free = next;
                else
                    next = shifted(free, next);
                const float old = shared.own[c][t], earlier = shared.before[c][t];
                if (omega != 1.0f) next = omega * (next - earlier) + earlier;
                const float change = next - old;
                shared.before[c][t] = old;
                shared.own[c][t] = next;
                if (!top && step + 1 < ticks) publish(slot_of<WIDTH>(up, tag + 1, layers, layer, c, t), next, tag + 1);
                if (c == 0) {
                    moved = fabsf(change);
                    shared.flips[t] = turns(shared.flips[t], change, shared.velocity[t]);
                    shared.velocity[t] = change;
                } else {
                    nudged = larger(nudged, fabsf(change));
                }
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
        float displaced[2];
#pragma unroll
        for (int c = 0; c < 3; ++c) {
            const size_t place = states.at(layer, 0, c, t);
            const int own = c < COLUMNS ? c : 0;
            const float now = c < COLUMNS ? shared.own[own][t] : s[place];
            s_before[place] = c < COLUMNS ? shared.before[own][t] : now;
            s[place] = now;
            if (c > 0) displaced[c - 1] = now;
        }
        const size_t place = (size_t)layer * neurons + t;
        const float activation = shared.own[0][t], change = shared.velocity[t];
        const float nudge = (displaced[0] - displaced[1]) / 2.0f;
        velocity[place] = change;
        flips[place] = shared.flips[t];
        product[place] = shared.product[0][t];
        show(atlas, layers, neurons, layer, t, activation, change, nudge);
        seen.activation = (double)activation * activation;
        seen.velocity = (double)change * change;
        seen.nudge = (double)nudge * nudge;
    }
    reduce_block(seen, reinterpret_cast<double*>(shared.fold[0]), sums + (size_t)layer * SUMS, nullptr);
}

#define HOPFIELD_PERSISTENT(NAME, COLUMNS, WEIGHT, WIDTH)                                                             \
    extern "C" __global__ void __launch_bounds__(HELD_THREADS, 1) NAME(                                               \
        const WEIGHT* W, const Live* live, const float* drive, const float* inflow, const float* aim, float* s,       \
        float* s_before, float* velocity, unsigned char* flips, double* sums, float* atlas, float* product,           \
        float* history, Word* up, Word* down, int* lost, unsigned first_tag, int ticks, int neurons, int layers) {    \
        hopfield_persistent<COLUMNS, WEIGHT, WIDTH>(                                                                  \
            W, live, drive, inflow, aim, s, s_before, velocity, flips, sums, atlas, product, history, up, down, lost, \
            first_tag, ticks, neurons, layers);                                                                       \
    }                                                                                                                 \
    EXPORT(NAME)
