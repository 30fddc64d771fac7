// Selection from the box branch of a two-stage detector. ops/box_selection.py gives the conventions.
//
// A warp a region finds its pairs above the threshold, all of which are collected; a block an image
// takes the best of its own, and blocks of kThreads put them into their places.
#include "best_keys.cuh"
#include "box_coding.cuh"
#include "scalar.cuh"

constexpr int kThreads = 256, kWarp = 32;
constexpr unsigned kAll = 0xffffffffu;

// Regions as ops/box_selection.py has them.
struct Regions {
  const SCALAR* scores;
  const SCALAR* deltas;
  const float* boxes;
  long long classes, box_classes;
  benchsuite::BoxCoding coding;

  __device__ benchsuite::Corners box(long long row, long long label) const {
    const SCALAR* const at = deltas + (row * box_classes + (box_classes > 1 ? label : 0)) * 4;
    const float values[4] = {load(at), load(at + 1), load(at + 2), load(at + 3)};
    const float* const own = boxes + row * 4;
    return benchsuite::coded_box(coding, values, {own[0], own[1], own[2], own[3]});
  }
};

__device__ __forceinline__ float highest_of_warp(float value) {
  for (int step = kWarp / 2; step > 0; step /= 2) {
    const float other = __shfl_xor_sync(kAll, value, step);
    value = other > value ? other : value;
  }
  return value;
}

__device__ __forceinline__ float sum_of_warp(float value) {
  for (int step = kWarp / 2; step > 0; step /= 2) value += __shfl_xor_sync(kAll, value, step);
  return value;
}

// Blocks of kThreads. keys: R x classes; count: one, 0 at the beginning.
extern "C" __global__ void box_collect(
    const SCALAR* scores, const SCALAR* deltas, const float* boxes, const long long* image_index,
    const float* sizes, unsigned long long* keys, unsigned* count, long long regions,
    long long classes, long long box_classes, long long softmax, float weight_x, float weight_y,
    float weight_w, float weight_h, float threshold, float min_size) {
  const int lane = threadIdx.x % kWarp;
  const long long row = static_cast<long long>(blockIdx.x) * (kThreads / kWarp) +
                        threadIdx.x / kWarp;
  if (row >= regions || image_index[row] < 0) return;  // whole warps
  const Regions all{scores, deltas, boxes, classes, box_classes,
                    {{weight_x, weight_y, weight_w, weight_h}, false}};
  const SCALAR* const own = scores + row * (classes + 1);
  float highest = 0.0f, scale = 1.0f;
  if (softmax) {
    highest = minus_infinity();
    for (long long i = lane; i <= classes; i += kWarp) {
      const float logit = load(own + i);
      highest = logit > highest ? logit : highest;
    }
    highest = highest_of_warp(highest);
    float sum = 0.0f;
    for (long long i = lane; i <= classes; i += kWarp) sum += expf(load(own + i) - highest);
    scale = sum_of_warp(sum);
  }
  const auto rated = [&](long long i) {
    const float value = load(own + i);
    return softmax ? expf(value - highest) / scale : value;
  };
  bool finite = true, above = false;
  for (long long i = lane; i <= classes; i += kWarp) {
    const float score = rated(i);
    finite = finite && isfinite(score);
    above = above || (i < classes && score > threshold);
  }
  if (!__any_sync(kAll, above) || __any_sync(kAll, !finite)) return;
  for (long long i = lane; i < box_classes; i += kWarp)
    finite = finite && benchsuite::all_finite(all.box(row, i));
  if (__any_sync(kAll, !finite)) return;
  const float* const size = sizes + image_index[row] * 2;
  for (long long i = lane; i < classes; i += kWarp) {
    const float score = rated(i);
    if (!(score > threshold)) continue;
    const benchsuite::Corners box = benchsuite::clipped(all.box(row, i), size[0], size[1]);
    if (box.x2 - box.x1 < min_size || box.y2 - box.y1 < min_size) continue;
    keys[atomicAdd(count, 1u)] = key_of(score, static_cast<unsigned>(row * classes + i));
  }
}

// A block an image. best: N x room; best_counts: N.
extern "C" __global__ void box_take(const unsigned long long* keys, const unsigned* count,
                                    const long long* image_index, unsigned long long* best,
                                    unsigned* best_counts, long long classes, long long room) {
  __shared__ Taking shared;
  const long long image = blockIdx.x, size = *count;
  const auto source = [&](const auto& use) {
    for (long long i = threadIdx.x; i < size; i += blockDim.x)
      if (image_index[index_of(keys[i]) / classes] == image) use(keys[i]);
  };
  const long long found = take_best(source, room, best + image * room, shared);
  if (threadIdx.x == 0) best_counts[image] = static_cast<unsigned>(found);
}

// Blocks of kThreads, `parts` an image.
extern "C" __global__ void box_place(
    const SCALAR* deltas, const float* boxes, const float* sizes, const unsigned long long* best,
    const unsigned* best_counts, float* chosen_boxes, float* chosen_scores,
    long long* chosen_labels, long long classes, long long box_classes, long long room,
    long long parts, float weight_x, float weight_y, float weight_w, float weight_h) {
  __shared__ Key tile[kTile];
  const long long image = blockIdx.x / parts;
  const long long rank = blockIdx.x % parts * kThreads + threadIdx.x;
  const long long count = best_counts[image];
  const Key* const keys = best + image * room;
  const bool present = rank < count;
  const Key key = present ? keys[rank] : ~Key{0};
  // A block behind the last has nothing to be ranked.
  const bool ranks = blockIdx.x % parts * kThreads < count;
  const long long before = ranks ? place_among(key, keys, count, tile) : 0;
  if (rank >= room) return;
  const long long place = image * room + (present ? before : rank);
  benchsuite::Corners box{0, 0, 0, 0};
  if (present) {
    const Regions all{nullptr, deltas, boxes, classes, box_classes,
                      {{weight_x, weight_y, weight_w, weight_h}, false}};
    const float* const size = sizes + image * 2;
    const unsigned index = index_of(key);
    box = benchsuite::clipped(all.box(index / classes, index % classes), size[0], size[1]);
  }
  chosen_boxes[place * 4] = box.x1;
  chosen_boxes[place * 4 + 1] = box.y1;
  chosen_boxes[place * 4 + 2] = box.x2;
  chosen_boxes[place * 4 + 3] = box.y2;
  chosen_scores[place] = present ? score_of(key) : minus_infinity();
  chosen_labels[place] = present ? index_of(key) % classes : 0;
}
