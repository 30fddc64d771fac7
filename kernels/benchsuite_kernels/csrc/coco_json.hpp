// COCO's JSON files as columns: one pass over the bytes, no object a record.
//
// Two shapes of file are known: results, an array with one object a detection, and annotation
// files, an object with an array "annotations". Records may hold their fields in any order. What
// they may hold columns/coco_json.py describes; anything else is a json::Doubt.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "json_text.hpp"
#include "returned_memory.hpp"

namespace benchsuite::coco {

// One value a record. It grows by rows, and the rows that were passed over hold T{}.
template <class T>
class PerRecord {
 public:
  using value_type = T;
  void set(int64_t row, T value) {
    if (static_cast<int64_t>(values_.size()) < row) values_.resize(row);
    values_.push_back(value);
  }
  ReturnedVector<T>& values() { return values_; }

 private:
  ReturnedVector<T> values_;
};

template <class T>
struct Field {
  PerRecord<T> value;
  PerRecord<uint8_t> present;
  void set(int64_t row, T found) {
    value.set(row, found);
    present.set(row, 1);
  }
};

using Box = std::array<double, 4>;     // x, y, width, height
using Size = std::array<int64_t, 2>;   // height, width
using Span = std::array<int64_t, 2>;   // where a string starts in the file, and its bytes there

enum class Shape : uint8_t { kNone, kCounts, kRuns, kPolygons };

// The columns of records that follow one another. Lists are kept as the items of all records, one
// after the other, and how many each record has.
struct Records {
  int64_t count = 0;
  Field<int64_t> id, image_id, category_id, iscrowd, ignore, num_keypoints;
  Field<double> score, area;
  Field<Box> bbox;

  PerRecord<int32_t> keypoint_numbers;
  ReturnedVector<double> keypoints;

  PerRecord<Shape> shape;
  PerRecord<Size> size;                // of kCounts and kRuns
  PerRecord<Span> counts;              // of kCounts
  PerRecord<int32_t> run_numbers;      // of kRuns
  ReturnedVector<int64_t> runs;
  PerRecord<int32_t> polygon_numbers;  // of kPolygons
  ReturnedVector<int32_t> point_numbers;  // coordinates a polygon
  ReturnedVector<double> points;

  PerRecord<int32_t> extra_numbers;    // bytes
  ReturnedVector<char> extra;

  // Makes room for so many times what is there.
  void reserve(double times);
};

enum class FileKind { kResults, kAnnotations };

// How an array is shared among threads.
struct Sharing {
  int threads;
  int64_t smallest_part;  // bytes that are worth a part of its own
};

// Reads an array of records, the cursor being past its '['; leaves it past the ']'. The parts are
// in file order. `text` is where the file starts.
std::vector<Records> read_array(json::Cursor& cursor, const char* text, FileKind kind,
                                const Sharing& sharing);

std::vector<Records> read_results(std::string_view text, const Sharing& sharing);

struct AnnotationFile {
  std::vector<Records> annotations;
  Span images, categories;  // the text of these values; of no bytes where the file has none
};

AnnotationFile read_annotations(std::string_view text, const Sharing& sharing);

// Moves the strings of the spans together to the front of `text`, in order, each "\\" becoming one
// backslash; `ends[i]` is where string i ends then. The spans ascend and do not overlap.
void gather(char* text, const Span* spans, int64_t count, int64_t* ends);

}  // namespace benchsuite::coco
