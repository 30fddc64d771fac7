#include "label_maps.hpp"

#include <algorithm>
#include <atomic>
#include <memory>
#include <mutex>
#include <stdexcept>

#include "parallel.hpp"
#include "words.hpp"

#if defined(__SSE2__) || defined(_M_X64)
#include <emmintrin.h>
#endif

namespace benchsuite::label_maps {
namespace {

// Which of 64 bytes differ from 64 others: bit i is set where a[i] is not b[i].
inline uint64_t differing(const uint8_t* a, const uint8_t* b) {
  uint64_t bits = 0;
#if defined(__SSE2__) || defined(_M_X64)
  for (int i = 0; i < 64; i += 16) {
    const __m128i same = _mm_cmpeq_epi8(_mm_loadu_si128(reinterpret_cast<const __m128i*>(a + i)),
                                        _mm_loadu_si128(reinterpret_cast<const __m128i*>(b + i)));
    bits |= uint64_t{0xffff & ~static_cast<uint32_t>(_mm_movemask_epi8(same))} << i;
  }
#else
  constexpr uint64_t kLow = 0x7f7f7f7f7f7f7f7fu;
  for (int i = 0; i < 64; i += 8) {
    const uint64_t x = load_eight(a + i) ^ load_eight(b + i);
    // The highest bit of each byte that is not zero; then these bits next to each other.
    const uint64_t flags = (((x & kLow) + kLow) | x) & ~kLow;
    bits |= ((flags >> 7) * 0x0102040810204080u >> 56) << i;
  }
#endif
  return bits;
}

// Writes where a row's number changes, each x whose pixel differs from the one to its left, and
// then the width. `changes` has room for width + 1.
template <size_t kBytes>
void find_changes(const uint8_t* row, int64_t width, int32_t* changes) {
  const size_t size = static_cast<size_t>(width) * kBytes;
  int32_t last = 0;
  size_t at = kBytes;
  const auto add = [&](size_t byte) {
    const auto x = static_cast<int32_t>(byte / kBytes);
    // A pixel may differ in several of its bytes.
    if (kBytes == 1 || x != last) *changes++ = last = x;
  };
  for (; at + 64 <= size; at += 64)
    for (uint64_t bits = differing(row + at, row + at - kBytes); bits; bits &= bits - 1)
      add(at + static_cast<size_t>(lowest_bit(bits)));
  for (; at < size; ++at)
    if (row[at] != row[at - kBytes]) add(at);
  *changes = static_cast<int32_t>(width);
}

void find_changes(const uint8_t* row, int64_t width, int bytes, int32_t* changes) {
  switch (bytes) {
    case 1: return find_changes<1>(row, width, changes);
    case 2: return find_changes<2>(row, width, changes);
    default: return find_changes<3>(row, width, changes);
  }
}

// Pixels of each pair of numbers, in a table of open addressing.
class Counter {
 public:
  Counter() : slots_(256) {}

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
        last_key_ = kNone;
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
    last_key_ = kNone;
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
  static constexpr uint64_t kNone = ~uint64_t{0};

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
  uint64_t last_key_ = kNone;
};

void count_rows(const png::Pixels& first, const png::Pixels& second, std::vector<int32_t>& changes,
                Counter& counter) {
  const auto room = static_cast<size_t>(first.width + 1);
  if (changes.size() < 2 * room) changes.resize(2 * room);
  for (int64_t y = 0; y < first.height; ++y) {
    const uint8_t* a = first.row(y);
    const uint8_t* b = second.row(y);
    const int32_t* a_change = changes.data();
    const int32_t* b_change = a_change + room;
    find_changes(a, first.width, first.bytes, changes.data());
    find_changes(b, first.width, second.bytes, changes.data() + room);
    uint32_t a_number = png::number(a, first.bytes), b_number = png::number(b, second.bytes);
    for (int32_t x = 0;;) {
      const int32_t next = std::min(*a_change, *b_change);
      counter.add(a_number, b_number, next - x);
      if (next == first.width) break;
      x = next;
      if (*a_change == x) {
        ++a_change;
        a_number = png::number(a + size_t(x) * size_t(first.bytes), first.bytes);
      }
      if (*b_change == x) {
        ++b_change;
        b_number = png::number(b + size_t(x) * size_t(second.bytes), second.bytes);
      }
    }
  }
}

std::string shape(const png::Pixels& map) {
  return std::to_string(map.width) + " x " + std::to_string(map.height);
}

// What a worker keeps from item to item; by kind of map, the second one last.
struct Worker {
  explicit Worker(size_t kinds) : readers(kinds), files(kinds), maps(kinds) {}

  std::vector<png::Reader> readers;
  std::vector<std::vector<uint8_t>> files;
  std::vector<png::Pixels> maps;
  std::vector<int32_t> changes;
  Counter counter;
};

}  // namespace

std::vector<std::vector<std::vector<Pair>>> count_pairs(const std::vector<Maps>& firsts,
                                                        const Maps& second, int threads,
                                                        Failure& failure) {
  const auto items = static_cast<int64_t>(second.sources.size());
  std::vector<const Maps*> kinds;
  for (const Maps& first : firsts) kinds.push_back(&first);
  kinds.push_back(&second);
  std::vector<std::vector<std::vector<Pair>>> counted(second.sources.size());
  std::vector<std::unique_ptr<Worker>> workers(static_cast<size_t>(std::max(threads, 1)));
  std::mutex failing;
  std::atomic<int64_t> failed{items};
  for_each_item(items, 1, threads, [&](int64_t item, int number) {
    // Items before one that failed are still looked at: one of them may fail too.
    if (item > failed.load(std::memory_order_relaxed)) return;
    auto& worker = workers[static_cast<size_t>(number)];
    if (!worker) worker = std::make_unique<Worker>(kinds.size());
    size_t side = 0;
    try {
      for (; side < kinds.size(); ++side) {
        const auto bytes = kinds[side]->sources[static_cast<size_t>(item)].bytes(worker->files[side]);
        worker->maps[side] =
            worker->readers[side].read(bytes.data, bytes.size, kinds[side]->form);
      }
      side = firsts.size();
      const png::Pixels& last = worker->maps[side];
      auto& of_item = counted[static_cast<size_t>(item)];
      of_item.reserve(firsts.size());
      for (size_t kind = 0; kind < firsts.size(); ++kind) {
        const png::Pixels& map = worker->maps[kind];
        if (map.width != last.width || map.height != last.height)
          throw std::invalid_argument("is of " + shape(last) + " pixels, the truth's map of " +
                                      shape(map));
        count_rows(map, last, worker->changes, worker->counter);
        of_item.push_back(worker->counter.take());
      }
    } catch (const std::invalid_argument& error) {
      const std::lock_guard<std::mutex> lock(failing);
      if (item < failed.load(std::memory_order_relaxed)) {
        failed.store(item, std::memory_order_relaxed);
        failure = {item, side, error.what()};
      }
    }
  });
  return counted;
}

}  // namespace benchsuite::label_maps
