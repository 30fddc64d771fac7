#include "checksums.hpp"

#include <algorithm>
#include <array>

#include "clones.hpp"

namespace benchsuite {
namespace {

// Table k holds the CRC of a byte that k zero bytes follow, so that eight bytes go in one step.
struct CrcTables {
  std::array<std::array<uint32_t, 256>, 8> of{};

  constexpr CrcTables() {
    for (uint32_t byte = 0; byte < 256; ++byte) {
      uint32_t crc = byte;
      for (int bit = 0; bit < 8; ++bit) crc = crc & 1 ? 0xedb88320u ^ crc >> 1 : crc >> 1;
      of[0][byte] = crc;
    }
    for (uint32_t byte = 0; byte < 256; ++byte)
      for (size_t k = 1; k < 8; ++k)
        of[k][byte] = of[0][of[k - 1][byte] & 0xff] ^ of[k - 1][byte] >> 8;
  }
};

constexpr CrcTables kCrc;

constexpr uint32_t kModulus = 65521;
constexpr size_t kLanes = 64;
constexpr size_t kBlocks = 64;  // of kLanes bytes, before the sums could leave 32 bits

// For each lane l of `blocks` rows of kLanes bytes: the sum of its bytes, and of these sums so far.
BENCHSUITE_CLONES
void lane_sums(const uint8_t* BENCHSUITE_RESTRICT data, size_t blocks,
               uint32_t* BENCHSUITE_RESTRICT sums, uint32_t* BENCHSUITE_RESTRICT sums_of_sums) {
  uint32_t a[kLanes] = {}, b[kLanes] = {};
  for (size_t block = 0; block < blocks; ++block, data += kLanes)
    for (size_t lane = 0; lane < kLanes; ++lane) {
      b[lane] += a[lane];
      a[lane] += data[lane];
    }
  std::copy(a, a + kLanes, sums);
  std::copy(b, b + kLanes, sums_of_sums);
}

}  // namespace

uint32_t crc32(const uint8_t* data, size_t size) {
  uint32_t crc = ~0u;
  for (; size >= 8; size -= 8, data += 8)
    crc = kCrc.of[7][(crc ^ data[0]) & 0xff] ^ kCrc.of[6][(crc >> 8 ^ data[1]) & 0xff] ^
          kCrc.of[5][(crc >> 16 ^ data[2]) & 0xff] ^ kCrc.of[4][(crc >> 24 ^ data[3]) & 0xff] ^
          kCrc.of[3][data[4]] ^ kCrc.of[2][data[5]] ^ kCrc.of[1][data[6]] ^ kCrc.of[0][data[7]];
  for (; size > 0; --size, ++data) crc = kCrc.of[0][(crc ^ *data) & 0xff] ^ crc >> 8;
  return ~crc;
}

uint32_t adler32(const uint8_t* data, size_t size) {
  uint64_t a = 1, b = 0;
  while (size >= kLanes) {
    const size_t blocks = std::min(size / kLanes, kBlocks);
    uint32_t sums[kLanes], sums_of_sums[kLanes];
    lane_sums(data, blocks, sums, sums_of_sums);
    b += a * blocks * kLanes;
    for (size_t lane = 0; lane < kLanes; ++lane) {
      a += sums[lane];
      // A byte counts once for every byte from itself to the end.
      b += uint64_t{sums_of_sums[lane]} * kLanes + uint64_t{sums[lane]} * (kLanes - lane);
    }
    a %= kModulus;
    b %= kModulus;
    data += blocks * kLanes;
    size -= blocks * kLanes;
  }
  for (; size > 0; --size) {
    a += *data++;
    b += a;
  }
  return static_cast<uint32_t>(b % kModulus << 16 | a % kModulus);
}

}  // namespace benchsuite
