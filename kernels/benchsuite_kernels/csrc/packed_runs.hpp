// The runs of a stack of masks in one tensor: ops/packed_runs.py gives its layout.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <vector>

#include "bindings.hpp"
#include "tensor_view.hpp"

namespace benchsuite {

inline void require_runs(const TensorView<int32_t>& runs, int64_t masks) {
  if (runs.ndim() != 1 || runs.size() < masks + 1)
    throw py::value_error("runs are too short for their masks");
}

// `size`: numbers in all; ends that find no room are left out, and the rest is filled with zeros.
inline void write_runs(const std::vector<std::vector<int64_t>>& ends, int32_t* runs, int64_t size) {
  const auto masks = static_cast<int64_t>(ends.size());
  int32_t* const first = runs + masks + 1;
  const int64_t capacity = size - masks - 1;
  int64_t start = 0;
  for (int64_t i = 0; i < masks; ++i) {
    runs[i] = static_cast<int32_t>(start);
    for (const int64_t end : ends[i]) {
      if (start < capacity) first[start] = static_cast<int32_t>(end);
      ++start;
    }
  }
  runs[masks] =
      static_cast<int32_t>(std::min<int64_t>(start, std::numeric_limits<int32_t>::max()));
  if (start < capacity) std::fill(first + start, first + capacity, 0);
}

}  // namespace benchsuite
