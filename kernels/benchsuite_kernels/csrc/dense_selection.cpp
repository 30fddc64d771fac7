// Selection from dense heads: all levels and images in one pass over the logits.
#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

#include "best_keys.hpp"
#include "parallel.hpp"
#include "selection.hpp"
#include "value_scan.hpp"

namespace benchsuite {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr int64_t kChunk = 16 * kScanStrip;  // logits that one worker reads at a time
constexpr int64_t kSample = 1024;            // logits that tell where the best begin

// A part of one image's logits of one level.
struct Chunk {
  int64_t image, level, begin, end;
  std::vector<uint64_t> best;
};

float sigmoid(float logit) { return 1.0f / (1.0f + std::exp(-logit)); }

// A logit below which no sigmoid, as rounded as it may be, reaches `score`.
float logit_below(double score) {
  const double share = score * (1 - 1e-5);
  if (!(share > 0)) return -kInfinity;
  if (share >= 1) return kInfinity;
  const double logit = std::log(share / (1 - share));
  return static_cast<float>(logit - 1e-5 * (1 + std::fabs(logit)));
}

// Which index a logit has: that of its anchor times the classes, plus its class.
template <class T>
struct Places {
  explicit Places(const HeadLevel<T>& level)
      : channels_last(level.logits.channels_last),
        cells(level.logits.cells),
        anchors(level.anchors.count),
        classes(level.classes) {}

  uint32_t operator()(int64_t place) const {
    if (channels_last) return static_cast<uint32_t>(place);
    const int64_t channel = place / cells, cell = place % cells;
    const int64_t anchor = cell * anchors + channel / classes;
    return static_cast<uint32_t>(anchor * classes + channel % classes);
  }

  bool channels_last;
  int64_t cells, anchors, classes;
};

// The rank of an anchor is its logit.
template <class T>
struct ByLogit {
  // A guess, from every so-many-th logit, of one that somewhat more than `topk` reach.
  float guessed_floor(const T* logits, int64_t size, int64_t topk) const {
    if (size < 16 * topk || size < 4 * kSample) return -kInfinity;
    float sample[kSample];
    for (int64_t i = 0; i < kSample; ++i) {
      const float logit = widened(logits[i * size / kSample]);
      sample[i] = std::isnan(logit) ? kInfinity : logit;
    }
    const double expected = static_cast<double>(topk) * kSample / size;
    const int64_t place = static_cast<int64_t>(expected + 3 * std::sqrt(expected) + 4);
    std::nth_element(sample, sample + place, sample + kSample, std::greater<float>());
    return sample[place];
  }
  float first_floor() const { return -kInfinity; }
  float floor(float score) const { return score; }
  bool rate(const HeadLevel<T>&, int64_t, uint32_t, float logit, float& score) const {
    score = logit;
    return true;
  }
};

// The rank of a pair is its score: the class's sigmoid, or where there is a centre-ness the
// geometric mean of both.
template <class T>
struct ByScore {
  float threshold;
  bool centered;

  float guessed_floor(const T*, int64_t, int64_t) const { return first_floor(); }
  float first_floor() const { return floor(threshold); }
  float floor(double score) const {
    if (!(score > 0)) return -kInfinity;
    return logit_below(centered ? score * score : score);
  }
  bool rate(const HeadLevel<T>& level, int64_t image, uint32_t index, float logit,
            float& score) const {
    score = sigmoid(logit);
    if (centered) {
      const int64_t anchor = index / level.classes, anchors = level.anchors.count;
      const float center = level.centerness.at(image, anchor % anchors, anchor / anchors);
      score = std::sqrt(score * sigmoid(center));
    }
    return score > threshold;
  }
};

template <class T, class Rank>
std::vector<uint64_t> best_of(const HeadLevel<T>& level, const Chunk& chunk, int64_t topk,
                              const Rank& rank, float floor) {
  BestKeys best(topk);
  const Places<T> index_at(level);
  const T* const logits = level.logits.image(chunk.image);
  int32_t blocks[kScanStrip / kScanBlock + 1];
  for (int64_t strip = chunk.begin; strip < chunk.end; strip += kScanStrip) {
    const int64_t size = std::min(kScanStrip, chunk.end - strip);
    const int64_t hits = blocks_reaching(logits + strip, size, floor, blocks);
    for (int64_t hit = 0; hit < hits; ++hit) {
      const int64_t begin = strip + blocks[hit] * kScanBlock;
      const int64_t end = std::min(begin + kScanBlock, strip + size);
      for (int64_t place = begin; place < end; ++place) {
        const float logit = widened(logits[place]);
        if (logit < floor) continue;
        const uint32_t index = index_at(place);
        float score;
        if (rank.rate(level, chunk.image, index, logit, score) &&
            best.push(rank_key(score, index)))
          floor = std::max(floor, rank.floor(score_of(best.worst())));
      }
    }
  }
  return std::move(best.take());
}

// The `topk` best of each image and level, ranked, each handed to
// use(image, level, rank, key): rank -1 is behind the last.
template <class T, class Rank, class Use>
void for_each_best(const std::vector<HeadLevel<T>>& levels, int64_t images, int64_t topk,
                   const Rank& rank, int threads, const Use& use) {
  if (topk == 0) return;
  const int64_t count = static_cast<int64_t>(levels.size());
  std::vector<Chunk> chunks;
  std::vector<int64_t> firsts;
  std::vector<float> floors;
  int64_t steps = 0;
  for (int64_t task = 0; task < images * count; ++task) {
    firsts.push_back(static_cast<int64_t>(chunks.size()));
    const HeadMap<T>& logits = levels[task % count].logits;
    const int64_t size = logits.channels * logits.cells;
    steps += size / 4;
    floors.push_back(rank.guessed_floor(logits.image(task / count), size, topk));
    for (int64_t begin = 0; begin < size; begin += kChunk)
      chunks.push_back({task / count, task % count, begin, std::min(begin + kChunk, size), {}});
  }
  firsts.push_back(static_cast<int64_t>(chunks.size()));
  const int64_t parts = static_cast<int64_t>(chunks.size());
  for_each_item(parts, grain_of(parts, steps), threads, [&](int64_t item, int) {
    Chunk& chunk = chunks[item];
    const float floor = floors[chunk.image * count + chunk.level];
    chunk.best = best_of(levels[chunk.level], chunk, topk, rank, floor);
  });
  const int64_t tasks = images * count;
  for_each_item(tasks, grain_of(tasks, tasks * topk * 40), threads, [&](int64_t task, int) {
    BestKeys best(topk);
    int64_t found = 0;
    for (int64_t part = firsts[task]; part < firsts[task + 1]; ++part)
      found += static_cast<int64_t>(chunks[part].best.size());
    const bool too_high = found < topk && floors[task] > rank.first_floor();
    for (int64_t part = firsts[task]; part < firsts[task + 1]; ++part) {
      Chunk& chunk = chunks[part];
      if (too_high)
        chunk.best = best_of(levels[chunk.level], chunk, topk, rank, rank.first_floor());
      best.add(chunk.best);
    }
    std::vector<uint64_t>& keys = best.take();
    std::sort(keys.begin(), keys.end());
    use(task / count, task % count, keys);
  });
}

// Each level's first place among an image's candidates.
template <class T>
std::vector<int64_t> first_places(const std::vector<HeadLevel<T>>& levels, int64_t topk) {
  std::vector<int64_t> starts{0};
  for (const HeadLevel<T>& level : levels)
    starts.push_back(starts.back() + room_of(level, topk));
  return starts;
}

template <class T>
Corners decoded(const HeadLevel<T>& level, int64_t image, int64_t anchor,
                const BoxCoding& coding) {
  const int64_t count = level.anchors.count;
  float values[4];
  for (int64_t each = 0; each < 4; ++each)
    values[each] = level.deltas.at(image, anchor % count * 4 + each, anchor / count);
  return coded_box(coding, values, level.anchors.at(anchor));
}

}  // namespace

void Candidates::put(int64_t image, int64_t place, const Corners& box, float score,
                     int64_t label) const {
  const int64_t row = image * room + place;
  float* const at = boxes + row * 4;
  at[0] = box.x1;
  at[1] = box.y1;
  at[2] = box.x2;
  at[3] = box.y2;
  scores[row] = score;
  if (labels) labels[row] = label;
}

void Candidates::leave_out(int64_t image, int64_t place) const {
  put(image, place, {0, 0, 0, 0}, -kInfinity, 0);
}

template <class T>
void select_anchors(const std::vector<HeadLevel<T>>& levels, int64_t images, const float* sizes,
                    const BoxCoding& coding, int64_t topk, float min_size,
                    const Candidates& candidates, int threads) {
  const std::vector<int64_t> starts = first_places(levels, topk);
  for_each_best(levels, images, topk, ByLogit<T>{}, threads,
                [&](int64_t image, int64_t level, const std::vector<uint64_t>& keys) {
                  int64_t place = starts[level];
                  for (const uint64_t key : keys) {
                    const Corners whole = decoded(levels[level], image, index_of(key), coding);
                    const Corners box = clipped(whole, sizes[image * 2], sizes[image * 2 + 1]);
                    const float score = score_of(key);
                    if (std::isfinite(score) && all_finite(whole) && box.x2 - box.x1 > min_size &&
                        box.y2 - box.y1 > min_size)
                      candidates.put(image, place++, box, score, 0);
                    else
                      candidates.leave_out(image, place++);
                  }
                });
}

template <class T>
void select_pairs(const std::vector<HeadLevel<T>>& levels, int64_t images, const float* sizes,
                  const BoxCoding& coding, float threshold, int64_t topk,
                  const Candidates& candidates, int threads) {
  const std::vector<int64_t> starts = first_places(levels, topk);
  const ByScore<T> rank{threshold, !levels.empty() && levels[0].centerness.data};
  for_each_best(levels, images, topk, rank, threads,
                [&](int64_t image, int64_t level, const std::vector<uint64_t>& keys) {
                  const HeadLevel<T>& own = levels[level];
                  int64_t place = starts[level];
                  for (const uint64_t key : keys) {
                    const int64_t anchor = index_of(key) / own.classes;
                    const Corners box = decoded(own, image, anchor, coding);
                    if (!all_finite(box))
                      candidates.leave_out(image, place++);
                    else
                      candidates.put(image, place++,
                                     sizes ? clipped(box, sizes[image * 2], sizes[image * 2 + 1])
                                           : box,
                                     score_of(key), index_of(key) % own.classes);
                  }
                  while (place < starts[level + 1]) candidates.leave_out(image, place++);
                });
}

#define BENCHSUITE_SELECT(T)                                                                      \
  template void select_anchors<T>(const std::vector<HeadLevel<T>>&, int64_t, const float*,        \
                                  const BoxCoding&, int64_t, float, const Candidates&, int);      \
  template void select_pairs<T>(const std::vector<HeadLevel<T>>&, int64_t, const float*,          \
                                const BoxCoding&, float, int64_t, const Candidates&, int);
BENCHSUITE_SELECT(float)
BENCHSUITE_SELECT(BFloat16)
#undef BENCHSUITE_SELECT

}  // namespace benchsuite
