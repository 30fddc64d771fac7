#include "value_scan.hpp"

#include <algorithm>
#include <cstring>

#include "clones.hpp"
#include "head_map.hpp"

namespace benchsuite {
namespace {

// Loops of a fixed length without an exit become a few vector instructions.
BENCHSUITE_CLONES
int64_t whole_blocks_float(const float* values, int64_t blocks, float floor, int32_t* found) {
  int64_t count = 0;
  for (int64_t block = 0; block < blocks; ++block) {
    const float* BENCHSUITE_RESTRICT own = values + block * kScanBlock;
    int32_t any = 0;
    for (int64_t i = 0; i < kScanBlock; ++i) any |= own[i] < floor ? 0 : 1;
    found[count] = static_cast<int32_t>(block);
    count += any;
  }
  return count;
}

BENCHSUITE_CLONES
int64_t whole_blocks_bfloat16(const uint16_t* values, int64_t blocks, float floor,
                              int32_t* found) {
  int64_t count = 0;
  for (int64_t block = 0; block < blocks; ++block) {
    const uint16_t* BENCHSUITE_RESTRICT own = values + block * kScanBlock;
    int32_t any = 0;
    for (int64_t i = 0; i < kScanBlock; ++i) {
      const uint32_t bits = static_cast<uint32_t>(own[i]) << 16;
      float value;
      std::memcpy(&value, &bits, sizeof value);
      any |= value < floor ? 0 : 1;
    }
    found[count] = static_cast<int32_t>(block);
    count += any;
  }
  return count;
}

template <class T, class Whole>
int64_t with_rest(const T* values, int64_t count, float floor, int32_t* found, Whole whole) {
  const int64_t blocks = count / kScanBlock;
  int64_t hits = whole(values, blocks, floor, found);
  const T* const rest = values + blocks * kScanBlock;
  if (std::any_of(rest, values + count, [floor](T value) { return !(widened(value) < floor); }))
    found[hits++] = static_cast<int32_t>(blocks);
  return hits;
}

}  // namespace

int64_t blocks_reaching(const float* values, int64_t count, float floor, int32_t* found) {
  return with_rest(values, count, floor, found, &whole_blocks_float);
}

int64_t blocks_reaching(const BFloat16* values, int64_t count, float floor, int32_t* found) {
  return with_rest(values, count, floor, found,
                   [](const BFloat16* from, int64_t blocks, float least, int32_t* to) {
                     return whole_blocks_bfloat16(reinterpret_cast<const uint16_t*>(from), blocks,
                                                  least, to);
                   });
}

}  // namespace benchsuite
