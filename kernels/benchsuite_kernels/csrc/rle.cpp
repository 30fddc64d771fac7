#include "rle.hpp"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <numeric>
#include <stdexcept>
#include <utility>

#include "bits.hpp"

namespace benchsuite::rle {
namespace {

constexpr int kMostBytes = 7;
constexpr int64_t kLongestRun = int64_t{1} << 34;

void append(std::string& text, int64_t number) {
  for (bool more = true; more;) {
    int letter = static_cast<int>(number & 0x1f);
    number >>= 5;
    more = (letter & 0x10) ? number != -1 : number != 0;
    if (more) letter |= 0x20;
    text.push_back(static_cast<char>(letter + 48));
  }
}

std::invalid_argument bad_run(size_t run, const std::string& what) {
  return std::invalid_argument("run " + std::to_string(run) + " of the RLE is " + what);
}

// Columns in which two neighbouring rows differ, appended to `columns`; returns how many.
int64_t differences(const uint8_t* above, const uint8_t* below, int64_t width,
                    std::vector<int32_t>& columns) {
  const size_t before = columns.size();
  int64_t x = 0;
  for (; x + 8 <= width; x += 8) {
    uint64_t a, b;
    std::memcpy(&a, above + x, 8);
    std::memcpy(&b, below + x, 8);
    if (a == b) continue;
    for (int64_t i = x; i < x + 8; ++i)
      if (above[i] != below[i]) columns.push_back(static_cast<int32_t>(i));
  }
  for (; x < width; ++x)
    if (above[x] != below[x]) columns.push_back(static_cast<int32_t>(x));
  return static_cast<int64_t>(columns.size() - before);
}

}  // namespace

std::string Changes::compress(int64_t pixels) const {
  std::string text;
  text.reserve(at_.size() * 2 + 4);
  int64_t start = 0, one_before = 0, two_before = 0;
  size_t run = 0;
  auto close = [&](int64_t stop) {
    const int64_t length = stop - start;
    append(text, run > 2 ? length - two_before : length);
    two_before = one_before;
    one_before = length;
    start = stop;
    ++run;
  };
  for (const int64_t position : at_) close(position);
  if (start < pixels || run == 0) close(pixels);
  return text;
}

std::string encode(const uint8_t* mask, int64_t height, int64_t width) {
  // Rows lie together in memory, runs go down the columns: find the changes row by row, then
  // sort them by column, which keeps the rows in order.
  std::vector<int32_t> columns;
  std::vector<int64_t> row_start(height > 0 ? height + 1 : 1, 0);
  for (int64_t y = 1; y < height; ++y) {
    const uint8_t* row = mask + y * width;
    row_start[y + 1] = row_start[y] + differences(row - width, row, width, columns);
  }
  std::vector<int64_t> place(width + 1, 0);
  for (const int32_t x : columns) ++place[x + 1];
  std::partial_sum(place.begin(), place.end(), place.begin());
  std::vector<int32_t> rows(columns.size());
  std::vector<int64_t> cursor(place.begin(), place.end() - 1);
  for (int64_t y = 1; y < height; ++y)
    for (int64_t i = row_start[y]; i < row_start[y + 1]; ++i)
      rows[cursor[columns[i]]++] = static_cast<int32_t>(y);

  Changes changes;
  for (int64_t x = 0; x < width && height > 0; ++x) {
    if (mask[x]) changes.toggle(x * height);
    for (int64_t i = place[x]; i < place[x + 1]; ++i) changes.toggle(x * height + rows[i]);
    if (mask[(height - 1) * width + x]) changes.toggle((x + 1) * height);
  }
  return changes.compress(height * width);
}

namespace {

// Reads the runs one after the other.
class RunReader {
 public:
  explicit RunReader(std::string_view counts) : counts_(counts) {
    if (counts.empty()) throw std::invalid_argument("the RLE is empty");
  }

  bool next(int64_t& run) {
    if (at_ == counts_.size()) return false;
    int64_t number = 0;
    for (int byte = 0;; ++byte) {
      if (at_ == counts_.size()) throw std::invalid_argument("the RLE ends within a run");
      const int letter = static_cast<unsigned char>(counts_[at_]);
      if (letter < 0x30 || letter > 0x6f) throw bad_byte(letter);
      if (byte == kMostBytes) throw bad_run(place_, "longer than any image");
      ++at_;
      const int bits = letter - 48;
      number |= static_cast<int64_t>(bits & 0x1f) << (5 * byte);
      if (bits & 0x20) continue;
      if (bits & 0x10) number -= int64_t{1} << (5 * (byte + 1));
      break;
    }
    if (place_ > 2) number += two_before_;
    if (number < 0) throw bad_run(place_, "negative (" + std::to_string(number) + ")");
    if (number > kLongestRun) throw bad_run(place_, "longer than any image");
    ++place_;
    two_before_ = one_before_;
    one_before_ = run = number;
    return true;
  }

 private:
  std::invalid_argument bad_byte(int letter) const {
    char hex[8];
    std::snprintf(hex, sizeof hex, "0x%02x", letter);
    return std::invalid_argument("byte " + std::to_string(at_) + " of the RLE is " + hex +
                                 ", outside 0x30 to 0x6f");
  }

  std::string_view counts_;
  size_t at_ = 0, place_ = 0;
  int64_t one_before_ = 0, two_before_ = 0;
};

void check_cover(int64_t covered, int64_t height, int64_t width) {
  if (covered != height * width)
    throw std::invalid_argument("the runs of the RLE cover " + std::to_string(covered) +
                                " pixels, an image of " + std::to_string(height) + " x " +
                                std::to_string(width) + " has " + std::to_string(height * width));
}

// Pixels inside and pixels in all.
std::pair<int64_t, int64_t> measure(std::string_view counts) {
  RunReader reader(counts);
  int64_t inside = 0, covered = 0, run;
  for (int foreground = 0; reader.next(run); foreground ^= 1) {
    covered += run;
    if (foreground) inside += run;
  }
  return {inside, covered};
}

uint64_t load(const char* bytes) {
  uint64_t word;
  std::memcpy(&word, bytes, sizeof word);
  return word;
}

// As much of eight letters as there is.
uint64_t load_within(std::string_view letters, size_t start) {
  uint64_t word = 0;
  std::memcpy(&word, letters.data() + start, std::min(letters.size() - start, sizeof word));
  return word;
}

constexpr uint64_t kEveryByte = 0x0101010101010101;

// Bit i: byte i ends a number. The bytes are letters, of which those from 0x50 on say that more
// follows.
uint64_t ends_of(uint64_t letters) {
  const uint64_t ends = ~(letters + 0x30 * kEveryByte) & 0x80 * kEveryByte;
  return (ends >> 7) * 0x0102040810204080 >> 56;
}

// The number of the first `length` letters: five bits each, least significant first, the last of
// which is the sign.
int64_t number_of(uint64_t letters, int length) {
  uint64_t bits = letters ^ 0x10 * kEveryByte;
  if (length <= 3) {
    bits = (bits & 0x1f) | (bits >> 3 & 0x3e0) | (bits >> 6 & 0x7c00);
  } else {
    bits &= 0x1f * kEveryByte;
    bits = (bits & 0x001f001f001f001f) | (bits >> 3 & 0x03e003e003e003e0);
    bits = (bits & 0x000003ff000003ff) | (bits >> 6 & 0x000ffc00000ffc00);
    bits = (bits & 0x00000000000fffff) | (bits >> 12 & 0x000000fffff00000);
  }
  const int spare = 64 - 5 * length;  // bits of what follows, and above
  return static_cast<int64_t>(bits << spare) >> spare;
}

// Without a branch a byte, which RLEs would mislead the processor at: where the numbers end is found
// for 64 letters at a time. Returns false where anything is wrong.
bool decompress_fast(std::string_view counts, std::vector<int64_t>& runs) {
  constexpr size_t kBlock = 64;
  const size_t size = counts.size();
  int strange = 0;
  for (const char letter : counts)
    strange |= static_cast<unsigned char>(static_cast<unsigned char>(letter) - 0x30) & 0xc0;
  if (strange || size == 0 || !kLittleEndian) return false;

  runs.resize(size);
  uint64_t one_before = 0, two_before = 0, all = 0;
  size_t count = 0, start = 0;
  for (size_t block = 0; block < size; block += kBlock) {
    // Letters behind the last are none that end a number.
    char padded[kBlock + 8];
    const char* letters = counts.data() + block;
    const bool whole = block + kBlock + 8 <= size;
    if (!whole) {
      std::memset(padded, 0x6f, sizeof padded);
      std::memcpy(padded, letters, std::min(size - block, sizeof padded));
      letters = padded;
    }
    uint64_t ends = 0;
    for (size_t word = 0; word < kBlock / 8; ++word)
      ends |= ends_of(load(letters + 8 * word)) << 8 * word;
    for (; ends; ends &= ends - 1) {
      const size_t end = block + static_cast<size_t>(trailing_zeros(ends)) + 1;
      const auto length = static_cast<int>(end - start);
      if (length > kMostBytes) return false;
      // A number may begin in the block before.
      auto number = static_cast<uint64_t>(number_of(
          start >= block ? load(letters + (start - block)) : load_within(counts, start), length));
      if (count > 2) number += two_before;
      two_before = one_before;
      one_before = number;
      all |= number;
      runs[count++] = static_cast<int64_t>(number);
      start = end;
    }
  }
  if (start != size || all > static_cast<uint64_t>(kLongestRun)) return false;
  runs.resize(count);
  return true;
}

}  // namespace

void decompress(std::string_view counts, std::vector<int64_t>& runs) {
  if (decompress_fast(counts, runs)) return;
  RunReader reader(counts);
  runs.clear();
  runs.reserve(counts.size());
  for (int64_t run; reader.next(run);) runs.push_back(run);
}

std::vector<int64_t> decompress(std::string_view counts) {
  std::vector<int64_t> runs;
  decompress(counts, runs);
  return runs;
}

void runs_of_image(std::string_view counts, int64_t height, int64_t width,
                   std::vector<int64_t>& runs) {
  decompress(counts, runs);
  check_cover(std::accumulate(runs.begin(), runs.end(), int64_t{0}), height, width);
}

std::vector<int64_t> runs_of_image(std::string_view counts, int64_t height, int64_t width) {
  std::vector<int64_t> runs;
  runs_of_image(counts, height, width, runs);
  return runs;
}

int64_t area(std::string_view counts) { return measure(counts).first; }

int64_t validate(std::string_view counts, int64_t height, int64_t width) {
  const auto [inside, covered] = measure(counts);
  check_cover(covered, height, width);
  return inside;
}

std::string compress_runs(const int64_t* runs, int64_t count, int64_t height, int64_t width) {
  if (!count) throw std::invalid_argument("uncompressed counts are a non-empty list of integers");
  int64_t covered = 0;
  std::string text;
  for (int64_t i = 0; i < count; ++i) {
    if (runs[i] < 0) throw bad_run(i, "negative");
    if (runs[i] > kLongestRun) throw bad_run(i, "longer than any image");
    covered += runs[i];
    append(text, i > 2 ? runs[i] - runs[i - 2] : runs[i]);
  }
  check_cover(covered, height, width);
  return text;
}

Box to_box(std::string_view counts, int64_t height, int64_t width) {
  const std::vector<int64_t> runs = runs_of_image(counts, height, width);
  int64_t left = width, right = -1, top = height, bottom = -1, position = 0;
  for (size_t run = 0; run < runs.size(); ++run) {
    const int64_t start = position;
    position += runs[run];
    if (run % 2 == 0 || runs[run] == 0) continue;
    const int64_t first = start / height, last = (position - 1) / height;
    left = std::min(left, first);
    right = last;
    // A run over a column's end reaches the image's bottom, and its top in the next column.
    top = std::min(top, first == last ? start % height : 0);
    bottom = std::max(bottom, first == last ? (position - 1) % height : height - 1);
  }
  if (right < 0) return {0, 0, 0, 0};
  return {left, top, right - left + 1, bottom - top + 1};
}

void fill(const std::vector<int64_t>& runs, uint8_t* mask) {
  for (size_t run = 0; run < runs.size(); ++run) {
    std::memset(mask, run % 2 ? 1 : 0, static_cast<size_t>(runs[run]));
    mask += runs[run];
  }
}

}  // namespace benchsuite::rle
