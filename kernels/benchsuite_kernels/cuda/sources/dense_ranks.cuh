// What the logits of a dense head are ranked by, and the collection of those that may be the best.
#pragma once

#include "best_keys.cuh"
#include "head_levels.cuh"

constexpr int kBins = 2048, kBinShift = 21;  // of ranks
constexpr int kHeld = 1024;                  // keys that a block collects before it hands them on

// What is ranked by its logit; the ranks that are collected come no later than `last_bin`.
struct ByLogit {
  unsigned last_bin;

  __device__ bool worth(float logit) const { return rank_of_score(logit) >> kBinShift <= last_bin; }
  __device__ bool rate(float logit, const Level&, long long, unsigned, float* score) const {
    *score = logit;
    return true;
  }
};

// What is ranked by the sigmoid of its logit, or by the geometric mean of that and the sigmoid of
// its anchor's centre-ness. No logit below `floor` makes a score above the threshold.
struct ByScore {
  const SCALAR* centerness;  // of the level, or null
  float floor, threshold;
  bool channels_last;

  static __device__ __forceinline__ float sigmoid(float logit) {
    return 1.0f / (1.0f + expf(-logit));
  }
  __device__ bool worth(float logit) const { return !(logit < floor); }
  __device__ bool rate(float logit, const Level& level, long long image, unsigned index,
                       float* score) const {
    *score = sigmoid(logit);
    if (centerness) {
      const long long anchor = index / level.classes, cells = level.cells();
      const long long place = place_of(anchor % level.anchors, anchor / level.anchors,
                                       level.anchors, cells, channels_last);
      *score = sqrtf(*score * sigmoid(load(centerness + image * level.anchors * cells + place)));
    }
    return *score > threshold;
  }
};

// What the threads of a block share while they collect.
struct Collecting {
  Key keys[kHeld];
  unsigned count, first;
};

// Hands on the keys of a chunk that are worth it: to `keys` (room for `capacity` a level and image)
// behind those that `counts` tells of.
template <class Rank>
__device__ void collect(const SCALAR* logits, const Level& level, const Chunk& chunk,
                        long long levels, bool channels_last, const Rank& rank, Key* keys,
                        unsigned* counts, long long capacity, Collecting& shared) {
  const long long task = chunk.image * levels + chunk.level;
  Key* const own_keys = keys + task * capacity;
  if (threadIdx.x == 0) shared.count = 0;
  __syncthreads();
  for_each_logit(logits, chunk, [&](float logit, long long place) {
    if (!rank.worth(logit)) return;
    const unsigned index = index_at(place, level, channels_last);
    float score;
    if (!rank.rate(logit, level, chunk.image, index, &score)) return;
    const unsigned slot = atomicAdd(&shared.count, 1u);
    if (slot < kHeld) {
      shared.keys[slot] = key_of(score, index);
      return;
    }
    const unsigned at = atomicAdd(counts + task, 1u);
    if (at < capacity) own_keys[at] = key_of(score, index);
  });
  __syncthreads();
  const unsigned size = shared.count < kHeld ? shared.count : kHeld;
  if (threadIdx.x == 0) shared.first = size ? atomicAdd(counts + task, size) : 0;
  __syncthreads();
  for (unsigned i = threadIdx.x; i < size; i += kThreads)
    if (shared.first + i < capacity) own_keys[shared.first + i] = shared.keys[i];
}

// The keys that were collected, or where they are not all there, those of the map.
template <class Rank>
struct Collected {
  const SCALAR* logits;  // of the level and image
  const Level& level;
  long long image;
  const Rank& rank;
  const Key* keys;
  long long count, capacity;
  bool channels_last;

  template <class Use>
  __device__ void operator()(const Use& use) const {
    if (count <= capacity) {
      for (long long i = threadIdx.x; i < count; i += blockDim.x) use(keys[i]);
      return;
    }
    for (long long place = threadIdx.x; place < level.size(); place += blockDim.x) {
      const float logit = load(logits + place);
      if (!rank.worth(logit)) continue;
      const unsigned index = index_at(place, level, channels_last);
      float score;
      if (rank.rate(logit, level, image, index, &score)) use(key_of(score, index));
    }
  }
};

// A block a level and image. best: N x M, of each level its `room` places.
template <class Rank>
__device__ void take(const SCALAR* logits, const Level& level, long long task, long long image,
                     const Rank& rank, const Key* keys, const unsigned* counts, long long capacity,
                     Key* best, unsigned* best_counts, long long room, bool channels_last,
                     Taking& shared) {
  const Collected<Rank> source{logits + image * level.size(), level,    image,
                               rank,
                               keys + task * capacity,        counts[task], capacity,
                               channels_last};
  const long long found =
      take_best(source, level.room, best + image * room + level.first_place, shared);
  if (threadIdx.x == 0) best_counts[task] = static_cast<unsigned>(found);
}
