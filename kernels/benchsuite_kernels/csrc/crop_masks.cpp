// A cell is the mean of bilinear samples of the mask, taken and summed in the order of torchvision's
// roi_align, with its rounding, since a mean near one half must not change sides. Where all pixels
// that a cell reads are alike the mean is known without.
#include "crop_masks.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include "packed_masks.hpp"
#include "parallel.hpp"

namespace benchsuite {
namespace {

constexpr float kMostSamples = 1 << 20;

// Where a cell's samples lie along one axis: between pixel `low` and the next, or on it at the end.
struct Sample {
  int64_t low, high;
  float to_low, to_high;
};

struct Axis {
  int64_t samples = 0;  // a cell
  std::vector<Sample> inside;      // those in the mask
  std::vector<int64_t> first;      // a cell each, and the end

  void place(float from, float to, int64_t cells, int64_t size) {
    const float start = from - 0.5f, extent = (to - 0.5f) - start;
    const float step = extent / static_cast<float>(cells);
    inside.clear();
    first.assign(cells + 1, 0);
    samples = 0;
    if (!(step > 0 && step < kMostSamples && std::isfinite(start)) || size == 0) return;
    samples = static_cast<int64_t>(std::ceil(step));
    for (int64_t cell = 0; cell < cells; ++cell) {
      for (int64_t i = 0; i < samples; ++i)
        add(start + static_cast<float>(cell) * step +
                (static_cast<float>(i) + 0.5f) * step / static_cast<float>(samples),
            size);
      first[cell + 1] = static_cast<int64_t>(inside.size());
    }
  }

  int64_t count(int64_t cell) const { return first[cell + 1] - first[cell]; }

 private:
  void add(float at, int64_t size) {
    if (at < -1.0f || at > static_cast<float>(size)) return;
    at = std::max(at, 0.0f);
    const auto low = static_cast<int64_t>(at);
    if (low >= size - 1) {
      inside.push_back({size - 1, size - 1, 1.0f, 0.0f});
    } else {
      const float beyond = at - static_cast<float>(low);
      inside.push_back({low, low + 1, 1.0f - beyond, beyond});
    }
  }
};

struct Scratch {
  Axis rows, columns;
};

struct Mask {
  const uint64_t* bits;
  int64_t height;

  bool at(int64_t y, int64_t x) const {
    const int64_t pixel = x * height + y;
    return bits[pixel / kWordBits] >> (pixel % kWordBits) & 1;
  }

  // 0 or 1 where all of these pixels are, both ends included; else -1.
  int uniform(int64_t top, int64_t bottom, int64_t left, int64_t right) const {
    const uint64_t want = at(top, left) ? ~uint64_t{0} : 0;
    for (int64_t x = left; x <= right; ++x)
      for (int64_t pixel = x * height + top, end = x * height + bottom + 1; pixel < end;) {
        const int64_t shift = pixel % kWordBits;
        const int64_t count = std::min(end - pixel, kWordBits - shift);
        const uint64_t differ = (bits[pixel / kWordBits] ^ want) >> shift;
        if (differ << (kWordBits - count)) return -1;
        pixel += count;
      }
    return want ? 1 : 0;
  }
};

bool cell_inside(const Mask& mask, const Axis& rows, const Axis& columns, int64_t row,
                 int64_t column) {
  const int64_t down = rows.count(row), across = columns.count(column);
  if (!down || !across) return false;
  const Sample* const y = rows.inside.data() + rows.first[row];
  const Sample* const x = columns.inside.data() + columns.first[column];
  const int all = mask.uniform(y[0].low, y[down - 1].high, x[0].low, x[across - 1].high);
  if (all == 0) return false;
  if (all == 1 && down == rows.samples && across == columns.samples) return true;
  float sum = 0;
  for (const Sample* i = y; i < y + down; ++i)
    for (const Sample* j = x; j < x + across; ++j) {
      float value = mask.at(i->low, j->low) ? i->to_low * j->to_low : 0.0f;
      value += mask.at(i->low, j->high) ? i->to_low * j->to_high : 0.0f;
      value += mask.at(i->high, j->low) ? i->to_high * j->to_low : 0.0f;
      value += mask.at(i->high, j->high) ? i->to_high * j->to_high : 0.0f;
      sum += value;
    }
  return sum / static_cast<float>(rows.samples * columns.samples) >= 0.5f;
}

}  // namespace

void CropMasks::crop(int threads) const {
  std::vector<Scratch> scratches(std::max(threads, 1));
  for_each_item(regions, 2, threads, [&](int64_t region, int worker) {
    auto& [rows, columns] = scratches[worker];
    bool* target = targets + region * size * size;
    const int64_t which = index[region];
    if (which < 0) {
      std::fill_n(target, size * size, false);
      return;
    }
    const Mask mask{bits + which * words, sizes[2 * which]};
    const float* box = boxes + 4 * region;
    rows.place(box[1], box[3], size, sizes[2 * which]);
    columns.place(box[0], box[2], size, sizes[2 * which + 1]);
    for (int64_t row = 0; row < size; ++row)
      for (int64_t column = 0; column < size; ++column)
        target[row * size + column] = cell_inside(mask, rows, columns, row, column);
  });
}

}  // namespace benchsuite
