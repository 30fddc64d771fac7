// COCO's run-length encoding; columns/rle_reference.py describes the format.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace benchsuite::rle {

struct Box {
  int64_t x, y, width, height;
};

// Where a mask, read column by column, changes between outside and inside; ascending positions.
class Changes {
 public:
  // Two changes at one place are none.
  void toggle(int64_t position) {
    if (!at_.empty() && at_.back() == position)
      at_.pop_back();
    else
      at_.push_back(position);
  }
  void clear() { at_.clear(); }
  const std::vector<int64_t>& positions() const { return at_; }
  // The compressed counts for an image of so many pixels.
  std::string compress(int64_t pixels) const;

 private:
  std::vector<int64_t> at_;
};

// `mask`: height x width bytes 0 or 1, row by row.
std::string encode(const uint8_t* mask, int64_t height, int64_t width);

// All of these throw std::invalid_argument on a malformed RLE.
std::vector<int64_t> decompress(std::string_view counts);
int64_t area(std::string_view counts);
int64_t validate(std::string_view counts, int64_t height, int64_t width);
Box to_box(std::string_view counts, int64_t height, int64_t width);
// The runs, checked against the image's size.
std::vector<int64_t> runs_of_image(std::string_view counts, int64_t height, int64_t width);
// The same two into memory that is there already.
void decompress(std::string_view counts, std::vector<int64_t>& runs);
void runs_of_image(std::string_view counts, int64_t height, int64_t width,
                   std::vector<int64_t>& runs);
// Run lengths, background first, as compressed counts; they must cover the image.
std::string compress_runs(const int64_t* runs, int64_t count, int64_t height, int64_t width);
// The union of masks of one image, of which there is at least one, or their intersection.
std::string merge(const std::vector<std::string>& masks, int64_t height, int64_t width,
                  bool intersect);
// `mask`: height x width bytes, column by column; all are written.
void fill(const std::vector<int64_t>& runs, uint8_t* mask);

}  // namespace benchsuite::rle
