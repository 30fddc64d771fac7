// The filters that PNG puts over rows before it compresses them (PNG specification, section 9).
#pragma once

#include <cstddef>
#include <cstdint>

namespace benchsuite::png {

// Takes the filters off `rows` rows, in place. Each is a filter's number and `row_bytes` bytes.
// `step`: bytes of a pixel, 1 to 4, of which a row has a whole number.
// Throws std::invalid_argument for a filter that there is none of.
void unfilter(uint8_t* data, size_t rows, size_t row_bytes, size_t step);

}  // namespace benchsuite::png
