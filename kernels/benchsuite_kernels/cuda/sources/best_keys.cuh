// The best few of many scores: by descending score, equal scores by ascending index.
//
// A score and an index are one integer, a key, whose ascending order is that order; as in
// csrc/best_keys.hpp.
#pragma once

typedef unsigned long long Key;

__device__ __forceinline__ float minus_infinity() { return __uint_as_float(0xff800000u); }

// The upper half of a key: NaN is the highest score, -0 like 0.
__device__ __forceinline__ unsigned rank_of_score(float score) {
  if (isnan(score)) return 0u;
  const unsigned bits = score == 0.0f ? 0u : __float_as_uint(score);
  return ~(bits & 0x80000000u ? ~bits : bits | 0x80000000u);
}

__device__ __forceinline__ Key key_of(float score, unsigned index) {
  return static_cast<Key>(rank_of_score(score)) << 32 | index;
}

__device__ __forceinline__ unsigned index_of(Key key) { return static_cast<unsigned>(key); }

__device__ __forceinline__ float score_of(Key key) {
  const unsigned bits = ~static_cast<unsigned>(key >> 32);
  if (bits == 0xffffffffu) return __uint_as_float(0x7fc00000u);
  return __uint_as_float(bits & 0x80000000u ? bits & 0x7fffffffu : ~bits);
}

constexpr int kDigit = 8, kDigits = 1 << kDigit;  // a key is gone through in digits of so many bits

// What the threads of a block share while they take the best.
struct Taking {
  unsigned counts[kDigits];
  Key prefix, mask;  // the digits that the last key to take begins with
  unsigned missing, found;
  bool narrow;  // whether more of them have to be known
};

// By all threads of a block: writes the `limit` least of a source's keys, which are all different,
// to `best` in any order; returns how many. source(use) calls use(key) for each key, each by one
// thread.
template <class Source>
__device__ long long take_best(const Source& source, long long limit, Key* best, Taking& shared) {
  const unsigned threads = blockDim.x, thread = threadIdx.x;
  if (thread == 0) {
    shared.prefix = 0;
    shared.mask = 0;
    shared.missing = static_cast<unsigned>(limit);
    shared.found = 0;
    shared.narrow = limit > 0;
  }
  __syncthreads();
  for (int shift = 64 - kDigit; shift >= 0 && shared.narrow; shift -= kDigit) {
    for (unsigned i = thread; i < kDigits; i += threads) shared.counts[i] = 0;
    __syncthreads();
    const Key wanted = shared.prefix, known = shared.mask;
    source([&](Key key) {
      if ((key & known) == wanted) atomicAdd(shared.counts + (key >> shift & (kDigits - 1)), 1u);
    });
    __syncthreads();
    if (thread == 0) {
      unsigned before = 0;
      int digit = 0;
      while (digit < kDigits - 1 && before + shared.counts[digit] < shared.missing)
        before += shared.counts[digit++];
      shared.prefix |= static_cast<Key>(digit) << shift;
      shared.mask |= static_cast<Key>(kDigits - 1) << shift;
      // Too few keys at all, or as many as there is room for: all that are not behind are taken.
      shared.narrow = before + shared.counts[digit] > shared.missing;
      if (shared.narrow) shared.missing -= before;
    }
    __syncthreads();
  }
  const Key last = shared.prefix, known = shared.mask;
  if (limit > 0)
    source([&](Key key) {
      if ((key & known) <= last) best[atomicAdd(&shared.found, 1u)] = key;
    });
  __syncthreads();
  return shared.found;
}

constexpr int kTile = 256;

// By all threads of a block: how many of `count` keys are less than each thread's own one. tile:
// kTile, shared.
__device__ __forceinline__ long long place_among(Key own, const Key* keys, long long count,
                                                 Key* tile) {
  long long place = 0;
  for (long long start = 0; start < count; start += kTile) {
    for (int i = threadIdx.x; i < kTile; i += blockDim.x)
      tile[i] = start + i < count ? keys[start + i] : ~Key{0};
    __syncthreads();
    for (int i = 0; i < kTile; ++i) place += tile[i] < own ? 1 : 0;
    __syncthreads();
  }
  return place;
}
