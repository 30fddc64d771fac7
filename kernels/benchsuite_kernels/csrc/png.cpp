#include "png.hpp"

#include <algorithm>
#include <cstring>
#include <stdexcept>
#include <string>

#include "checksums.hpp"
#include "inflate.hpp"
#include "png_filters.hpp"

namespace benchsuite::png {
namespace {

constexpr uint8_t kSignature[8] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
constexpr int64_t kMostPixels = int64_t{1} << 28;

std::invalid_argument bad(const std::string& what) { return std::invalid_argument(what); }

uint32_t big_endian(const uint8_t* bytes) {
  return uint32_t{bytes[0]} << 24 | uint32_t{bytes[1]} << 16 | uint32_t{bytes[2]} << 8 |
         uint32_t{bytes[3]};
}

struct Chunk {
  const uint8_t* type;
  const uint8_t* data;
  size_t size;

  bool is(const char* name) const { return std::memcmp(type, name, 4) == 0; }
};

// The chunk at `at`, which goes to the one after it.
Chunk next_chunk(const uint8_t* data, size_t size, size_t& at) {
  if (size - at < 12) throw bad("is a PNG file that is cut off");
  const size_t bytes = big_endian(data + at);
  const Chunk chunk{data + at + 4, data + at + 8, bytes};
  if (bytes > size - at - 12) throw bad("is a PNG file that is cut off");
  if (crc32(chunk.type, bytes + 4) != big_endian(chunk.data + bytes))
    throw bad("is a damaged PNG file: the checksum of a chunk is wrong");
  at += bytes + 12;
  return chunk;
}

int samples(const Header& header) {
  switch (header.colour_type) {
    case 2: return 3;
    case 6: return 4;
    default: return 1;
  }
}

size_t row_bytes(const Header& header, int64_t width) {
  return (static_cast<size_t>(width) * static_cast<size_t>(samples(header) * header.bits) + 7) / 8;
}

// Where the pixels of an interlaced image's seven passes are (section 8.2).
struct Pass {
  int64_t x, y, dx, dy;

  int64_t columns(const Header& header) const { return (header.width - x + dx - 1) / dx; }
  int64_t rows(const Header& header) const { return (header.height - y + dy - 1) / dy; }
};

constexpr Pass kPasses[7] = {{0, 0, 8, 8}, {4, 0, 8, 8}, {0, 4, 4, 8}, {2, 0, 4, 4},
                             {0, 2, 2, 4}, {1, 0, 2, 2}, {0, 1, 1, 2}};

// The distance between corresponding bytes of neighbouring pixels, as filters count it.
size_t filter_step(const Header& header) {
  return std::max<size_t>(1, static_cast<size_t>(samples(header) * header.bits) / 8);
}

int pixel_bytes(const Header& header) {
  return header.form() == Form::kColour ? 3 : header.bits == 16 ? 2 : 1;
}

// One row's pixels in the bytes that Pixels has of each, `stride` bytes from one to the next.
void spread(const Header& header, const uint8_t* row, int64_t width, uint8_t* to, size_t stride) {
  const int bytes = pixel_bytes(header);
  if (header.bits < 8) {
    const int mask = (1 << header.bits) - 1;
    const int scale = header.colour_type == 3 || header.bits == 1 ? 1 : 255 / mask;
    for (int64_t x = 0; x < width; ++x, to += stride) {
      const int64_t bit = x * header.bits;
      *to = static_cast<uint8_t>((row[bit / 8] >> (8 - header.bits - bit % 8) & mask) * scale);
    }
    return;
  }
  const int step = samples(header) * header.bits / 8;
  for (int64_t x = 0; x < width; ++x, row += step, to += stride)
    for (int byte = 0; byte < bytes; ++byte) to[byte] = row[byte];
}

void check_form(const Header& header, Form form) {
  if (form == Form::kColour && header.form() == Form::kGrey)
    throw bad("is a PNG without colours; a map of segments has their numbers as R + 256 G + 65536 B");
  if (form == Form::kColour && header.bits != 8)
    throw bad("is a PNG of 16 bits a colour; a map of segments has 8");
  if (form == Form::kGrey && header.form() == Form::kColour)
    throw bad("is a PNG in colour; a map of labels is grey or has a palette");
  if (header.colour_type == 4)
    throw bad("is a PNG with transparency, which a map of labels has none of");
}

}  // namespace

Header read_header(const uint8_t* data, size_t size) {
  if (size < 8 || std::memcmp(data, kSignature, 8) != 0) throw bad("is no PNG file");
  size_t at = 8;
  const Chunk chunk = next_chunk(data, size, at);
  if (!chunk.is("IHDR") || chunk.size != 13) throw bad("is no PNG file: it does not begin as one");
  const int64_t width = big_endian(chunk.data), height = big_endian(chunk.data + 4);
  const int bits = chunk.data[8], colour_type = chunk.data[9];
  const bool known = (colour_type == 0 && (bits == 1 || bits == 2 || bits == 4)) ||
                     (colour_type == 3 && (bits == 1 || bits == 2 || bits == 4 || bits == 8)) ||
                     ((colour_type == 0 || colour_type == 2 || colour_type == 4 ||
                       colour_type == 6) && (bits == 8 || bits == 16));
  if (!known || chunk.data[10] != 0 || chunk.data[11] != 0 || chunk.data[12] > 1)
    throw bad("is a PNG file whose header says what no PNG can be");
  if (width < 1 || height < 1 || width > INT32_MAX || height > INT32_MAX ||
      width * height > kMostPixels)
    throw bad("is of " + std::to_string(width) + " x " + std::to_string(height) +
              " pixels, which no map has");
  return {width, height, bits, colour_type, chunk.data[12] == 1};
}

Pixels Reader::read(const uint8_t* data, size_t size, Form form) {
  const Header header = read_header(data, size);
  check_form(header, form);
  gather(data, size);
  return header.interlaced ? interlaced(header) : straight(header);
}

// Puts the compressed data in one place, with the padding that decompression needs.
void Reader::gather(const uint8_t* data, size_t size) {
  compressed_.clear();
  bool found = false;
  for (size_t at = kHeaderBytes; at < size;) {
    const Chunk chunk = next_chunk(data, size, at);
    if (chunk.is("IDAT")) {
      compressed_.insert(compressed_.end(), chunk.data, chunk.data + chunk.size);
      found = true;
    } else if (found || chunk.is("IEND")) {
      break;
    } else if (!(chunk.type[0] & 0x20) && !chunk.is("PLTE")) {
      throw bad("is a PNG file with a chunk that is not known and not optional");
    }
  }
  if (!found) throw bad("is a PNG file without pixels");
  compressed_.resize(compressed_.size() + zlib::kInputPadding);
}

void Reader::inflate(size_t bytes) {
  const size_t size = compressed_.size() - zlib::kInputPadding;
  // A small file must not take much memory.
  if (bytes > zlib::kLargestRatio * size)
    throw bad("is a damaged PNG file: it is too small for its number of pixels");
  if (raw_.size() < bytes + zlib::kOutputPadding) raw_.resize(bytes + zlib::kOutputPadding);
  try {
    zlib::inflate(compressed_.data(), size, raw_.data(), bytes);
  } catch (const std::invalid_argument& error) {
    throw bad(std::string("is a damaged PNG file: ") + error.what());
  }
}

Pixels Reader::straight(const Header& header) {
  const size_t row = row_bytes(header, header.width), rows = static_cast<size_t>(header.height);
  inflate(rows * (row + 1));
  unfilter(raw_.data(), rows, row, filter_step(header));
  const int bytes = pixel_bytes(header);
  if (header.bits >= 8 && header.colour_type != 6)
    return {header.width, header.height, bytes, row + 1, raw_.data() + 1};
  const size_t stride = static_cast<size_t>(header.width) * static_cast<size_t>(bytes);
  if (pixels_.size() < rows * stride) pixels_.resize(rows * stride);
  for (size_t y = 0; y < rows; ++y)
    spread(header, raw_.data() + y * (row + 1) + 1, header.width, pixels_.data() + y * stride,
           static_cast<size_t>(bytes));
  return {header.width, header.height, bytes, stride, pixels_.data()};
}

Pixels Reader::interlaced(const Header& header) {
  size_t total = 0;
  for (const Pass& pass : kPasses)
    if (pass.columns(header) > 0 && pass.rows(header) > 0)
      total += static_cast<size_t>(pass.rows(header)) * (row_bytes(header, pass.columns(header)) + 1);
  inflate(total);
  const auto bytes = static_cast<size_t>(pixel_bytes(header));
  const size_t stride = static_cast<size_t>(header.width) * bytes;
  const size_t size = static_cast<size_t>(header.height) * stride;
  if (pixels_.size() < size) pixels_.resize(size);
  uint8_t* data = raw_.data();
  for (const Pass& pass : kPasses) {
    const int64_t columns = pass.columns(header), rows = pass.rows(header);
    if (columns <= 0 || rows <= 0) continue;
    const size_t row = row_bytes(header, columns);
    unfilter(data, static_cast<size_t>(rows), row, filter_step(header));
    for (int64_t y = 0; y < rows; ++y, data += row + 1)
      spread(header, data + 1, columns,
             pixels_.data() + static_cast<size_t>(pass.y + y * pass.dy) * stride +
                 static_cast<size_t>(pass.x) * bytes,
             static_cast<size_t>(pass.dx) * bytes);
  }
  return {header.width, header.height, static_cast<int>(bytes), stride, pixels_.data()};
}

}  // namespace benchsuite::png
