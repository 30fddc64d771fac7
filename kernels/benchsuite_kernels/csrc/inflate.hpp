// Decompression of zlib streams whose size is known beforehand, as a PNG's is.
//
// RFC 1950 (zlib) and RFC 1951 (DEFLATE). Malformed streams are told from sound ones as zlib does,
// whatever they hold: nothing is read or written outside the given memory and its padding.
#pragma once

#include <cstddef>
#include <cstdint>

namespace benchsuite::zlib {

// Bytes behind the input that may be read (their values do not matter), and behind the output that
// may be written.
constexpr size_t kInputPadding = 24;
constexpr size_t kOutputPadding = 16;

// The most bytes that one byte of a stream can become: two bits make a match of 258.
constexpr uint64_t kLargestRatio = 1032;

// Decompresses a stream that must become exactly `output_size` bytes; what follows it is left alone.
// Throws std::invalid_argument with what is wrong.
void inflate(const uint8_t* input, size_t input_size, uint8_t* output, size_t output_size);

}  // namespace benchsuite::zlib
