// What two label maps of the same image have in common: how many pixels each pair of numbers has.
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
  int side = 0;
  std::string problem;
};

struct Maps {
  std::vector<MapSource> sources;
  png::Form form;
};

// For each item the pairs that occur, ascending. Maps are decoded in threads, and no more of them
// are held than there are threads.
std::vector<std::vector<Pair>> count_pairs(const Maps& first, const Maps& second, int threads,
                                           Failure& failure);

}  // namespace benchsuite::label_maps
