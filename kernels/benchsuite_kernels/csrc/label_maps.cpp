#include "label_maps.hpp"

#include <algorithm>

#include "row_changes.hpp"

namespace benchsuite::label_maps {
namespace {

// What a worker keeps from item to item.
struct State {
  std::vector<int32_t> changes;
  PairCounter counter;
};

void count_rows(const png::Pixels& first, const png::Pixels& second, State& state) {
  const auto room = static_cast<size_t>(first.width + 1);
  if (state.changes.size() < 2 * room) state.changes.resize(2 * room);
  for (int64_t y = 0; y < first.height; ++y) {
    const uint8_t* a = first.row(y);
    const uint8_t* b = second.row(y);
    const int32_t* a_change = state.changes.data();
    const int32_t* b_change = a_change + room;
    find_changes(a, first.width, first.bytes, state.changes.data());
    find_changes(b, first.width, second.bytes, state.changes.data() + room);
    uint32_t a_number = png::number(a, first.bytes), b_number = png::number(b, second.bytes);
    for (int32_t x = 0;;) {
      const int32_t next = std::min(*a_change, *b_change);
      state.counter.add(a_number, b_number, next - x);
      if (next == first.width) break;
      x = next;
      const auto place = static_cast<size_t>(x);
      if (*a_change == x) {
        ++a_change;
        a_number = png::number(a + place * static_cast<size_t>(first.bytes), first.bytes);
      }
      if (*b_change == x) {
        ++b_change;
        b_number = png::number(b + place * static_cast<size_t>(second.bytes), second.bytes);
      }
    }
  }
}

}  // namespace

std::vector<std::vector<std::vector<Pair>>> count_pairs(const std::vector<Maps>& firsts,
                                                        const Maps& second, int threads,
                                                        Failure& failure) {
  std::vector<std::vector<std::vector<Pair>>> counted(
      firsts.size(), std::vector<std::vector<Pair>>(second.sources.size()));
  for_each_group<State>(
      firsts, second, threads, failure,
      [&](int64_t item, State& state, const std::vector<png::Pixels>& maps) {
        for (size_t kind = 0; kind < firsts.size(); ++kind) {
          count_rows(maps[kind], maps.back(), state);
          counted[kind][static_cast<size_t>(item)] = state.counter.take();
        }
      });
  return counted;
}

}  // namespace benchsuite::label_maps
