// Host emulation of CUDA blocks, for g++ on x86-64: enough of the language for kernels/cuda, and nothing of the
// memory model. Threads are fibers that run until they block (barrier, shuffle), spin or return; a schedule decides
// who runs next. Reported instead of computed on: a barrier reached by only some threads of a block, or at two
// places at once, a shuffle likewise, a dead-lock, a write past the end of shared memory. Shared memory starts as NaN.
#pragma once
#include <sys/mman.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <functional>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#ifndef __x86_64__
#error "host emulation switches fibers in x86-64 assembly"
#endif

extern "C" void emu_switch(void** save, void* load);
asm(R"(
.text
.globl emu_switch
emu_switch:
    push %rbp; push %rbx; push %r12; push %r13; push %r14; push %r15
    mov %rsp, (%rdi)
    mov %rsi, %rsp
    pop %r15; pop %r14; pop %r13; pop %r12; pop %rbx; pop %rbp
    ret
)");

namespace emu {

struct Index {
    unsigned x, y, z;
};

enum Policy { IN_ORDER, REVERSED, SHUFFLED, ADVERSARIAL };

struct Launch {
    unsigned grid[3], threads, shared_bytes;
    int concurrent;  // all blocks at once, else one after the other
    int policy, seed;
    int skip_line;    // a barrier left out, to see whether that is noticed; 0 for none
    int idle_rounds;  // rounds in which all live threads only spin or wait before that is a dead-lock
};

struct Block {
    Index index;
    unsigned size = 0, arrived = 0, exited = 0;
    int line = 0;
    std::vector<unsigned char> shared;
};

struct Warp {
    Block* block;
    unsigned lanes = 0, ready = 0, spinning = 0, arrived = 0;
    int line = 0;
    uint64_t slot[2][32];
};

struct Fiber {
    void* sp;
    Index thread;
    Block* block;
    Warp* warp;
    unsigned lane, turn = 0;
};

constexpr size_t STACK = 64 * 1024, GUARD = 64;
constexpr unsigned char POISON = 0xff, CANARY = 0xa5;

inline Fiber* current;
inline void* scheduler_sp;
inline Launch launch;
inline Index grid, block_shape;
inline std::string error;
inline std::set<int> lines;
inline unsigned long progress;  // how often a thread did anything but spin
inline std::vector<Fiber> fibers;
inline std::vector<Warp> warps;
inline std::function<void()> body;
inline unsigned live;

inline void leave() { emu_switch(&current->sp, scheduler_sp); }

inline void fail(std::string words) {
    if (error.empty()) error = std::move(words);
    leave();
}

inline std::string at(int line) { return "line " + std::to_string(line); }

inline void sync(int line) {
    lines.insert(line);
    if (line == launch.skip_line) return;
    Block& block = *current->block;
    if (block.exited) fail("divergent barrier: threads have returned before " + at(line));
    if (block.arrived > 0 && block.line != line) fail("divergent barrier: " + at(block.line) + " and " + at(line));
    block.line = line;
    ++progress;
    if (++block.arrived < block.size) return leave();
    block.arrived = 0;
    for (Warp& warp : warps)
        if (warp.block == &block) warp.ready = warp.lanes;
    current->warp->ready &= ~(1u << current->lane);
}

template <class T>
T shuffle(unsigned mask, T value, unsigned flip, int line) {
    static_assert(sizeof(T) <= 8);
    Warp& warp = *current->warp;
    if (mask != 0xffffffffu || warp.lanes != mask) fail("shuffle of a part of a warp at " + at(line));
    if (warp.arrived > 0 && warp.line != line) fail("divergent shuffle: " + at(warp.line) + " and " + at(line));
    warp.line = line;
    ++progress;
    const unsigned turn = current->turn ^= 1, lane = current->lane;
    std::memcpy(&warp.slot[turn][lane], &value, sizeof(T));
    if (++warp.arrived < 32) {
        leave();
    } else {
        warp.arrived = 0;
        warp.ready = warp.lanes & ~(1u << lane);
    }
    std::memcpy(&value, &warp.slot[turn][lane ^ flip], sizeof(T));
    return value;
}

inline void spin() {
    current->warp->spinning |= 1u << current->lane;
    leave();
}

inline void enter() {
    body();
    Block& block = *current->block;
    ++block.exited;
    --live;
    ++progress;
    if (block.arrived > 0) fail("divergent barrier: threads return while others wait at " + at(block.line));
    leave();
}

inline void prepare(Fiber& fiber, unsigned char* stack) {
    void** top = reinterpret_cast<void**>(stack + STACK) - 1;  // aligned as after a call
    *--top = reinterpret_cast<void*>(enter);
    for (int saved = 0; saved < 6; ++saved) *--top = nullptr;
    fiber.sp = top;
}

inline unsigned char* stacks(size_t count) {
    static unsigned char* pool = nullptr;
    static size_t size = 0;
    if (count > size) {
        if (pool) munmap(pool, size * STACK);
        pool = static_cast<unsigned char*>(
            mmap(nullptr, count * STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
        size = count;
    }
    return pool;
}

// Runs the blocks of `indices` together until all their threads have returned or something is wrong.
inline void run_together(const std::vector<Index>& indices, std::mt19937& random) {
    const unsigned threads = launch.threads, warps_each = (threads + 31) / 32;
    std::vector<Block> blocks(indices.size());
    fibers.assign(indices.size() * threads, {});
    warps.assign(indices.size() * warps_each, {});
    unsigned char* stack = stacks(fibers.size());
    for (size_t b = 0; b < blocks.size(); ++b) {
        blocks[b].index = indices[b];
        blocks[b].size = threads;
        blocks[b].shared.assign(launch.shared_bytes + GUARD, POISON);
        std::memset(blocks[b].shared.data() + launch.shared_bytes, CANARY, GUARD);
        for (unsigned t = 0; t < threads; ++t) {
            Warp& warp = warps[b * warps_each + t / 32];
            warp.block = &blocks[b];
            warp.lanes |= 1u << t % 32;
            warp.ready = warp.lanes;
            Fiber& fiber = fibers[b * threads + t];
            fiber = {nullptr, {t, 0, 0}, &blocks[b], &warp, t % 32};
            prepare(fiber, stack + (b * threads + t) * STACK);
        }
    }
    live = fibers.size();
    const unsigned count = warps.size();
    std::vector<unsigned> order(count);
    for (unsigned w = 0; w < count; ++w) order[w] = launch.policy == REVERSED ? count - 1 - w : w;
    if (launch.policy == ADVERSARIAL) std::shuffle(order.begin(), order.end(), random);
    unsigned cursor = 0;
    int idle = 0;
    unsigned long stirred = 0, seen = progress = 1;
    while (live > 0 && error.empty()) {
        if (launch.policy == ADVERSARIAL) cursor = 0;
        if (launch.policy == SHUFFLED) {
            cursor = random() % count;
            Warp& lucky = warps[cursor];
            if (stirred != progress) lucky.ready |= std::exchange(lucky.spinning, 0);
            stirred = progress;
        }
        unsigned looked = 0;
        while (looked < count && !warps[order[cursor]].ready) cursor = (cursor + 1) % count, ++looked;
        if (looked == count) {
            bool spinning = false;
            for (Warp& warp : warps) {
                spinning |= warp.spinning != 0;
                warp.ready |= std::exchange(warp.spinning, 0);
            }
            idle = progress != seen ? 0 : idle + 1;
            seen = progress;
            if (!spinning || idle > launch.idle_rounds)
                error = "dead-lock: " + std::to_string(live) + " threads wait for each other";
            continue;
        }
        Warp& warp = warps[order[cursor]];
        const bool one = launch.policy == SHUFFLED || launch.policy == ADVERSARIAL;
        unsigned todo = warp.ready;
        while (todo && error.empty()) {
            unsigned lane = launch.policy == REVERSED ? 31 - __builtin_clz(todo) : __builtin_ctz(todo);
            if (one) {
                const unsigned turn = random() % 32, turned = todo >> turn | (turn ? todo << (32 - turn) : 0);
                lane = (__builtin_ctz(turned) + turn) % 32;
            }
            warp.ready &= ~(1u << lane);
            current =
                &fibers
                    [(&warp - warps.data()) / warps_each * threads + (&warp - warps.data()) % warps_each * 32 + lane];
            emu_switch(&scheduler_sp, current->sp);
            todo = one ? 0 : todo & ~(1u << lane);
        }
        if (!one) cursor = (cursor + 1) % count;
    }
    for (const Block& block : blocks)
        for (size_t g = 0; g < GUARD; ++g)
            if (block.shared[launch.shared_bytes + g] != CANARY && error.empty())
                error = "written past the end of shared memory";
}

template <class... A, size_t... I>
void prepare_body(void (*kernel)(A...), void** arguments, std::index_sequence<I...>) {
    body = [=] { kernel(*static_cast<A*>(arguments[I])...); };
}

template <class... A>
const char* run(void (*kernel)(A...), const Launch& wanted, void** arguments) {
    launch = wanted;
    grid = {launch.grid[0], launch.grid[1], launch.grid[2]};
    block_shape = {launch.threads, 1, 1};
    error.clear();
    emu::prepare_body(kernel, arguments, std::index_sequence_for<A...>{});
    std::mt19937 random(launch.seed);
    std::vector<Index> indices;
    for (unsigned z = 0; z < grid.z; ++z)
        for (unsigned y = 0; y < grid.y; ++y)
            for (unsigned x = 0; x < grid.x; ++x) indices.push_back({x, y, z});
    if (launch.concurrent) {
        run_together(indices, random);
    } else {
        if (launch.policy == REVERSED) std::vector<Index>(indices.rbegin(), indices.rend()).swap(indices);
        if (launch.policy >= SHUFFLED) std::shuffle(indices.begin(), indices.end(), random);
        for (size_t b = 0; b < indices.size() && error.empty(); ++b) run_together({indices[b]}, random);
    }
    return error.c_str();
}

}  // namespace emu

// Lines of the barriers met since the program started; returns how many.
extern "C" int emu_barriers(int* out, int room) {
    int count = 0;
    for (int line : emu::lines)
        if (count < room) out[count++] = line;
    return count;
}

extern "C" void emu_forget_barriers() { emu::lines.clear(); }

struct alignas(16) float4 {
    float x, y, z, w;
};
struct alignas(16) uint4 {
    unsigned x, y, z, w;
};
struct alignas(8) ushort4 {
    unsigned short x, y, z, w;
};

inline float float_of_bits(unsigned bits) {
    float value;
    std::memcpy(&value, &bits, 4);
    return value;
}

inline unsigned bits_of_float(float value) {
    unsigned bits;
    std::memcpy(&bits, &value, 4);
    return bits;
}

inline float float_of_half(unsigned short bits) {
    _Float16 value;
    std::memcpy(&value, &bits, 2);
    return value;
}

#define EMULATED
#define __device__
#define __global__
#define __forceinline__ inline
#define __launch_bounds__(...)
#define threadIdx (emu::current->thread)
#define blockIdx (emu::current->block->index)
#define blockDim (emu::block_shape)
#define gridDim (emu::grid)
#define __syncthreads() emu::sync(__LINE__)
#define __shfl_xor_sync(mask, value, flip) emu::shuffle(mask, value, flip, __LINE__)
#define DYNAMIC_SHARED(name) unsigned char* name = emu::current->block->shared.data()
#define SPINNING() emu::spin()
#define KEEP_IN_REGISTER(word)
#define EXPORT(kernel)                                                                     \
    extern "C" const char* emulate_##kernel(const emu::Launch* launch, void** arguments) { \
        return emu::run(kernel, *launch, arguments);                                       \
    }
