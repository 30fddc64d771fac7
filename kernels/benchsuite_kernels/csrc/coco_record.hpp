// One record of a COCO file, read into the columns.
#pragma once

#include <string_view>
#include <vector>

#include "coco_json.hpp"

namespace benchsuite::coco {

class RecordReader {
 public:
  RecordReader(const char* text, FileKind kind, Records& records)
      : text_(text), kind_(kind), records_(records) {}

  // Reads the object that comes next.
  void read(json::Cursor& cursor);

 private:
  enum Name : int;

  static Name name_of(std::string_view name);
  bool kept_apart(Name name) const;
  void read_field(Name name, json::Cursor& cursor, int64_t row);
  void read_box(json::Cursor& cursor, int64_t row);
  void read_keypoints(json::Cursor& cursor, int64_t row);
  void read_polygons(json::Cursor& cursor, int64_t row);
  void read_rle(json::Cursor& cursor, int64_t row);
  void read_counts(json::Cursor& cursor, int64_t row);
  void read_extra(std::string_view name, json::Cursor& cursor);

  const char* text_;
  FileKind kind_;
  Records& records_;
  std::vector<std::string_view> extra_names_;  // of the record that is being read
};

}  // namespace benchsuite::coco
