// What the persistent kernels share: weights held on chip and words exchanged between neighbouring layers.
//
// One block of 512 threads is one layer. Warp w holds rows w * ROWS .. (w + 1) * ROWS of each matrix, in chunks of
// eight rows: as many chunks as fit 64 registers a thread, the others in shared memory. Matrices are padded with
// zeros to WIDTH = 128 or 256.
//
// Neighbours exchange 64-bit words {tag, value} with one relaxed store and one relaxed load each: the tag travels
// with the value, so no fence orders them. A slot is written again two ticks later, when its reader has answered.

constexpr int HELD_THREADS = 512, HELD_WARPS = HELD_THREADS / 32, REGISTER_WORDS = 64;

typedef unsigned long long Word;

__device__ __forceinline__ void publish(Word* slot, float value, unsigned tag) {
#ifdef EMULATED
    *slot = (Word)tag << 32 | bits_of_float(value);
#else
    const Word word = (Word)tag << 32 | __float_as_uint(value);
    asm volatile("st.relaxed.gpu.global.u64 [%0], %1;" ::"l"(slot), "l"(word) : "memory");
#endif
}

// The value that carries `tag`, or 0 with `lost` set after PATIENCE looks.
__device__ __forceinline__ float await(const Word* slot, unsigned tag, volatile int& lost) {
    for (int looks = 0; looks < PATIENCE; ++looks) {
#ifdef EMULATED
        const Word word = *(volatile const Word*)slot;
        if ((unsigned)(word >> 32) == tag) return float_of_bits((unsigned)word);
#else
        Word word;
        asm volatile("ld.relaxed.gpu.global.u64 %0, [%1];" : "=l"(word) : "l"(slot) : "memory");
        if ((unsigned)(word >> 32) == tag) return __uint_as_float((unsigned)word);
#endif
        SPINNING();
    }
    lost = 1;
    return 0.0f;
}

// Slots of one direction: (2 parities of the tag, L, 3, WIDTH).
template <int WIDTH>
__device__ __forceinline__ Word* slot_of(Word* slots, unsigned tag, int layers, int layer, int column, int i) {
    return slots + ((size_t)((tag & 1) * layers + layer) * 3 + column) * WIDTH + i;
}

__device__ __forceinline__ unsigned word_of(float low) {
#ifdef EMULATED
    return bits_of_float(low);
#else
    return __float_as_uint(low);
#endif
}

__device__ __forceinline__ void unpack(unsigned word, float* out, float) {
#ifdef EMULATED
    out[0] = float_of_bits(word);
#else
    out[0] = __uint_as_float(word);
#endif
}

// Volatile, lest the conversion of held words is moved out of the tick loop, where its results need registers.
__device__ __forceinline__ void unpack(unsigned word, float* out, Half) {
#ifdef EMULATED
    out[0] = as_float(Half{(unsigned short)(word & 0xffff)});
    out[1] = as_float(Half{(unsigned short)(word >> 16)});
#else
    asm volatile("{.reg .b16 low, high; mov.b32 {low, high}, %2; cvt.f32.f16 %0, low; cvt.f32.f16 %1, high;}"
                 : "=f"(out[0]), "=f"(out[1])
                 : "r"(word));
#endif
}

template <class Weight, int WIDTH, int MATRICES>
struct Held {
    static constexpr int PER_LANE = WIDTH / 32, ROWS = WIDTH / HELD_WARPS, GROUPS = ROWS / 8;
    static constexpr int PER_WORD = sizeof(unsigned) / sizeof(Weight), ROW_WORDS = PER_LANE / PER_WORD;
    static constexpr int WORDS = 8 * ROW_WORDS, CHUNKS = MATRICES * GROUPS;
    static constexpr int IN_REGISTERS = CHUNKS * WORDS <= REGISTER_WORDS ? CHUNKS : REGISTER_WORDS / WORDS;
    static constexpr int IN_SHARED = CHUNKS - IN_REGISTERS;
    static constexpr int SHARED_BYTES = IN_SHARED * WORDS * 4 * HELD_THREADS;
    static_assert(WIDTH == 128 || WIDTH == 256);
    static_assert(IN_SHARED == 0 || ROW_WORDS % 4 == 0);

    unsigned kept[IN_REGISTERS][WORDS];
    uint4* rest;  // shared: (IN_SHARED, WORDS / 4, threads)

    static __device__ __forceinline__ int column_of(int lane, int q) { return q / 4 * 128 + lane * 4 + q % 4; }

    static __device__ __forceinline__ unsigned fetch(const float* A, int n, int row, int lane, int w) {
        const int j = column_of(lane, w);
        return row < n && j < n ? word_of(A[(size_t)row * n + j]) : 0u;
    }

    static __device__ __forceinline__ unsigned fetch(const Half* A, int n, int row, int lane, int w) {
        const int j = column_of(lane, 2 * w);
        unsigned word = 0;
        if (row < n && j < n) word = A[(size_t)row * n + j].bits;
        if (row < n && j + 1 < n) word |= (unsigned)A[(size_t)row * n + j + 1].bits << 16;
        return word;
    }

    // Reads one layer's (n, n) matrices, of which the second is used where MATRICES is 2; `shared` has SHARED_BYTES.
    __device__ __forceinline__ void load(
        const Weight* first_matrix, const Weight* second_matrix, int n, unsigned char* shared) {
        const int lane = threadIdx.x % WARP, warp = threadIdx.x / WARP;
        rest = reinterpret_cast<uint4*>(shared);
#pragma unroll 1  // before the others, whose words then occupy the registers
        for (int chunk = IN_REGISTERS; chunk < CHUNKS; ++chunk) {
            const Weight* A = chunk < GROUPS ? first_matrix : second_matrix;
#pragma unroll 1
            for (int w = 0; w < WORDS; w += 4) {
                const int row = warp * ROWS + chunk % GROUPS * 8 + w / ROW_WORDS, first = w % ROW_WORDS;
                uint4 four;
                four.x = fetch(A, n, row, lane, first);
                four.y = fetch(A, n, row, lane, first + 1);
                four.z = fetch(A, n, row, lane, first + 2);
                four.w = fetch(A, n, row, lane, first + 3);
                rest[((chunk - IN_REGISTERS) * WORDS + w) / 4 * HELD_THREADS + threadIdx.x] = four;
            }
        }
#pragma unroll
        for (int chunk = 0; chunk < IN_REGISTERS; ++chunk) {
            const Weight* A = chunk < GROUPS ? first_matrix : second_matrix;
#pragma unroll
            for (int w = 0; w < WORDS; ++w) {
                const int row = warp * ROWS + chunk % GROUPS * 8 + w / ROW_WORDS;
                kept[chunk][w] = fetch(A, n, row, lane, w % ROW_WORDS);
                KEEP_IN_REGISTER(kept[chunk][w]);
            }
        }
    }

    // Row r of a chunk as floats.
    template <int CHUNK>
    __device__ __forceinline__ void row(int r, float (&a)[PER_LANE]) const {
        if constexpr (CHUNK < IN_REGISTERS) {
#pragma unroll
            for (int w = 0; w < ROW_WORDS; ++w) unpack(kept[CHUNK][r * ROW_WORDS + w], a + w * PER_WORD, Weight{});
        } else {
#pragma unroll
            for (int w = 0; w < ROW_WORDS; w += 4) {
                const uint4 four =
                    rest[((CHUNK - IN_REGISTERS) * WORDS + r * ROW_WORDS + w) / 4 * HELD_THREADS + threadIdx.x];
                unpack(four.x, a + w * PER_WORD, Weight{});
                unpack(four.y, a + (w + 1) * PER_WORD, Weight{});
                unpack(four.z, a + (w + 2) * PER_WORD, Weight{});
                unpack(four.w, a + (w + 3) * PER_WORD, Weight{});
            }
        }
    }

    template <int CHUNK, bool BACK, class Take>
    __device__ __forceinline__ void four_rows(
        int r0, const float (&x)[PER_LANE], const float* g, float (&back)[PER_LANE], Take take) const {
        const int lane = threadIdx.x % WARP, row0 = threadIdx.x / WARP * ROWS + CHUNK % GROUPS * 8 + r0;
        float total[4];
#pragma unroll
        for (int r = 0; r < 4; ++r) {
            float a[PER_LANE];
            row<CHUNK>(r0 + r, a);
            total[r] = 0.0f;
#pragma unroll
            for (int q = 0; q < PER_LANE; ++q) total[r] += a[q] * x[q];
            if constexpr (BACK) {
                const float credit = g[row0 + r];
#pragma unroll
                for (int q = 0; q < PER_LANE; ++q) back[q] += a[q] * credit;
            }
        }
        const float sum = fold_four(total, lane);
        if (lane % 8 == 0) take(row0 + lane / 8, sum);
    }

    template <int CHUNK, bool BACK, class Take>
    __device__ __forceinline__ void eight_rows(
        const float (&x)[PER_LANE], const float* g, float (&back)[PER_LANE], Take take) const {
        if constexpr (CHUNK < IN_REGISTERS) {
            four_rows<CHUNK, BACK>(0, x, g, back, take);
            four_rows<CHUNK, BACK>(4, x, g, back, take);
        } else {
#pragma unroll 1
            for (int r = 0; r < 8; r += 4) four_rows<CHUNK, BACK>(r, x, g, back, take);
        }
    }

    // One pass over a matrix: take(row, (A x)[row]), and with BACK each warp's share of A^T g in fold[warp].
    // x, g and fold (warps, WIDTH) are shared.
    template <int MATRIX, bool BACK, class Take>
    __device__ __forceinline__ void pass(const float* x_shared, const float* g, float* fold, Take take) const {
        const int lane = threadIdx.x % WARP, warp = threadIdx.x / WARP;
        float x[PER_LANE], back[PER_LANE] = {};
#pragma unroll
        for (int q = 0; q < PER_LANE; ++q) x[q] = x_shared[column_of(lane, q)];
        eight_rows<MATRIX * GROUPS, BACK>(x, g, back, take);
        if constexpr (GROUPS == 2) eight_rows<MATRIX * GROUPS + 1, BACK>(x, g, back, take);
        if constexpr (BACK) {
#pragma unroll
            for (int q = 0; q < PER_LANE; ++q) fold[warp * WIDTH + column_of(lane, q)] = back[q];
        }
    }

    static __device__ __forceinline__ float unfold(const float* fold, int i) {
        float sum = 0.0f;
#pragma unroll
        for (int warp = 0; warp < HELD_WARPS; ++warp) sum += fold[warp * WIDTH + i];
        return sum;
    }
};

// The largest |change| of each tick of a launch: history (ticks, L, 2).
struct Peaks {
    float warps[2][HELD_WARPS];

    __device__ __forceinline__ void note(float moved, float nudged) {
#pragma unroll
        for (int step = 16; step > 0; step /= 2) {
            moved = larger(moved, __shfl_xor_sync(ALL_LANES, moved, step));
            nudged = larger(nudged, __shfl_xor_sync(ALL_LANES, nudged, step));
        }
        if (threadIdx.x % WARP == 0) {
            warps[0][threadIdx.x / WARP] = moved;
            warps[1][threadIdx.x / WARP] = nudged;
        }
    }

    __device__ __forceinline__ void record(float* history, int layers, int layer, int step) const {
        if (threadIdx.x >= 2) return;
        float largest = warps[threadIdx.x][0];
        for (int warp = 1; warp < HELD_WARPS; ++warp) largest = larger(largest, warps[threadIdx.x][warp]);
        history[((size_t)step * layers + layer) * 2 + threadIdx.x] = largest;
    }
};
