#include "match_order.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>
#include <stdexcept>
#include <string>
#include <utility>

#include "parallel.hpp"

namespace benchsuite {
namespace {

constexpr int64_t kBlock = 1 << 16;    // rows a thread looks at in one go
constexpr int64_t kRadixPays = 256;    // rows; fewer are sorted by comparison
constexpr int64_t kRowsAThread = 4096; // fewer are not worth starting a thread

// A key whose ascending order is the scores' descending order, -0 beside 0, NaN last.
uint64_t descending_key(double score) {
  if (std::isnan(score)) return std::numeric_limits<uint64_t>::max();
  if (score == 0) score = 0;
  uint64_t bits;
  std::memcpy(&bits, &score, sizeof bits);
  constexpr uint64_t kSign = uint64_t{1} << 63;
  return bits & kSign ? bits : ~(bits | kSign);
}

struct Keyed {
  uint64_t key;
  int64_t row;
};

// Stable, least significant byte first; bytes that are the same in all keys are passed over.
void sort_by_key(std::vector<Keyed>& items, std::vector<Keyed>& spare) {
  const auto below = [](const Keyed& a, const Keyed& b) { return a.key < b.key; };
  if (std::is_sorted(items.begin(), items.end(), below)) return;
  if (static_cast<int64_t>(items.size()) < kRadixPays) {
    std::stable_sort(items.begin(), items.end(), below);
    return;
  }
  std::array<std::array<int64_t, 256>, 8> counts{};
  for (const Keyed& item : items)
    for (int byte = 0; byte < 8; ++byte) ++counts[byte][item.key >> 8 * byte & 255];
  spare.resize(items.size());
  for (int byte = 0; byte < 8; ++byte) {
    auto& places = counts[byte];
    if (places[items[0].key >> 8 * byte & 255] == static_cast<int64_t>(items.size())) continue;
    std::exclusive_scan(places.begin(), places.end(), places.begin(), int64_t{0});
    for (const Keyed& item : items) spare[places[item.key >> 8 * byte & 255]++] = item;
    items.swap(spare);
  }
}

// Which category each row is of, and the rows of each block that are of each category.
class Blocks {
 public:
  Blocks(const MatchKeys& keys, const int64_t* category_ids, int64_t categories, int threads)
      : keys_(keys),
        categories_(categories),
        size_(std::max(kBlock, (keys.rows + 4 * threads - 1) / (4 * threads))),
        blocks_((keys.rows + size_ - 1) / size_),
        category_(keys.rows),
        counts_(blocks_ * 2 * categories) {
    for_each_item(blocks_, 1, threads, [&](int64_t block, int) { count(block, category_ids); });
  }

  // Turns the counts into places, and puts every row where it belongs.
  void distribute(MatchOrder& order, int threads) {
    RowsByCategory* const sides[2] = {&order.detections, &order.truths};
    for (int side = 0; side < 2; ++side) {
      auto& starts = sides[side]->starts;
      starts.assign(categories_ + 1, 0);
      int64_t place = 0;
      for (int64_t k = 0; k < categories_; ++k) {
        starts[k] = place;
        for (int64_t block = 0; block < blocks_; ++block) {
          int64_t& count = counts_[(block * 2 + side) * categories_ + k];
          place += std::exchange(count, place);
        }
      }
      starts[categories_] = place;
      sides[side]->rows.resize(place);
    }
    for_each_item(blocks_, 1, threads, [&](int64_t block, int) {
      for (int64_t row = block * size_; row < end(block); ++row) {
        const int side = keys_.is_truth[row] != 0;
        sides[side]->rows[counts_[(block * 2 + side) * categories_ + category_[row]]++] = row;
      }
    });
  }

 private:
  int64_t end(int64_t block) const { return std::min(keys_.rows, (block + 1) * size_); }

  void count(int64_t block, const int64_t* category_ids) {
    int64_t* counts = counts_.data() + block * 2 * categories_;
    int64_t last = -1;  // rows of a category mostly lie together
    for (int64_t row = block * size_; row < end(block); ++row) {
      const int64_t id = keys_.categories[row];
      if (last < 0 || category_ids[last] != id) {
        last = std::lower_bound(category_ids, category_ids + categories_, id) - category_ids;
        if (last == categories_ || category_ids[last] != id)
          throw std::invalid_argument("row " + std::to_string(row) + " is of category " +
                                      std::to_string(id) + ", which is not evaluated");
      }
      category_[row] = static_cast<int32_t>(last);
      ++counts[(keys_.is_truth[row] != 0) * categories_ + last];
    }
  }

  const MatchKeys& keys_;
  int64_t categories_, size_, blocks_;
  std::vector<int32_t> category_;
  std::vector<int64_t> counts_;
};

// The rows of one category in the order of image and rank; they mostly are in it already.
void sort_by_image(const MatchKeys& keys, bool ranked, int64_t* first, int64_t* last) {
  const auto below = [&](int64_t a, int64_t b) {
    if (keys.images[a] != keys.images[b]) return keys.images[a] < keys.images[b];
    return ranked && keys.ranks[a] < keys.ranks[b];
  };
  if (!std::is_sorted(first, last, below)) std::stable_sort(first, last, below);
}

struct Spare {
  std::vector<Keyed> items, other;
};

void sort_by_score(const MatchKeys& keys, int64_t* first, int64_t* last, Spare& spare) {
  auto& items = spare.items;
  items.resize(last - first);
  for (int64_t* row = first; row < last; ++row)
    items[row - first] = {descending_key(keys.scores[*row]), *row};
  sort_by_key(items, spare.other);
  for (const Keyed& item : items) *first++ = item.row;
}

}  // namespace

bool MatchKeys::tied(int64_t a, int64_t b) const {
  return images[a] == images[b] &&
         (scores[a] == scores[b] || (std::isnan(scores[a]) && std::isnan(scores[b])));
}

MatchOrder match_order(const MatchKeys& keys, const int64_t* category_ids, int64_t categories,
                       int threads) {
  MatchOrder order;
  Blocks(keys, category_ids, categories, threads).distribute(order, threads);
  auto& detections = order.detections;
  auto& truths = order.truths;
  // The largest first: one that is begun last would keep the others waiting.
  std::vector<int64_t> turns(categories);
  std::iota(turns.begin(), turns.end(), 0);
  const auto size = [&](int64_t k) { return detections.starts[k + 1] - detections.starts[k]; };
  std::stable_sort(turns.begin(), turns.end(),
                   [&](int64_t a, int64_t b) { return size(a) > size(b); });
  const int useful = static_cast<int>(std::min<int64_t>(threads, keys.rows / kRowsAThread + 1));
  std::vector<Spare> spare(useful);
  for_each_item(categories, 1, useful, [&](int64_t turn, int worker) {
    const int64_t k = turns[turn];
    int64_t* rows = detections.rows.data();
    sort_by_image(keys, true, rows + detections.starts[k], rows + detections.starts[k + 1]);
    sort_by_score(keys, rows + detections.starts[k], rows + detections.starts[k + 1],
                  spare[worker]);
    rows = truths.rows.data();
    sort_by_image(keys, false, rows + truths.starts[k], rows + truths.starts[k + 1]);
  });
  return order;
}

}  // namespace benchsuite
