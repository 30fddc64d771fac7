// The checksums of PNG chunks (CRC-32) and zlib streams (Adler-32).
#pragma once

#include <cstddef>
#include <cstdint>

namespace benchsuite {

uint32_t crc32(const uint8_t* data, size_t size);
uint32_t adler32(const uint8_t* data, size_t size);

}  // namespace benchsuite
