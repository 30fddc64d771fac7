#include "leading_classes.hpp"

#include <algorithm>
#include <vector>

#include "clones.hpp"
#include "parallel.hpp"
#include "scalars.hpp"

namespace benchsuite {
namespace {

constexpr float kRounding = 1e-5f;  // of a weighted mean, as a share of what is added; generous

// The two best of several values each, and whether all are finite (0) or not (NaN).
struct Best {
  std::vector<float> first, second, doubt;
  std::vector<int32_t> number;

  void resize(int64_t count) {
    first.resize(count);
    second.resize(count);
    doubt.resize(count);
    number.resize(count);
  }
};

inline float magnitude(float value) { return value < 0 ? -value : value; }

BENCHSUITE_CLONES
void judge(const float* BENCHSUITE_RESTRICT first, const float* BENCHSUITE_RESTRICT second,
           const float* BENCHSUITE_RESTRICT doubt, const int32_t* BENCHSUITE_RESTRICT number,
           int64_t count, int32_t* BENCHSUITE_RESTRICT leaders) {
  for (int64_t x = 0; x < count; ++x) {
    const float size = magnitude(first[x]) + magnitude(second[x]);
    const int32_t leader = first[x] - second[x] > kRounding * size ? number[x] : kDoubtful;
    leaders[x] = doubt[x] == 0 ? leader : kNotFinite;
  }
}

// One class more, of a whole row.
BENCHSUITE_CLONES
void consider(const float* BENCHSUITE_RESTRICT values, int64_t count, int32_t own,
              float* BENCHSUITE_RESTRICT first, float* BENCHSUITE_RESTRICT second,
              float* BENCHSUITE_RESTRICT doubt, int32_t* BENCHSUITE_RESTRICT number) {
  for (int64_t x = 0; x < count; ++x) {
    const float value = values[x], best = first[x];
    const float lower = value > best ? best : value;
    second[x] = lower > second[x] ? lower : second[x];
    number[x] = value > best ? own : number[x];
    first[x] = value > best ? value : best;
    doubt[x] += value - value;
  }
}

BENCHSUITE_CLONES
void begin(const float* BENCHSUITE_RESTRICT values, int64_t count, float* BENCHSUITE_RESTRICT first,
           float* BENCHSUITE_RESTRICT second, float* BENCHSUITE_RESTRICT doubt,
           int32_t* BENCHSUITE_RESTRICT number) {
  for (int64_t x = 0; x < count; ++x) {
    first[x] = values[x];
    second[x] = -3.4028234664e38f;  // finite, and below what is
    doubt[x] = values[x] - values[x];
    number[x] = 0;
  }
}

// The classes of one cell, laid over themselves until one is left. `values` is changed.
BENCHSUITE_CLONES
int32_t leader_of(float* BENCHSUITE_RESTRICT values, int64_t count,
                  float* BENCHSUITE_RESTRICT second, float* BENCHSUITE_RESTRICT doubt,
                  int32_t* BENCHSUITE_RESTRICT number) {
  for (int64_t k = 0; k < count; ++k) {
    second[k] = -3.4028234664e38f;
    doubt[k] = values[k] - values[k];
    number[k] = static_cast<int32_t>(k);
  }
  while (count > 1) {
    const int64_t half = (count + 1) / 2, over = count - half;
    for (int64_t k = 0; k < over; ++k) {
      const float one = values[k], other = values[half + k];
      const float lower = other > one ? one : other;
      const float below = second[half + k] > second[k] ? second[half + k] : second[k];
      second[k] = lower > below ? lower : below;
      number[k] = other > one ? number[half + k] : number[k];
      values[k] = other > one ? other : one;
      doubt[k] += doubt[half + k];
    }
    count = half;
  }
  int32_t leader;
  judge(values, second, doubt, number, 1, &leader);
  return leader;
}

template <class T>
const float* as_floats(const T* values, int64_t count, float* target) {
  for (int64_t i = 0; i < count; ++i) target[i] = widened(values[i]);
  return target;
}

inline const float* as_floats(const float* values, int64_t, float*) { return values; }

// A row of cells whose classes lie in planes.
template <class T>
void lead_planes(const LogitGrid<T>& logits, int64_t y, Best& best, float* row, int32_t* leaders) {
  const int64_t width = logits.width;
  const T* first = logits.data + y * logits.of_row;
  begin(as_floats(first, width, row), width, best.first.data(), best.second.data(),
        best.doubt.data(), best.number.data());
  for (int64_t k = 1; k < logits.classes; ++k)
    consider(as_floats(first + k * logits.of_class, width, row), width, static_cast<int32_t>(k),
             best.first.data(), best.second.data(), best.doubt.data(), best.number.data());
  judge(best.first.data(), best.second.data(), best.doubt.data(), best.number.data(), width,
        leaders);
}

// A row of cells, whatever lies between their classes.
template <class T>
void lead_cells(const LogitGrid<T>& logits, int64_t y, Best& best, float* values,
                int32_t* leaders) {
  for (int64_t x = 0; x < logits.width; ++x) {
    const T* cell = logits.data + y * logits.of_row + x * logits.of_column;
    for (int64_t k = 0; k < logits.classes; ++k) values[k] = widened(cell[k * logits.of_class]);
    leaders[x] = leader_of(values, logits.classes, best.second.data(), best.doubt.data(),
                           best.number.data());
  }
}

}  // namespace

template <class T>
void leading_classes(const LogitGrid<T>& logits, int32_t* leaders, int threads) {
  const int64_t longest = std::max(logits.width, logits.classes);
  std::vector<Best> best(std::max(threads, 1));
  std::vector<std::vector<float>> rows(best.size());
  const int64_t grain = grain_of(logits.height, logits.height * logits.width * logits.classes / 2);
  for_each_item(logits.height, grain, threads, [&](int64_t y, int worker) {
    best[worker].resize(longest);
    rows[worker].resize(longest);
    int32_t* own = leaders + y * logits.width;
    if (logits.of_column == 1)
      lead_planes(logits, y, best[worker], rows[worker].data(), own);
    else
      lead_cells(logits, y, best[worker], rows[worker].data(), own);
  });
}

template void leading_classes(const LogitGrid<float>&, int32_t*, int);
template void leading_classes(const LogitGrid<Half>&, int32_t*, int);
template void leading_classes(const LogitGrid<BFloat16>&, int32_t*, int);

}  // namespace benchsuite
