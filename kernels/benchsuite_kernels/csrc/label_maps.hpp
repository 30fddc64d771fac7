// What label maps of the same image have in common: how many pixels each pair of numbers has.
#pragma once

#include <cstdint>
#include <vector>

#include "map_groups.hpp"
#include "pair_counter.hpp"

namespace benchsuite::label_maps {

// By kind of first map, then by item: the pairs of it and the second that occur, ascending.
std::vector<std::vector<std::vector<Pair>>> count_pairs(const std::vector<Maps>& firsts,
                                                        const Maps& second, int threads,
                                                        Failure& failure);

// Which class each number of a map is of; numbers that are not listed are of none.
struct Classes {
  // Entries starts[i] to starts[i + 1] are those of item i; of every item, where `shared`.
  const int64_t* starts;
  const int64_t* numbers;  // ascending
  const int64_t* classes;  // 0 to kMostClasses - 1
  bool shared;
};

constexpr int64_t kMostClasses = 65534;
constexpr uint32_t kNone = 65535;

// For each item the pairs of classes at the boundaries of the regions of a class: pixels that have a
// pixel of another class, or the image's end, within a distance of `ratio` times the image's
// diagonal (at least 1 pixel, in x and in y). A pixel that is not at a boundary has kNone on that
// side; those that have it on both, and those that are of no class in the first map, do not count.
std::vector<std::vector<Pair>> count_boundary_pairs(const Maps& first, const Maps& second,
                                                    const Classes& first_classes,
                                                    const Classes& second_classes, double ratio,
                                                    int threads, Failure& failure);

}  // namespace benchsuite::label_maps
