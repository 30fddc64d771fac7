// Finding the few large values of a long array.
#pragma once

#include <cstdint>

#include "tensor_view.hpp"

namespace benchsuite {

constexpr int64_t kScanBlock = 64;
constexpr int64_t kScanStrip = 64 * kScanBlock;

// Which blocks of kScanBlock values hold one that is not below `floor` (NaN is not): their numbers,
// ascending, to `found`; returns how many. The last block may be shorter.
int64_t blocks_reaching(const float* values, int64_t count, float floor, int32_t* found);
int64_t blocks_reaching(const BFloat16* values, int64_t count, float floor, int32_t* found);

}  // namespace benchsuite
