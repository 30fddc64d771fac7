#include "box_coding.hpp"

#include <algorithm>

#include "parallel.hpp"

namespace benchsuite {
namespace {

constexpr int64_t kRows = 1024;       // that a worker takes at a time
constexpr int64_t kStepsPerRow = 10;  // of about a nanosecond

// Calls work(row, box) for every row and its reference.
template <class Work>
void for_each_row(const ReferenceBoxes& references, int64_t rows, int threads, const Work& work) {
  const int64_t blocks = (rows + kRows - 1) / kRows;
  const int64_t grain = grain_of(blocks, rows * kStepsPerRow);
  for_each_item(blocks, grain, threads, [&](int64_t block, int) {
    const int64_t end = std::min((block + 1) * kRows, rows);
    int64_t row = block * kRows;
    while (row < end) {
      const int64_t run = row / references.repeat;
      const Corners& box = references.boxes[run % references.count];
      for (const int64_t stop = std::min(end, (run + 1) * references.repeat); row < stop; ++row)
        work(row, box);
    }
  });
}

}  // namespace

void decode_boxes(const BoxCoding& coding, const float* values, const ReferenceBoxes& references,
                  int64_t rows, Corners* boxes, int threads) {
  for_each_row(references, rows, threads, [&](int64_t row, const Corners& box) {
    boxes[row] = coded_box(coding, values + row * 4, box);
  });
}

void encode_boxes(const BoxCoding& coding, const Corners* targets,
                  const ReferenceBoxes& references, int64_t rows, float* values, int threads) {
  for_each_row(references, rows, threads, [&](int64_t row, const Corners& box) {
    box_values(coding, targets[row], box, values + row * 4);
  });
}

}  // namespace benchsuite
