// RoIAlign of rotated boxes; ops/roi_align_rotated.py gives the conventions.
#pragma once

#include <cstdint>

#include "roi_align.hpp"

namespace benchsuite {

// Tasks are as of RoiAlign, but for their boxes: boxes x 5, which are cx, cy, w, h in input pixels
// and an angle in degrees. A box whose image or level there is not reads nothing.
void roi_align_rotated(const RoiAlign<float>& task, int64_t images, int threads);

// The same gradient for any number of threads.
void roi_align_rotated_backward(const RoiAlignBackward& task, int64_t images, int threads);

}  // namespace benchsuite
