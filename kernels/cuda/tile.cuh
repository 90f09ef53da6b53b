// The matrix pass of the streaming kernels: one block reads one tile of one layer's matrix once, for both directions
// and all columns. Partial results of tiles go to memory and are added by the element-wise pass in a fixed order
// (no float atomics), so runs are reproducible bit for bit.

constexpr int STREAM_THREADS = 256, STREAM_WARPS = STREAM_THREADS / 32;
constexpr int TILE_ROWS = 64, TILE_COLUMNS = 256, PER_LANE = TILE_COLUMNS / 32;

struct Partials {
    float* data;
    int samples, tiles, columns, neurons;
    __device__ __forceinline__ float* row(int layer, int sample, int tile, int column) const {
        return data + ((((size_t)layer * samples + sample) * tiles + tile) * columns + column) * neurons;
    }
    // Sum over the tiles for one neuron.
    __device__ __forceinline__ float total(int layer, int sample, int column, int i) const {
        float sum = 0.0f;
        for (int tile = 0; tile < tiles; ++tile) sum += row(layer, sample, tile, column)[i];
        return sum;
    }
};

// Which column of the tile a lane's q-th weight belongs to.
template <int VECTOR>
__device__ __forceinline__ int tile_column(int lane, int q) {
    return VECTOR == 4 ? q / 4 * 128 + lane * 4 + q % 4 : q * 32 + lane;
}

template <int VECTOR>
__device__ __forceinline__ void load_weights(const float* row, int left, int lane, float (&out)[PER_LANE]) {
#pragma unroll
    for (int q = 0; q < PER_LANE; q += VECTOR) {
        const int j = tile_column<VECTOR>(lane, q);
        if constexpr (VECTOR == 4) {
            float4 four = {0.0f, 0.0f, 0.0f, 0.0f};
            if (j < left) four = *reinterpret_cast<const float4*>(row + j);
            out[q] = four.x, out[q + 1] = four.y, out[q + 2] = four.z, out[q + 3] = four.w;
        } else {
            out[q] = j < left ? row[j] : 0.0f;
        }
    }
}

template <int VECTOR>
__device__ __forceinline__ void load_weights(const Half* row, int left, int lane, float (&out)[PER_LANE]) {
#pragma unroll
    for (int q = 0; q < PER_LANE; q += VECTOR) {
        const int j = tile_column<VECTOR>(lane, q);
        if constexpr (VECTOR == 4) {
            ushort4 four = {0, 0, 0, 0};
            if (j < left) four = *reinterpret_cast<const ushort4*>(row + j);
            out[q] = as_float(Half{four.x}), out[q + 1] = as_float(Half{four.y});
            out[q + 2] = as_float(Half{four.z}), out[q + 3] = as_float(Half{four.w});
        } else {
            out[q] = j < left ? as_float(row[j]) : 0.0f;
        }
    }
}

template <int COLUMNS, int FIRST>
struct TileShared {
    static constexpr int BACK = COLUMNS - FIRST;
    float x[COLUMNS][TILE_COLUMNS];
    float g[BACK > 0 ? BACK : 1][TILE_ROWS];
    float fold[BACK > 0 ? STREAM_WARPS : 1][TILE_COLUMNS];
};

// y[c] = A x[c] for c < COLUMNS over this tile's columns, v[c - FIRST] = A^T g[c - FIRST] over its rows.
// A is (n, n); shared.x and shared.g hold zeros beyond n.
template <int COLUMNS, int FIRST, class Weight, int VECTOR>
__device__ __forceinline__ void tile_pass(
    const Weight* A, int n, int row0, int column0, TileShared<COLUMNS, FIRST>& shared, float* y, float* v) {
    constexpr int BACK = COLUMNS - FIRST, ROWS = TILE_ROWS / STREAM_WARPS;
    const int lane = threadIdx.x % WARP, warp = threadIdx.x / WARP;
    float x[COLUMNS][PER_LANE], back[BACK > 0 ? BACK : 1][PER_LANE] = {};
#pragma unroll
    for (int c = 0; c < COLUMNS; ++c)
#pragma unroll
        for (int q = 0; q < PER_LANE; ++q) x[c][q] = shared.x[c][tile_column<VECTOR>(lane, q)];
#pragma unroll 1
    for (int four = warp * ROWS; four < (warp + 1) * ROWS; four += 4) {
        float total[COLUMNS][4];
#pragma unroll
        for (int r = 0; r < 4; ++r) {
            const int row = row0 + four + r;
            float a[PER_LANE];
            load_weights<VECTOR>(A + (size_t)row * n + column0, row < n ? n - column0 : 0, lane, a);
#pragma unroll
            for (int c = 0; c < COLUMNS; ++c) {
                total[c][r] = 0.0f;
#pragma unroll
                for (int q = 0; q < PER_LANE; ++q) total[c][r] += a[q] * x[c][q];
            }
#pragma unroll
            for (int c = 0; c < BACK; ++c) {
                const float g = shared.g[c][four + r];
#pragma unroll
                for (int q = 0; q < PER_LANE; ++q) back[c][q] += a[q] * g;
            }
        }
#pragma unroll
        for (int c = 0; c < COLUMNS; ++c) {
            const float sum = fold_four(total[c], lane);
            const int row = row0 + four + lane / 8;
            if (lane % 8 == 0 && row < n) y[(size_t)c * n + row] = sum;
        }
    }
    const int j = threadIdx.x;
#pragma unroll
    for (int c = 0; c < BACK; ++c) {
#pragma unroll
        for (int q = 0; q < PER_LANE; ++q) shared.fold[warp][tile_column<VECTOR>(lane, q)] = back[c][q];
        __syncthreads();
        float sum = 0.0f;
#pragma unroll
        for (int w = 0; w < STREAM_WARPS; ++w) sum += shared.fold[w][j];
        if (column0 + j < n) v[(size_t)c * n + column0 + j] = sum;
        __syncthreads();
    }
}
