// A bilinear resize makes weighted means: where one class leads clearly in all cells that a pixel
// is made of, it leads in the pixel too. Only the pixels between regions are interpolated.
#include "semantic_argmax.hpp"

#include <algorithm>
#include <vector>

#include "../cuda/sources/bilinear_twice.cuh"
#include "clones.hpp"
#include "leading_classes.hpp"
#include "parallel.hpp"
#include "scalars.hpp"

namespace benchsuite {
namespace {

constexpr int64_t kRowsAtOnce = 16;  // of the result, a worker

// Neighbouring pixels of a row that are made of the same cells.
struct Run {
  int64_t begin, end;
};

struct Columns {
  std::vector<TwiceTaps> taps;
  std::vector<Run> runs;
};

Columns place_columns(int64_t cells, const SemanticSizes& sizes) {
  Columns columns;
  for (int64_t x = 0; x < sizes.width; ++x) {
    columns.taps.push_back(twice_taps(x, cells, sizes.stride, sizes.resized_width, sizes.width));
    const auto* cell = columns.taps[x].cell;
    if (x > 0 && std::equal(cell, cell + 3, columns.taps[x - 1].cell))
      columns.runs.back().end = x + 1;
    else
      columns.runs.push_back({x, x + 1});
  }
  return columns;
}

// The leaders of three rows of cells in one: where they differ there is none.
BENCHSUITE_CLONES
void agree(const int32_t* BENCHSUITE_RESTRICT first, const int32_t* BENCHSUITE_RESTRICT second,
           const int32_t* BENCHSUITE_RESTRICT third, int64_t count,
           int32_t* BENCHSUITE_RESTRICT agreed) {
  for (int64_t x = 0; x < count; ++x) {
    const int32_t one = first[x], two = second[x], three = third[x];
    int32_t leader = one == two ? one : kDoubtful;
    leader = leader == three ? leader : kDoubtful;
    int32_t least = one < two ? one : two;
    least = least < three ? least : three;
    agreed[x] = least == kNotFinite ? kNotFinite : leader;
  }
}

BENCHSUITE_CLONES
void weigh(const float* BENCHSUITE_RESTRICT first, const float* BENCHSUITE_RESTRICT second,
           const float* BENCHSUITE_RESTRICT third, const float* weights, int64_t count,
           float* BENCHSUITE_RESTRICT sums) {
  const float w0 = weights[0], w1 = weights[1], w2 = weights[2];
  for (int64_t k = 0; k < count; ++k) sums[k] = w0 * first[k] + w1 * second[k] + w2 * third[k];
}

// The first of the highest of finite values; `folded` has room for half of them.
BENCHSUITE_CLONES
int64_t first_best(const float* BENCHSUITE_RESTRICT values, int64_t count,
                   float* BENCHSUITE_RESTRICT folded) {
  int64_t half = (count + 1) / 2;
  const float* rest = values + count - half;
  for (int64_t k = 0; k < half; ++k) folded[k] = values[k] > rest[k] ? values[k] : rest[k];
  while (half > 1) {
    const int64_t before = half;
    half = (before + 1) / 2;
    const int64_t over = before - half;
    for (int64_t k = 0; k < over; ++k)
      folded[k] = folded[k] > folded[half + k] ? folded[k] : folded[half + k];
  }
  int64_t best = 0;
  while (values[best] != folded[0]) ++best;
  return best;
}

int64_t first_best_with_nan(const float* values, int64_t count) {
  int64_t best = 0;
  for (int64_t k = 0; k < count && values[best] == values[best]; ++k)
    if (values[k] != values[k] || values[k] > values[best]) best = k;
  return best;
}

// The logits of single cells as they are asked for, class beside class.
template <class T>
class Cells {
 public:
  explicit Cells(const LogitGrid<T>& logits)
      : logits_(logits), values_(kRows * logits.width * logits.classes),
        held_(kRows * logits.width, -1) {}

  const float* at(int64_t y, int64_t x) {
    const T* cell = logits_.data + y * logits_.of_row + x * logits_.of_column;
    if constexpr (std::is_same_v<T, float>)
      if (logits_.of_class == 1) return cell;
    const int64_t slot = y % kRows * logits_.width + x;
    float* const values = values_.data() + slot * logits_.classes;
    if (held_[slot] != y) {
      for (int64_t k = 0; k < logits_.classes; ++k)
        values[k] = widened(cell[k * logits_.of_class]);
      held_[slot] = y;
    }
    return values;
  }

 private:
  static constexpr int64_t kRows = 3;  // what a row of pixels is made of, one after the other

  const LogitGrid<T>& logits_;
  std::vector<float> values_;
  std::vector<int64_t> held_;
};

// What one worker needs for rows of pixels, from the first to the last.
template <class T>
class Rows {
 public:
  Rows(const LogitGrid<T>& logits, const SemanticSizes& sizes, const Columns& columns,
       const std::vector<int32_t>& leaders)
      : logits_(logits), sizes_(sizes), columns_(columns), leaders_(leaders), cells_(logits),
        agreed_(logits.width), blended_(logits.width * logits.classes),
        blended_for_(logits.width, -1), values_(logits.classes), folded_(logits.classes) {}

  template <class Label>
  void label(int64_t y, Label* labels) {
    const TwiceTaps taps =
        twice_taps(y, logits_.height, sizes_.stride, sizes_.resized_height, sizes_.height);
    const int32_t* leaders = leaders_.data();
    const int64_t width = logits_.width;
    agree(leaders + taps.cell[0] * width, leaders + taps.cell[1] * width,
          leaders + taps.cell[2] * width, width, agreed_.data());
    for (const Run& run : columns_.runs) {
      const auto* cell = columns_.taps[run.begin].cell;
      const int32_t one = agreed_[cell[0]], two = agreed_[cell[1]], three = agreed_[cell[2]];
      if (one >= 0 && one == two && one == three) {
        std::fill(labels + run.begin, labels + run.end, static_cast<Label>(one));
        continue;
      }
      const bool finite = one != kNotFinite && two != kNotFinite && three != kNotFinite;
      for (int64_t x = run.begin; x < run.end; ++x)
        labels[x] = static_cast<Label>(best(y, taps, columns_.taps[x], finite));
    }
  }

 private:
  int64_t best(int64_t y, const TwiceTaps& rows, const TwiceTaps& columns, bool finite) {
    const int64_t classes = logits_.classes;
    weigh(blended(y, rows, columns.cell[0]), blended(y, rows, columns.cell[1]),
          blended(y, rows, columns.cell[2]), columns.weight, classes, values_.data());
    return finite ? first_best(values_.data(), classes, folded_.data())
                  : first_best_with_nan(values_.data(), classes);
  }

  // Three cells, one below the other, as the row of pixels weighs them.
  const float* blended(int64_t y, const TwiceTaps& rows, int64_t x) {
    float* const sums = blended_.data() + x * logits_.classes;
    if (blended_for_[x] != y) {
      weigh(cells_.at(rows.cell[0], x), cells_.at(rows.cell[1], x), cells_.at(rows.cell[2], x),
            rows.weight, logits_.classes, sums);
      blended_for_[x] = y;
    }
    return sums;
  }

  const LogitGrid<T>& logits_;
  const SemanticSizes& sizes_;
  const Columns& columns_;
  const std::vector<int32_t>& leaders_;
  Cells<T> cells_;
  std::vector<int32_t> agreed_;
  std::vector<float> blended_;
  std::vector<int64_t> blended_for_;
  std::vector<float> values_, folded_;
};

}  // namespace

template <class T, class Label>
void semantic_argmax(const LogitGrid<T>& logits, const SemanticSizes& sizes, Label* labels,
                     int threads) {
  std::vector<int32_t> leaders(logits.height * logits.width);
  leading_classes(logits, leaders.data(), threads);
  const Columns columns = place_columns(logits.width, sizes);
  std::vector<std::vector<Rows<T>>> rows(std::max(threads, 1));
  const int64_t items = (sizes.height + kRowsAtOnce - 1) / kRowsAtOnce;
  const int64_t steps = sizes.height * static_cast<int64_t>(columns.runs.size()) * 4;
  for_each_item(items, grain_of(items, steps), threads, [&](int64_t item, int worker) {
    if (rows[worker].empty()) rows[worker].emplace_back(logits, sizes, columns, leaders);
    const int64_t end = std::min((item + 1) * kRowsAtOnce, sizes.height);
    for (int64_t y = item * kRowsAtOnce; y < end; ++y)
      rows[worker].front().label(y, labels + y * sizes.width);
  });
}

template void semantic_argmax(const LogitGrid<float>&, const SemanticSizes&, uint8_t*, int);
template void semantic_argmax(const LogitGrid<Half>&, const SemanticSizes&, uint8_t*, int);
template void semantic_argmax(const LogitGrid<BFloat16>&, const SemanticSizes&, uint8_t*, int);
template void semantic_argmax(const LogitGrid<float>&, const SemanticSizes&, int32_t*, int);
template void semantic_argmax(const LogitGrid<Half>&, const SemanticSizes&, int32_t*, int);
template void semantic_argmax(const LogitGrid<BFloat16>&, const SemanticSizes&, int32_t*, int);

}  // namespace benchsuite
