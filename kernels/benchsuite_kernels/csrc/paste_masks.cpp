#include "paste_masks.hpp"

#include <algorithm>
#include <cmath>

#include "packed_masks.hpp"
#include "parallel.hpp"
#include "rle.hpp"

namespace benchsuite {
namespace {

// Values closer to the threshold than this are computed again, with torch's rounding.
constexpr float kNear = 1e-5f;

bool is_near(float value, float threshold) { return !(std::fabs(value - threshold) > kNear); }

// One axis of a box: where its pixels sample the mask.
struct Axis {
  int64_t first = 0;            // the first pixel that may lie in the mask
  std::vector<int32_t> cell;    // a pixel each: it lies between this cell's centre and the next's
  std::vector<float> to_next;   // and so much of the way to the next
  std::vector<float> to_own;    // 1 - to_next

  int64_t pixels() const { return static_cast<int64_t>(cell.size()); }

  // Cells are numbered from 1: cell 0 and cell side + 1 are the zeros round the mask.
  void place(float start, float stop, int64_t side, int64_t size) {
    cell.clear();
    to_next.clear();
    to_own.clear();
    const float extent = stop - start, cells = static_cast<float>(side);
    if (!(extent > 0 && std::isfinite(extent))) return;
    const double beyond = static_cast<double>(extent) / static_cast<double>(side);
    const double low = std::floor(start - beyond), high = std::ceil(stop + beyond);
    first = static_cast<int64_t>(std::clamp(low, 0.0, static_cast<double>(size)));
    const auto last = static_cast<int64_t>(std::clamp(high, 0.0, static_cast<double>(size)));
    for (int64_t pixel = first; pixel < last; ++pixel) {
      const float centre = static_cast<float>(pixel) + 0.5f;
      const float grid = (centre - start) / extent * 2.0f - 1.0f;
      // Fused as in torch's vectorised grid_sample: a pixel on the edge must not change sides.
      const float at = std::fma(grid + 1.0f, cells / 2.0f, -0.5f);
      const float below = std::floor(at);
      if (below < -1.0f || below >= cells) {
        if (cell.empty()) first = pixel + 1;
        continue;
      }
      cell.push_back(static_cast<int32_t>(below) + 1);
      to_next.push_back(at - below);
      to_own.push_back(1.0f - (at - below));
    }
  }
};

struct Scratch {
  Axis rows, columns;
  std::vector<float> padded;      // the mask with zeros around, column by column
  std::vector<float> profile;     // a pixel column's values at the cell centres, zeros included
  std::vector<int64_t> boundary;  // per cell: the first row that lies in it or below
  rle::Changes changes;
};

void pad(const float* mask, int64_t side, std::vector<float>& padded) {
  const int64_t stride = side + 2;
  padded.assign(stride * stride, 0.0f);
  for (int64_t y = 0; y < side; ++y)
    for (int64_t x = 0; x < side; ++x) padded[(x + 1) * stride + y + 1] = mask[y * side + x];
}

// The four cells round a pixel, in the order and with the rounding of torch's grid_sample.
float interpolate(const float* left, const float* right, float up, float down, float to_left,
                  float to_right) {
  float value = left[0] * (up * to_left);
  value = std::fma(right[0], up * to_right, value);
  value = std::fma(left[1], down * to_left, value);
  return std::fma(right[1], down * to_right, value);
}

// Leaves in `scratch.changes` where the mask changes.
void paste(const float* mask, const float* box, int64_t side, int64_t height, int64_t width,
           float threshold, Scratch& scratch) {
  Axis& rows = scratch.rows;
  Axis& columns = scratch.columns;
  rows.place(box[1], box[3], side, height);
  columns.place(box[0], box[2], side, width);
  pad(mask, side, scratch.padded);
  scratch.changes.clear();
  scratch.profile.resize(side + 2);

  auto& boundary = scratch.boundary;
  boundary.assign(side + 2, rows.pixels());
  for (int64_t row = rows.pixels(); row-- > 0;) boundary[rows.cell[row]] = row;
  for (int64_t cell = side + 1; cell-- > 0;)
    boundary[cell] = std::min(boundary[cell], boundary[cell + 1]);

  for (int64_t column = 0; column < columns.pixels(); ++column) {
    const float* left = scratch.padded.data() + columns.cell[column] * (side + 2);
    const float* right = left + side + 2;
    const float to_left = columns.to_own[column], to_right = columns.to_next[column];
    float* profile = scratch.profile.data();
    for (int64_t i = 0; i < side + 2; ++i) profile[i] = to_left * left[i] + to_right * right[i];

    const int64_t top = (columns.first + column) * height + rows.first;
    bool inside = false;
    auto turn = [&](bool now, int64_t position) {
      if (now != inside) scratch.changes.toggle(position);
      inside = now;
    };
    // Between two cell centres the value is linear: only where they lie on different sides of the
    // threshold must the pixels be looked at.
    for (int64_t cell = 0; cell <= side; ++cell) {
      const int64_t begin = boundary[cell], end = boundary[cell + 1];
      if (begin == end) continue;
      const float upper = profile[cell], lower = profile[cell + 1];
      const bool constant = !is_near(upper, threshold) && !is_near(lower, threshold) &&
                            (upper > threshold) == (lower > threshold);
      if (constant) {
        turn(upper > threshold, top + begin);
        continue;
      }
      for (int64_t row = begin; row < end; ++row) {
        float value = rows.to_own[row] * upper + rows.to_next[row] * lower;
        if (is_near(value, threshold))
          value = interpolate(left + cell, right + cell, rows.to_own[row], rows.to_next[row],
                              to_left, to_right);
        turn(value >= threshold, top + row);
      }
    }
    turn(false, top + rows.pixels());
  }
}

// Calls take(index, changes, pixels) for every mask.
template <class Take>
void for_each_pasted(const PasteMasks& task, int threads, const Take& take) {
  std::vector<Scratch> scratch(std::max(threads, 1));
  for_each_item(task.count, 4, threads, [&](int64_t index, int worker) {
    const int64_t* size = task.sizes + 2 * task.image_index[index];
    paste(task.masks + index * task.side * task.side, task.boxes + index * 4, task.side, size[0],
          size[1], task.threshold, scratch[worker]);
    take(index, scratch[worker].changes, size[0] * size[1]);
  });
}

}  // namespace

std::vector<std::string> PasteMasks::to_rle(int threads) const {
  std::vector<std::string> counts(count);
  for_each_pasted(*this, threads, [&](int64_t index, const rle::Changes& changes, int64_t pixels) {
    counts[index] = changes.compress(pixels);
  });
  return counts;
}

std::vector<std::vector<int64_t>> PasteMasks::to_ends(int threads) const {
  std::vector<std::vector<int64_t>> ends(count);
  for_each_pasted(*this, threads, [&](int64_t index, const rle::Changes& changes, int64_t pixels) {
    ends[index] = changes.positions();
    if (ends[index].empty() || ends[index].back() != pixels) ends[index].push_back(pixels);
  });
  return ends;
}

void PasteMasks::to_packed(uint64_t* bits, int64_t words, int threads) const {
  for_each_pasted(*this, threads, [&](int64_t index, const rle::Changes& changes, int64_t) {
    const std::vector<int64_t>& at = changes.positions();
    fill_packed(at.data(), static_cast<int64_t>(at.size()), bits + index * words, words);
  });
}

}  // namespace benchsuite
