// Which detections of a category have to be looked at one by one, and which only counted.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <type_traits>
#include <vector>

#include "parallel.hpp"
#include "precision_recall.hpp"

namespace benchsuite {

// Area ranges, and numbers of detections, that rows are counted for in one pass.
constexpr size_t kAreas = 4, kNumbers = 4;

// What each row is in area ranges [first, last), four at most. Bit a: a false positive at every IoU
// threshold. Bit 4 + a: neither that nor ignored at every threshold, so mixed.
template <class Bits>
std::vector<uint8_t> classify(const MatchBits<Bits>& bits, size_t first, size_t last, int64_t rows,
                              Bits every, int threads) {
  constexpr int64_t kBlock = 1 << 14;
  std::vector<uint8_t> classes(rows);
  const int64_t blocks = (rows + kBlock - 1) / kBlock;
  for_each_item(blocks, grain_of(blocks, rows * (last - first)), threads, [&](int64_t block, int) {
    const int64_t begin = block * kBlock, count = std::min(kBlock, rows - begin);
    uint8_t* to = classes.data() + begin;
    for (size_t area = first; area < last; ++area) {
      const Bits *matched = bits.matched[area] + begin, *ignored = bits.ignored[area] + begin;
      const int place = static_cast<int>(area - first);
      for (int64_t row = 0; row < count; ++row) {
        const Bits left_out = ignored[row] & every;
        const bool wrong = ((matched[row] & every) | left_out) == 0;
        const bool mixed = !wrong & (left_out != every);
        to[row] |= static_cast<uint8_t>((wrong | mixed << 4) << place);
      }
    }
  });
  return classes;
}

// A row that is mixed in an area range.
template <class Bits, class Count>
struct MixedRow {
  int64_t row;
  int32_t rank;
  Bits matched, ignored;
  Count weight;
  std::array<Count, kNumbers> wrong;  // false positives at every threshold that come before it
};

// Counts the false positives of a category in several area ranges and for several numbers of
// detections at once, and keeps the mixed rows. `Count` is uint32_t where rows have no weights.
template <class Bits, class Count>
class RowCounter {
 public:
  // `most`: the numbers of detections, four at most; the last is repeated.
  explicit RowCounter(const std::array<int32_t, kNumbers>& most) : most_(most) {
    for (size_t key = 0; key < kKeys; ++key)
      for (size_t lane = 0; lane < kLanes; ++lane)
        steps_[key][lane] =
            (key >> lane / kNumbers & 1) != 0 && (key >> kAreas) <= lane % kNumbers;
  }

  // The rows from `first` on, in area ranges from `area` on, as `classes` was made for.
  // `weights` is null or goes along with the rows.
  void count(const uint8_t* classes, const MatchBits<Bits>& bits, size_t area,
             const int32_t* ranks, const int64_t* first, const int64_t* last,
             const double* weights) {
    for (auto& rows : mixed_) rows.clear();
    std::array<Count, kLanes> wrong{};
    for (const int64_t* at = first; at < last; ++at) {
      const int64_t row = *at;
      const uint8_t kind = classes[row];
      const int32_t rank = ranks[row];
      size_t key = kind & ((1 << kAreas) - 1);
      for (const int32_t most : most_) key += static_cast<size_t>(rank >= most) << kAreas;
      const auto& steps = steps_[key];
      if constexpr (std::is_integral<Count>::value) {
        for (size_t lane = 0; lane < kLanes; ++lane) wrong[lane] += steps[lane];
      } else {
        const double weight = weights[at - first];
        for (size_t lane = 0; lane < kLanes; ++lane) wrong[lane] += weight * steps[lane];
      }
      if (kind >> kAreas)
        keep(kind >> kAreas, bits, area, row, rank, weight_of(weights, at - first), wrong);
    }
  }

  // The mixed rows of an area range, from 0.
  const std::vector<MixedRow<Bits, Count>>& mixed(size_t area) const { return mixed_[area]; }

 private:
  static constexpr size_t kLanes = kAreas * kNumbers;
  static constexpr size_t kKeys = (kNumbers + 1) << kAreas;

  static Count weight_of(const double* weights, int64_t place) {
    if constexpr (std::is_integral<Count>::value) return 1;
    return static_cast<Count>(weights[place]);
  }

  void keep(int kinds, const MatchBits<Bits>& bits, size_t area, int64_t row, int32_t rank,
            Count weight, const std::array<Count, kLanes>& wrong) {
    for (size_t i = 0; i < kAreas; ++i) {
      if (!(kinds >> i & 1)) continue;
      mixed_[i].push_back(
          {row, rank, bits.matched[area + i][row], bits.ignored[area + i][row], weight, {}});
      std::copy_n(&wrong[i * kNumbers], kNumbers, mixed_[i].back().wrong.begin());
    }
  }

  std::array<int32_t, kNumbers> most_;
  // By class and by how many of the numbers of detections a row's rank exceeds: what it adds.
  std::array<std::array<Count, kLanes>, kKeys> steps_;
  std::array<std::vector<MixedRow<Bits, Count>>, kAreas> mixed_;
};

}  // namespace benchsuite
