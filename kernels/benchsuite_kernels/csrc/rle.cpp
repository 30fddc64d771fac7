#include "rle.hpp"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <numeric>
#include <stdexcept>
#include <utility>

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

// Without a check a byte. Returns false where anything is wrong.
bool decompress_fast(std::string_view counts, std::vector<int64_t>& runs) {
  int strange = 0;
  for (const char letter : counts)
    strange |= static_cast<unsigned char>(static_cast<unsigned char>(letter) - 0x30) & 0xc0;
  // A number that goes on at the last letter would be read beyond it.
  if (strange || counts.empty() || static_cast<unsigned char>(counts.back()) >= 0x50) return false;

  runs.resize(counts.size());
  int64_t* const first = runs.data();
  int64_t* run = first;
  uint64_t one_before = 0, two_before = 0, all = 0;
  const auto* letter = reinterpret_cast<const unsigned char*>(counts.data());
  const auto* const last = letter + counts.size();
  while (letter < last) {
    // Most numbers are small, and one letter. The highest bit of the last is the sign.
    unsigned bits = *letter++;
    auto number = static_cast<uint64_t>(static_cast<int64_t>(bits & 0x1f) - 0x10);
    if (bits >= 0x50) {
      number = (bits ^ 0x10) & 0x1f;
      int shift = 5;
      for (; (bits = *letter++) >= 0x50; shift += 5) {
        if (shift == 5 * (kMostBytes - 1)) return false;
        number |= static_cast<uint64_t>((bits ^ 0x10) & 0x1f) << shift;
      }
      number += (static_cast<uint64_t>(bits & 0x1f) - 0x10) << shift;
    }
    if (run - first > 2) number += two_before;
    two_before = one_before;
    one_before = number;
    all |= number;
    *run++ = static_cast<int64_t>(number);
  }
  // Negative numbers are the largest of all.
  if (all > static_cast<uint64_t>(kLongestRun)) return false;
  runs.resize(run - first);
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

namespace {

// Pixels inside and pixels in all.
std::pair<int64_t, int64_t> measure(std::string_view counts) {
  const std::vector<int64_t> runs = decompress(counts);
  int64_t inside = 0, covered = 0;
  for (size_t run = 0; run < runs.size(); ++run) {
    covered += runs[run];
    if (run % 2) inside += runs[run];
  }
  return {inside, covered};
}

}  // namespace

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
