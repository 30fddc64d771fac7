// Selection from dense heads: of each level and image the best anchors (by logit), or the best pairs
// of anchor and class (by score). ops/{rpn,dense}_selection.py give the conventions.
//
// Many blocks read the logits and collect the keys of what may be among the best; for logits, of
// which all may be, a histogram first tells from where on. One block a level and image then takes
// the best of what was collected (of the map itself, where there was no room for all of it), and
// blocks of kThreads put them into their places, decoded.
#include "box_coding.cuh"
#include "dense_ranks.cuh"

// histogram: N x levels x kBins, zeros at the beginning.
extern "C" __global__ void rpn_histogram(
    const SCALAR* logits0, const SCALAR* logits1, const SCALAR* logits2, const SCALAR* logits3,
    const SCALAR* logits4, const SCALAR* logits5, const long long* table, unsigned* histogram,
    long long levels, long long images) {
  const Maps maps = {{logits0, logits1, logits2, logits3, logits4, logits5}};
  __shared__ unsigned bins[kBins];
  const Chunk chunk(table, levels, images, blockIdx.x);
  const Level level(table, chunk.level);
  for (int i = threadIdx.x; i < kBins; i += kThreads) bins[i] = 0;
  __syncthreads();
  for_each_logit(maps.at[chunk.level] + chunk.image * level.size(), chunk,
                 [&](float logit, long long) {
                   atomicAdd(bins + (rank_of_score(logit) >> kBinShift), 1u);
                 });
  __syncthreads();
  unsigned* const own = histogram + (chunk.image * levels + chunk.level) * kBins;
  for (int i = threadIdx.x; i < kBins; i += kThreads)
    if (bins[i]) atomicAdd(own + i, bins[i]);
}

// By all threads of a block: the bin that holds the last of `wanted` values.
__device__ unsigned bin_of_last(const unsigned* histogram, long long wanted) {
  constexpr int kEach = kBins / kThreads;
  __shared__ unsigned sums[kThreads];
  __shared__ unsigned bin;
  const unsigned* const own = histogram + threadIdx.x * kEach;
  unsigned sum = 0;
  for (int i = 0; i < kEach; ++i) sum += own[i];
  sums[threadIdx.x] = sum;
  if (threadIdx.x == 0) bin = kBins - 1;
  __syncthreads();
  for (int step = 1; step < kThreads; step *= 2) {
    const unsigned before = threadIdx.x >= step ? sums[threadIdx.x - step] : 0;
    __syncthreads();
    sums[threadIdx.x] += before;
    __syncthreads();
  }
  unsigned before = sums[threadIdx.x] - sum;
  if (before < wanted && sums[threadIdx.x] >= wanted)
    for (int i = 0; i < kEach; ++i) {
      if (before < wanted && before + own[i] >= wanted) bin = threadIdx.x * kEach + i;
      before += own[i];
    }
  __syncthreads();
  return bin;
}

// keys: N x levels x capacity; counts: N x levels, zeros at the beginning.
extern "C" __global__ void rpn_collect(
    const SCALAR* logits0, const SCALAR* logits1, const SCALAR* logits2, const SCALAR* logits3,
    const SCALAR* logits4, const SCALAR* logits5, const long long* table,
    const unsigned* histogram, unsigned long long* keys, unsigned* counts, long long levels,
    long long images, long long channels_last, long long capacity) {
  const Maps maps = {{logits0, logits1, logits2, logits3, logits4, logits5}};
  const Chunk chunk(table, levels, images, blockIdx.x);
  const Level level(table, chunk.level);
  __shared__ Collecting shared;
  const ByLogit rank{
      bin_of_last(histogram + (chunk.image * levels + chunk.level) * kBins, level.room)};
  collect(maps.at[chunk.level] + chunk.image * level.size(), level, chunk, levels,
          channels_last != 0, rank, keys, counts, capacity, shared);
}

// Of the maps of centre-ness there may be none: `centered` is 0.
extern "C" __global__ void dense_collect(
    const SCALAR* logits0, const SCALAR* logits1, const SCALAR* logits2, const SCALAR* logits3,
    const SCALAR* logits4, const SCALAR* logits5, const SCALAR* centerness0,
    const SCALAR* centerness1, const SCALAR* centerness2, const SCALAR* centerness3,
    const SCALAR* centerness4, const SCALAR* centerness5, const long long* table,
    unsigned long long* keys, unsigned* counts, long long levels, long long images,
    long long channels_last, long long capacity, long long centered, float floor, float threshold) {
  const Maps maps = {{logits0, logits1, logits2, logits3, logits4, logits5}};
  const Maps centers = {{centerness0, centerness1, centerness2, centerness3, centerness4, centerness5}};
  const Chunk chunk(table, levels, images, blockIdx.x);
  const Level level(table, chunk.level);
  __shared__ Collecting shared;
  const ByScore rank{centered ? centers.at[chunk.level] : nullptr, floor, threshold,
                     channels_last != 0};
  collect(maps.at[chunk.level] + chunk.image * level.size(), level, chunk, levels,
          channels_last != 0, rank, keys, counts, capacity, shared);
}

// A block a level of an image; levels of an image stand together.
extern "C" __global__ void rpn_take(
    const SCALAR* logits0, const SCALAR* logits1, const SCALAR* logits2, const SCALAR* logits3,
    const SCALAR* logits4, const SCALAR* logits5, const long long* table,
    const unsigned long long* keys, const unsigned* counts, unsigned long long* best,
    unsigned* best_counts, long long levels, long long channels_last, long long capacity,
    long long room) {
  const Maps maps = {{logits0, logits1, logits2, logits3, logits4, logits5}};
  __shared__ Taking shared;
  const long long image = blockIdx.x / levels, at = blockIdx.x % levels;
  const Level level(table, at);
  take(maps.at[at], level, blockIdx.x, image, ByLogit{kBins - 1}, keys, counts, capacity, best,
       best_counts, room, channels_last != 0, shared);
}

extern "C" __global__ void dense_take(
    const SCALAR* logits0, const SCALAR* logits1, const SCALAR* logits2, const SCALAR* logits3,
    const SCALAR* logits4, const SCALAR* logits5, const SCALAR* centerness0,
    const SCALAR* centerness1, const SCALAR* centerness2, const SCALAR* centerness3,
    const SCALAR* centerness4, const SCALAR* centerness5, const long long* table,
    const unsigned long long* keys, const unsigned* counts, unsigned long long* best,
    unsigned* best_counts, long long levels, long long channels_last, long long capacity,
    long long room, long long centered, float floor, float threshold) {
  const Maps maps = {{logits0, logits1, logits2, logits3, logits4, logits5}};
  const Maps centers = {{centerness0, centerness1, centerness2, centerness3, centerness4, centerness5}};
  __shared__ Taking shared;
  const long long image = blockIdx.x / levels, at = blockIdx.x % levels;
  const Level level(table, at);
  const ByScore rank{centered ? centers.at[at] : nullptr, floor, threshold, channels_last != 0};
  take(maps.at[at], level, blockIdx.x, image, rank, keys, counts, capacity, best, best_counts, room,
       channels_last != 0, shared);
}

// One of the best of a level and image, and where it goes. Blocks are images of levels of `parts`.
struct Pick {
  long long image, level, place;
  Key key;
  bool present, exists;  // whether there is one, and whether there is a place at all

  __device__ Pick(const long long* table, const Key* best, const unsigned* best_counts,
                  long long levels, long long parts, long long room, Key* tile) {
    const long long task = blockIdx.x / parts, rank = blockIdx.x % parts * kThreads + threadIdx.x;
    image = task / levels;
    level = task % levels;
    const Level own(table, level);
    const long long count = best_counts[task];
    const Key* const keys = best + image * room + own.first_place;
    present = rank < count;
    exists = rank < own.room;
    key = present ? keys[rank] : ~Key{0};
    const long long before = place_among(key, keys, count, tile);
    place = image * room + own.first_place + (present ? before : rank);
  }
};

__device__ benchsuite::Corners decoded(const SCALAR* deltas, const Level& level, long long image,
                                       long long anchor, const float* cells, const float* strides,
                                       float offset, const benchsuite::BoxCoding& coding,
                                       bool channels_last) {
  const long long channels = level.anchors * 4, own = anchor % level.anchors;
  const long long cell = anchor / level.anchors;
  const SCALAR* const map = deltas + image * channels * level.cells();
  float values[4];
  for (int i = 0; i < 4; ++i)
    values[i] = load(map + place_of(own * 4 + i, cell, channels, level.cells(), channels_last));
  return coded_box(coding, values,
                   benchsuite::anchor_at(cells + (level.first_cell + own) * 4, cell, level.width,
                                         strides[0], strides[1], offset));
}

__device__ __forceinline__ void put(float* boxes, float* scores, long long place,
                                    const benchsuite::Corners& box, float score) {
  boxes[place * 4] = box.x1;
  boxes[place * 4 + 1] = box.y1;
  boxes[place * 4 + 2] = box.x2;
  boxes[place * 4 + 3] = box.y2;
  scores[place] = score;
}

constexpr float kLeastFinite = -3.402823466e38f;

extern "C" __global__ void rpn_place(
    const SCALAR* deltas0, const SCALAR* deltas1, const SCALAR* deltas2, const SCALAR* deltas3,
    const SCALAR* deltas4, const SCALAR* deltas5, const long long* table, const float* cells,
    const float* strides, const float* sizes, const unsigned long long* best,
    const unsigned* best_counts, float* boxes, float* scores, long long* level_of,
    long long levels, long long parts, long long room, long long channels_last, float offset,
    float weight_x, float weight_y, float weight_w, float weight_h, float min_size) {
  const Maps maps = {{deltas0, deltas1, deltas2, deltas3, deltas4, deltas5}};
  __shared__ Key tile[kTile];
  const Pick pick(table, best, best_counts, levels, parts, room, tile);
  if (!pick.exists) return;
  if (pick.image == 0) level_of[pick.place] = pick.level;
  put(boxes, scores, pick.place, {0, 0, 0, 0}, minus_infinity());
  if (!pick.present) return;
  const benchsuite::BoxCoding coding{{weight_x, weight_y, weight_w, weight_h}, false};
  const benchsuite::Corners whole =
      decoded(maps.at[pick.level], Level(table, pick.level), pick.image, index_of(pick.key), cells,
              strides + pick.level * 2, offset, coding, channels_last != 0);
  const float* const size = sizes + pick.image * 2;
  const benchsuite::Corners box = benchsuite::clipped(whole, size[0], size[1]);
  const float score = score_of(pick.key);
  if (score >= kLeastFinite && score <= -kLeastFinite && benchsuite::all_finite(whole) &&
      box.x2 - box.x1 > min_size && box.y2 - box.y1 > min_size)
    put(boxes, scores, pick.place, box, score);
}

// Boxes are clipped to `sizes` where `clips` is 1; values are distances where `distances` is 1.
extern "C" __global__ void dense_place(
    const SCALAR* deltas0, const SCALAR* deltas1, const SCALAR* deltas2, const SCALAR* deltas3,
    const SCALAR* deltas4, const SCALAR* deltas5, const long long* table, const float* cells,
    const float* strides, const float* sizes, const unsigned long long* best,
    const unsigned* best_counts, float* boxes, float* scores, long long* labels, long long levels,
    long long parts, long long room, long long channels_last, long long clips, long long distances,
    float offset, float weight_x, float weight_y, float weight_w, float weight_h) {
  const Maps maps = {{deltas0, deltas1, deltas2, deltas3, deltas4, deltas5}};
  __shared__ Key tile[kTile];
  const Pick pick(table, best, best_counts, levels, parts, room, tile);
  if (!pick.exists) return;
  put(boxes, scores, pick.place, {0, 0, 0, 0}, minus_infinity());
  labels[pick.place] = 0;
  if (!pick.present) return;
  const Level level(table, pick.level);
  const benchsuite::BoxCoding coding{{weight_x, weight_y, weight_w, weight_h}, distances != 0};
  const unsigned index = index_of(pick.key);
  const benchsuite::Corners box =
      decoded(maps.at[pick.level], level, pick.image, index / level.classes, cells,
              strides + pick.level * 2, offset, coding, channels_last != 0);
  if (!benchsuite::all_finite(box)) return;
  const float* const size = sizes + pick.image * 2;
  put(boxes, scores, pick.place, clips ? benchsuite::clipped(box, size[0], size[1]) : box,
      score_of(pick.key));
  labels[pick.place] = index % level.classes;
}
