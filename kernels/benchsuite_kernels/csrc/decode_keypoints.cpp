// Few pixels of a stretched map can be its highest: no weighted mean by weights of which some are
// below zero leaves the range of its cells by more than a share of that range. So whole rows, and
// the pixels between two cells, are passed over unseen where that bound is below what is found.
#include "decode_keypoints.hpp"

#include <algorithm>
#include <limits>

#include "bicubic_axis.hpp"
#include "clones.hpp"
#include "parallel.hpp"
#include "scalars.hpp"

namespace benchsuite {
namespace {

constexpr int64_t kPad = 2;              // cells around a map
constexpr int64_t kKeypointsAtOnce = 8;  // that share one box's weights
constexpr float kRounding = 1e-5f;       // of a bound, as a share of the values; generous

// The natural exponential, to a relative error of 2e-7; 0 where it would be subnormal, and at most
// about 2e38.
inline float exponential(float x) {
  constexpr float kLeast = -87.0f, kMost = 88.0f;
  constexpr float kLog2E = 1.44269504f, kShift = 12582912.0f;  // 1.5 * 2^23: rounds to integers
  float inside = x < kLeast ? kLeast : x;
  inside = inside > kMost ? kMost : inside;
  const float shifted = inside * kLog2E + kShift;
  const float powers = shifted - kShift;
  const float rest = inside - powers * 0.693359375f - powers * -2.12194440e-4f;
  float sum = 1.9875691500e-4f;  // the polynomial of Cephes' expf
  sum = sum * rest + 1.3981999507e-3f;
  sum = sum * rest + 8.3334519073e-3f;
  sum = sum * rest + 4.1665795894e-2f;
  sum = sum * rest + 1.6666665459e-1f;
  sum = sum * rest + 5.0000001201e-1f;
  const float scale = float_of((bits_of(shifted) - bits_of(kShift) + 127u) << 23);
  const float value = (sum * rest * rest + rest + 1.0f) * scale;
  // A choice between two floats would become a branch around all of this.
  return float_of(bits_of(value) & (x < kLeast ? 0u : ~0u));
}

struct Range {
  float least, most;
};

struct PaddedMap {
  int64_t side = 0, stride = 0;
  std::vector<float> cells;   // stride x stride
  std::vector<Range> ranges;  // by row; NaN where a value is not finite

  const float* row(int64_t index) const { return cells.data() + index * stride; }
};

struct Peak {
  float value = -std::numeric_limits<float>::infinity();
  int64_t row = -1, column = -1;

  // Rows need not come in order.
  void offer(float other, int64_t y, int64_t x) {
    const bool is_nan = other != other, was_nan = value != value;
    const bool better = is_nan ? !was_nan : other > value;
    const bool equal = is_nan == was_nan && (is_nan || other == value);
    const bool before = row < 0 || y < row || (y == row && x < column);
    if (better || (equal && before)) *this = {other, y, x};
  }
};

struct Scratch {
  BicubicAxis across, down;
  PaddedMap map;
  std::vector<float> blended, most, least, folded, sums;
};

template <class T>
void pad(const T* values, int64_t side, PaddedMap& map) {
  map.side = side;
  map.stride = side + 2 * kPad;
  map.cells.resize(map.stride * map.stride);
  map.ranges.resize(map.stride);
  for (int64_t y = 0; y < side; ++y) {
    float* row = map.cells.data() + (y + kPad) * map.stride;
    for (int64_t x = 0; x < side; ++x) row[kPad + x] = widened(values[y * side + x]);
    for (int64_t x = 0; x < kPad; ++x) {
      row[x] = row[kPad];
      row[kPad + side + x] = row[kPad + side - 1];
    }
  }
}

// The row is laid over itself until little is left of it: halves are compared in vectors.
BENCHSUITE_CLONES
Range range_of(const float* BENCHSUITE_RESTRICT row, int64_t count,
               float* BENCHSUITE_RESTRICT folded) {
  int64_t half = (count + 1) / 2;
  float* BENCHSUITE_RESTRICT most = folded;
  float* BENCHSUITE_RESTRICT least = folded + half;
  float* BENCHSUITE_RESTRICT doubt = least + half;
  const float* BENCHSUITE_RESTRICT rest = row + count - half;  // the middle one may count twice
  for (int64_t x = 0; x < half; ++x) {
    most[x] = row[x] > rest[x] ? row[x] : rest[x];
    least[x] = row[x] < rest[x] ? row[x] : rest[x];
    doubt[x] = (row[x] - row[x]) + (rest[x] - rest[x]);  // NaN from what is not finite
  }
  while (half > 1) {
    const int64_t before = half;
    half = (before + 1) / 2;
    const int64_t over = before - half;
    for (int64_t x = 0; x < over; ++x) most[x] = most[x] > most[half + x] ? most[x] : most[half + x];
    for (int64_t x = 0; x < over; ++x)
      least[x] = least[x] < least[half + x] ? least[x] : least[half + x];
    for (int64_t x = 0; x < over; ++x) doubt[x] += doubt[half + x];
  }
  return {least[0] + doubt[0], most[0] + doubt[0]};
}

// Fills what lies around the map, and the rows' ranges. `folded` has room for half a row, thrice.
void finish(PaddedMap& map, float* folded) {
  const int64_t stride = map.stride, side = map.side;
  float* const cells = map.cells.data();
  for (int64_t y = 0; y < kPad; ++y) {
    std::copy_n(cells + kPad * stride, stride, cells + y * stride);
    std::copy_n(cells + (kPad + side - 1) * stride, stride, cells + (kPad + side + y) * stride);
  }
  for (int64_t y = 0; y < stride; ++y) map.ranges[y] = range_of(cells + y * stride, stride, folded);
}

// What four weights along an axis can make of values in a range, at most; twice: along both. NaN
// where a value is not finite: nothing is below it.
inline float bound(float least, float most, float overshoot) {
  const float size = std::max(most < 0 ? -most : most, least < 0 ? -least : least);
  return most + overshoot * (most - least) + kRounding * size;
}

// A weighted sum of four rows, and the bound of each four of its values that lie side by side.
BENCHSUITE_CLONES
void blend(const float* BENCHSUITE_RESTRICT first, int64_t stride, const float* weights,
           float* BENCHSUITE_RESTRICT row, float* BENCHSUITE_RESTRICT most,
           float* BENCHSUITE_RESTRICT least, float* BENCHSUITE_RESTRICT bounds) {
  const float w0 = weights[0], w1 = weights[1], w2 = weights[2], w3 = weights[3];
  const float* BENCHSUITE_RESTRICT second = first + stride;
  const float* BENCHSUITE_RESTRICT third = second + stride;
  const float* BENCHSUITE_RESTRICT fourth = third + stride;
  for (int64_t x = 0; x < stride; ++x)
    row[x] = w0 * first[x] + w1 * second[x] + w2 * third[x] + w3 * fourth[x];
  for (int64_t x = 0; x + 1 < stride; ++x) {
    most[x] = row[x] > row[x + 1] ? row[x] : row[x + 1];
    least[x] = row[x] < row[x + 1] ? row[x] : row[x + 1];
  }
  for (int64_t x = 0; x + 3 < stride; ++x) {
    const float top = most[x] > most[x + 2] ? most[x] : most[x + 2];
    const float bottom = least[x] < least[x + 2] ? least[x] : least[x + 2];
    const float size = (top < 0 ? -top : top) + (bottom < 0 ? -bottom : bottom);
    bounds[x] = top + kOvershoot * (top - bottom) + kRounding * size;
  }
}

// The pixels of a base along the y axis.
void search_rows(Scratch& scratch, int64_t base, bool all, Peak& peak) {
  const PaddedMap& map = scratch.map;
  const BicubicAxis& across = scratch.across;
  float* const row = scratch.blended.data();
  float* const bounds = row + map.stride;
  for (int64_t y = scratch.down.start(base); y < scratch.down.start(base + 1); ++y) {
    blend(map.row(base), map.stride, scratch.down.weights(y).data(), row, scratch.most.data(),
          scratch.least.data(), bounds);
    for (int64_t cell = 0; cell < across.bases(); ++cell) {
      if (!all && bounds[cell] < peak.value) continue;
      const float* four = row + cell;
      for (int64_t x = across.start(cell); x < across.start(cell + 1); ++x) {
        const auto& w = across.weights(x);
        peak.offer(w[0] * four[0] + w[1] * four[1] + w[2] * four[2] + w[3] * four[3], y, x);
      }
    }
  }
}

Peak search(Scratch& scratch) {
  const PaddedMap& map = scratch.map;
  const int64_t bases = scratch.down.bases();
  // Along both axes: (1 + o)^2 + o^2 of the weights are above zero, 2 o (1 + o) below.
  constexpr float kOfBoth = 2 * kOvershoot * (1 + kOvershoot);
  bool all = false;
  int64_t highest = kPad;
  for (int64_t y = kPad; y < kPad + map.side; ++y) {
    if (map.ranges[y].most > map.ranges[highest].most) highest = y;
    all = all || !(map.ranges[y].most - map.ranges[y].least < std::numeric_limits<float>::max());
  }
  Peak peak;
  // Where the highest cell is, so is a pixel that nearly all others are below.
  const int64_t likely = std::min(highest - 1, bases - 1);
  search_rows(scratch, likely, all, peak);
  for (int64_t base = 0; base < bases; ++base) {
    if (base == likely || scratch.down.start(base) == scratch.down.start(base + 1)) continue;
    Range range = map.ranges[base];
    for (int64_t tap = 1; tap < kTaps; ++tap) {
      range.most = std::max(range.most, map.ranges[base + tap].most);
      range.least = std::min(range.least, map.ranges[base + tap].least);
    }
    if (!all && bound(range.least, range.most, kOfBoth) < peak.value) continue;
    search_rows(scratch, base, all, peak);
  }
  return peak;
}

BENCHSUITE_CLONES
void add_exponentials(const float* BENCHSUITE_RESTRICT row, int64_t count, float peak,
                      float* BENCHSUITE_RESTRICT sums) {
  for (int64_t x = 0; x < count; ++x) sums[x] += exponential(row[x] - peak);
}

// 1 / sum over cells of exp(cell - peak): more than 1 where the peak lies above all cells.
float share_of(float peak, Scratch& scratch) {
  const PaddedMap& map = scratch.map;
  std::vector<float>& sums = scratch.sums;
  sums.assign(map.side, 0.0f);
  for (int64_t y = 0; y < map.side; ++y)
    add_exponentials(map.row(y + kPad) + kPad, map.side, peak, sums.data());
  float total = 0;
  for (const float sum : sums) total += sum;
  // A peak so far above its cells that their sum vanishes still has a finite share.
  return 1.0f / std::max(total, std::numeric_limits<float>::min());
}

template <class T>
void decode_box(const T* maps, const float* box, int64_t keypoints, int64_t side, float* positions,
                float* logits, float* shares, Scratch& scratch) {
  const float width = std::max(box[2] - box[0], 1.0f), height = std::max(box[3] - box[1], 1.0f);
  const bool placed = std::isfinite(box[0]) && std::isfinite(box[1]) && std::isfinite(box[2]) &&
                      std::isfinite(box[3]) && width <= kLongestSide && height <= kLongestSide;
  if (!placed) {
    const float none = std::numeric_limits<float>::quiet_NaN();
    std::fill_n(positions, 2 * keypoints, none);
    std::fill_n(logits, keypoints, none);
    std::fill_n(shares, keypoints, none);
    return;
  }
  const float columns = std::ceil(width), rows = std::ceil(height);
  scratch.across.place(side, static_cast<int64_t>(columns));
  scratch.down.place(side, static_cast<int64_t>(rows));
  const int64_t stride = side + 2 * kPad;
  scratch.blended.resize(2 * stride);
  scratch.most.resize(stride);
  scratch.least.resize(stride);
  scratch.folded.resize(3 * ((stride + 1) / 2));
  for (int64_t k = 0; k < keypoints; ++k) {
    pad(maps + k * side * side, side, scratch.map);
    finish(scratch.map, scratch.folded.data());
    const Peak peak = search(scratch);
    positions[2 * k] = box[0] + (static_cast<float>(peak.column) + 0.5f) * (width / columns);
    positions[2 * k + 1] = box[1] + (static_cast<float>(peak.row) + 0.5f) * (height / rows);
    logits[k] = peak.value;
    shares[k] = share_of(peak.value, scratch);
  }
}

}  // namespace

template <class T>
void decode_keypoints(const T* maps, const float* box, int64_t boxes, int64_t keypoints,
                      int64_t side, const KeypointPeaks& peaks, int threads) {
  const int64_t parts = (keypoints + kKeypointsAtOnce - 1) / kKeypointsAtOnce;
  std::vector<Scratch> scratch(std::max(threads, 1));
  const int64_t grain = grain_of(boxes * parts, boxes * keypoints * (side + 40) * (side + 40));
  for_each_item(boxes * parts, grain, threads, [&](int64_t item, int worker) {
    const int64_t b = item / parts, first = item % parts * kKeypointsAtOnce;
    const int64_t start = b * keypoints + first;
    decode_box(maps + start * side * side, box + 4 * b,
               std::min(kKeypointsAtOnce, keypoints - first), side, peaks.positions + 2 * start,
               peaks.logits + start, peaks.shares + start, scratch[worker]);
  });
}

template void decode_keypoints(const float*, const float*, int64_t, int64_t, int64_t,
                               const KeypointPeaks&, int);
template void decode_keypoints(const Half*, const float*, int64_t, int64_t, int64_t,
                               const KeypointPeaks&, int);
template void decode_keypoints(const BFloat16*, const float*, int64_t, int64_t, int64_t,
                               const KeypointPeaks&, int);

}  // namespace benchsuite
