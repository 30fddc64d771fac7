#include "png_filters.hpp"

#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <string>

#include "clones.hpp"
#include "words.hpp"

namespace benchsuite::png {
namespace {

// The rows of label maps are filtered to zeros almost everywhere, so that what is worth its code is
// to find stretches of zeros and to see what they stand for.

BENCHSUITE_CLONES
void add(uint8_t* BENCHSUITE_RESTRICT row, const uint8_t* BENCHSUITE_RESTRICT above, size_t bytes) {
  for (size_t i = 0; i < bytes; ++i) row[i] = static_cast<uint8_t>(row[i] + above[i]);
}

// Whether eight pixels are all zero.
template <size_t kStep>
bool zeros(const uint8_t* pixels) {
  uint64_t any = 0;
  for (size_t k = 0; k < kStep; ++k) any |= load_eight(pixels + 8 * k);
  return any == 0;
}

template <size_t kStep>
void add_left(uint8_t* row, size_t bytes) {
  uint8_t left[kStep] = {};
  for (size_t i = 0; i < bytes;) {
    if (i + 8 * kStep <= bytes && zeros<kStep>(row + i)) {
      for (size_t pixel = 0; pixel < 8; ++pixel, i += kStep) std::memcpy(row + i, left, kStep);
      continue;
    }
    for (size_t k = 0; k < kStep; ++k, ++i)
      row[i] = left[k] = static_cast<uint8_t>(row[i] + left[k]);
  }
}

template <size_t kStep>
void add_average(uint8_t* row, const uint8_t* above, size_t bytes) {
  uint8_t left[kStep] = {};
  for (size_t i = 0; i < bytes;)
    for (size_t k = 0; k < kStep; ++k, ++i)
      row[i] = left[k] = static_cast<uint8_t>(row[i] + ((left[k] + (above ? above[i] : 0)) >> 1));
}

uint8_t paeth(int left, int above, int corner) {
  const int to_left = std::abs(above - corner), to_above = std::abs(left - corner);
  const int to_corner = std::abs(left + above - 2 * corner);
  if (to_left <= to_above && to_left <= to_corner) return static_cast<uint8_t>(left);
  return static_cast<uint8_t>(to_above <= to_corner ? above : corner);
}

template <size_t kStep>
void add_paeth(uint8_t* row, const uint8_t* above, size_t bytes) {
  constexpr size_t kEight = 8 * kStep;
  for (size_t k = 0; k < kStep; ++k) row[k] = static_cast<uint8_t>(row[k] + above[k]);
  uint8_t left[kStep];
  for (size_t i = kStep; i < bytes;) {
    std::memcpy(left, row + i - kStep, kStep);
    if (i + kEight <= bytes && zeros<kStep>(row + i)) {
      // Where the pixel to the left equals the one above it, the next is predicted to equal the one
      // above; and so on while the row has zeros.
      if (std::memcmp(left, above + i - kStep, kStep) == 0) {
        do {
          std::memcpy(row + i, above + i, kEight);
          i += kEight;
        } while (i + kEight <= bytes && zeros<kStep>(row + i));
        continue;
      }
      // Where the row above does not change, it is predicted to equal the one to the left.
      if (std::memcmp(above + i, above + i - kStep, kEight) == 0) {
        for (size_t pixel = 0; pixel < 8; ++pixel, i += kStep) std::memcpy(row + i, left, kStep);
        continue;
      }
    }
    const size_t stop = i + kEight < bytes ? i + kEight : bytes;
    while (i < stop)
      for (size_t k = 0; k < kStep; ++k, ++i)
        row[i] = left[k] =
            static_cast<uint8_t>(row[i] + paeth(left[k], above[i], above[i - kStep]));
  }
}

template <size_t kStep>
void unfilter_pixels(uint8_t* data, size_t rows, size_t row_bytes) {
  const uint8_t* above = nullptr;
  for (size_t y = 0; y < rows; ++y, data += row_bytes + 1) {
    uint8_t* const row = data + 1;
    switch (data[0]) {
      case 0: break;
      case 1: add_left<kStep>(row, row_bytes); break;
      case 2:
        if (above) add(row, above, row_bytes);
        break;
      case 3: add_average<kStep>(row, above, row_bytes); break;
      case 4:
        // Above the first row there are zeros, which predict what is to the left.
        if (above)
          add_paeth<kStep>(row, above, row_bytes);
        else
          add_left<kStep>(row, row_bytes);
        break;
      default:
        throw std::invalid_argument("is a damaged PNG file: row " + std::to_string(y) + " has filter " +
                                    std::to_string(data[0]) + ", which there is none of");
    }
    above = row;
  }
}

}  // namespace

void unfilter(uint8_t* data, size_t rows, size_t row_bytes, size_t step) {
  switch (step) {
    case 1: return unfilter_pixels<1>(data, rows, row_bytes);
    case 2: return unfilter_pixels<2>(data, rows, row_bytes);
    case 3: return unfilter_pixels<3>(data, rows, row_bytes);
    case 4: return unfilter_pixels<4>(data, rows, row_bytes);
    default: throw std::invalid_argument("pixels of " + std::to_string(step) + " bytes");
  }
}

}  // namespace benchsuite::png
