// Which class leads in each cell of a grid of logits, and where none does clearly.
#pragma once

#include <cstdint>

#include "semantic_argmax.hpp"

namespace benchsuite {

constexpr int32_t kDoubtful = -1;   // the best class is not far enough above the second
constexpr int32_t kNotFinite = -2;  // nor are all logits numbers

// `leaders`: height x width; the classes' number where it leads by more than rounding could undo in
// a weighted mean.
template <class T>
void leading_classes(const LogitGrid<T>& logits, int32_t* leaders, int threads);

}  // namespace benchsuite
