// Label maps as PNG: one number a pixel, grey, as an index into a palette, or in three colours.
//
// PNG specification, third edition (W3C, 2025). Checked are the checksums of what is read, that all
// rows are there, and that nothing is allocated which the file's size could not fill.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace benchsuite::png {

enum class Form : int { kGrey = 0, kColour = 1 };

struct Header {
  int64_t width, height;
  int bits;        // a sample
  int colour_type;  // 0 grey, 2 RGB, 3 palette, 4 grey and alpha, 6 RGB and alpha
  bool interlaced;

  Form form() const { return colour_type == 2 || colour_type == 6 ? Form::kColour : Form::kGrey; }
};

// The numbers of a map: rows of pixels of one byte, of two (the high one first) or of three (the
// low one first). The memory belongs to a Reader.
struct Pixels {
  int64_t width, height;
  int bytes;     // a pixel
  size_t stride;  // bytes from row to row
  const uint8_t* data;

  const uint8_t* row(int64_t y) const { return data + static_cast<size_t>(y) * stride; }
};

inline uint32_t number(const uint8_t* pixel, int bytes) {
  if (bytes == 1) return pixel[0];
  if (bytes == 2) return uint32_t{pixel[0]} << 8 | pixel[1];
  return pixel[0] | uint32_t{pixel[1]} << 8 | uint32_t{pixel[2]} << 16;
}

// The header alone: `size` may be less than the file's. Throws std::invalid_argument.
Header read_header(const uint8_t* data, size_t size);
constexpr size_t kHeaderBytes = 33;

// Reads maps one after the other, and keeps the memory that it needs for that.
class Reader {
 public:
  // Grey samples of 8 and 16 bits and palette indices are the numbers; grey ones of fewer bits are
  // spread over 0 to 255 (of 1 bit: stay 0 and 1). In colour red is the lowest byte and alpha does
  // not count. Throws std::invalid_argument, also for a map of another form.
  // What is returned holds until the next call.
  Pixels read(const uint8_t* data, size_t size, Form form);

 private:
  void gather(const uint8_t* data, size_t size);
  void inflate(size_t bytes);
  Pixels straight(const Header& header);
  Pixels interlaced(const Header& header);

  std::vector<uint8_t> compressed_, raw_, pixels_;
};

}  // namespace benchsuite::png
