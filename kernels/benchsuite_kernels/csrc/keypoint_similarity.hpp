// Object keypoint similarity (OKS), as pycocotools' COCOeval.computeOks, but for the exponential.
//
// That is NumPy's, whose last bit depends on the processor; so it is left to NumPy. Here are the
// steps before it, the exponents of each pair that may reach the least similarity that counts, and
// after it, their mean.
#pragma once

#include <cstdint>
#include <vector>

#include "group_order.hpp"

namespace benchsuite {

struct KeypointColumns {
  const double* detections;  // rows of x, y, anything of each keypoint
  const double* truths;      // rows of x, y, visibility
  const double* boxes;       // of the truths: rows of x, y, width, height
  const double* areas;       // of the truths
  const double* sigmas;
  int64_t keypoints;
};

// Pairs of a detection and a truth, by detection, then truth.
struct KeypointPairs {
  std::vector<int64_t> starts;           // of each detection's pairs, and the end of the last
  std::vector<int64_t> truths;           // each pair's
  std::vector<int64_t> exponent_starts;  // of each pair's exponents, and the end of the last
  std::vector<double> exponents;         // negative: similarity is the mean of their exponentials
};

KeypointPairs keypoint_pairs(const GroupOrder& order, const KeypointColumns& keypoints,
                             int64_t detections, double least, int threads);

// The mean of each stretch of values, summed as NumPy sums. `starts`: count + 1 of them.
void pairwise_means(const double* values, const int64_t* starts, int64_t count, double* means);

}  // namespace benchsuite
