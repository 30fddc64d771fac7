// Counts how many pixels each pair of numbers has.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace benchsuite::label_maps {

struct Pair {
  uint32_t first, second;
  int64_t pixels;
};

// A hash table of open addressing.
class PairCounter {
 public:
  PairCounter() : slots_(256) {}

  void add(uint32_t first, uint32_t second, int64_t pixels) {
    const uint64_t key = uint64_t{first} << 32 | second;
    if (key == last_key_) {
      slots_[last_].pixels += pixels;
      return;
    }
    size_t at = (key * 0x9e3779b97f4a7c15u >> 32) & (slots_.size() - 1);
    while (slots_[at].pixels != 0 && slots_[at].key != key) at = (at + 1) & (slots_.size() - 1);
    if (slots_[at].pixels == 0) {
      if (2 * ++used_ > slots_.size()) {
        grow();
        --used_;
        last_key_ = kFree;
        add(first, second, pixels);
        return;
      }
      slots_[at].key = key;
    }
    slots_[at].pixels += pixels;
    last_key_ = key;
    last_ = at;
  }

  // The pairs, ascending; the counter is empty then.
  std::vector<Pair> take() {
    std::vector<Pair> pairs;
    pairs.reserve(used_);
    for (Slot& slot : slots_)
      if (slot.pixels != 0) {
        pairs.push_back({static_cast<uint32_t>(slot.key >> 32), static_cast<uint32_t>(slot.key),
                         slot.pixels});
        slot.pixels = 0;
      }
    used_ = 0;
    last_key_ = kFree;
    // One map of many numbers must not make all that follow slow.
    if (slots_.size() > 65536) std::vector<Slot>(256).swap(slots_);
    std::sort(pairs.begin(), pairs.end(), [](const Pair& a, const Pair& b) {
      return a.first != b.first ? a.first < b.first : a.second < b.second;
    });
    return pairs;
  }

 private:
  struct Slot {
    uint64_t key = 0;
    int64_t pixels = 0;  // 0: the slot is free
  };
  static constexpr uint64_t kFree = ~uint64_t{0};

  void grow() {
    std::vector<Slot> old(2 * slots_.size());
    old.swap(slots_);
    for (const Slot& slot : old) {
      if (slot.pixels == 0) continue;
      size_t at = (slot.key * 0x9e3779b97f4a7c15u >> 32) & (slots_.size() - 1);
      while (slots_[at].pixels != 0) at = (at + 1) & (slots_.size() - 1);
      slots_[at] = slot;
    }
  }

  std::vector<Slot> slots_;
  size_t used_ = 0, last_ = 0;
  uint64_t last_key_ = kFree;
};

}  // namespace benchsuite::label_maps
