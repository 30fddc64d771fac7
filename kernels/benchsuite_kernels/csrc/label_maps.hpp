// What label maps of the same image have in common: how many pixels each pair of numbers has.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "map_source.hpp"
#include "png.hpp"

namespace benchsuite::label_maps {

struct Pair {
  uint32_t first, second;
  int64_t pixels;
};

// Which map could not be read, and why. The first of all that could not, whatever the threads.
struct Failure {
  int64_t item = -1;
  size_t side = 0;  // of a first map its kind, of a second one the number of kinds
  std::string problem;
};

struct Maps {
  std::vector<MapSource> sources;
  png::Form form;
};

// By item, then by kind of first map: the pairs of it and the second that occur, ascending. Maps are
// decoded in threads, and no more items are held than there are threads.
std::vector<std::vector<std::vector<Pair>>> count_pairs(const std::vector<Maps>& firsts,
                                                        const Maps& second, int threads,
                                                        Failure& failure);

}  // namespace benchsuite::label_maps
