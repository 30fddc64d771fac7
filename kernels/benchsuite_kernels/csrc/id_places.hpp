// The place of an id in a list of ids, whatever 64-bit numbers they are.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

namespace benchsuite {

class IdPlaces {
 public:
  // `ids` must ascend, each once, and outlive this.
  IdPlaces(const int64_t* ids, int64_t count) : ids_(ids), count_(count) {
    if (count == 0) return;
    first_ = static_cast<uint64_t>(ids[0]);
    const uint64_t span = static_cast<uint64_t>(ids[count - 1]) - first_;
    if (span >= kWidest) return;
    table_.assign(span + 1, -1);
    for (int64_t place = 0; place < count; ++place) {
      const uint64_t at = static_cast<uint64_t>(ids[place]) - first_;
      if (at <= span) table_[at] = static_cast<int32_t>(place);
    }
  }

  // -1 where the id is not in the list.
  int32_t find(int64_t id) const {
    if (!table_.empty()) {
      const uint64_t at = static_cast<uint64_t>(id) - first_;
      return at < table_.size() ? table_[at] : -1;
    }
    const int64_t* found = std::lower_bound(ids_, ids_ + count_, id);
    return found != ids_ + count_ && *found == id ? static_cast<int32_t>(found - ids_) : -1;
  }

 private:
  // A table of more entries than this would not be faster than a search.
  static constexpr uint64_t kWidest = uint64_t{1} << 22;

  const int64_t* ids_;
  int64_t count_;
  uint64_t first_ = 0;
  std::vector<int32_t> table_;
};

}  // namespace benchsuite
