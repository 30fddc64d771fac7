#include "coco_record.hpp"

#include <cmath>

namespace benchsuite::coco {

using json::Cursor;
using json::Doubt;

enum RecordReader::Name : int {
  kImageId,
  kCategoryId,
  kScore,
  kBbox,
  kSegmentation,
  kKeypoints,
  kId,  // from here on of annotations alone
  kArea,
  kIscrowd,
  kIgnore,
  kNumKeypoints,
  kOther,
};

namespace {

constexpr size_t kMostExtraFields = 100;

double finite(Cursor& cursor) {
  const double value = cursor.number().value;
  if (!std::isfinite(value)) throw Doubt{};
  return value;
}

int64_t flag(Cursor& cursor) {
  if (cursor.take_word("true")) return 1;
  if (cursor.take_word("false")) return 0;
  return cursor.integer();
}

// The items of an array, the cursor being past its '[': how many there are.
template <class Item>
int32_t items(Cursor& cursor, const Item& item) {
  int32_t count = 0;
  if (cursor.take(']')) return 0;
  do {
    item();
    if (++count == INT32_MAX) throw Doubt{};
  } while (cursor.another(']'));
  return count;
}

}  // namespace

RecordReader::Name RecordReader::name_of(std::string_view name) {
  switch (name.size()) {
    case 2: return name == "id" ? kId : kOther;
    case 4: return name == "bbox" ? kBbox : name == "area" ? kArea : kOther;
    case 5: return name == "score" ? kScore : kOther;
    case 6: return name == "ignore" ? kIgnore : kOther;
    case 7: return name == "iscrowd" ? kIscrowd : kOther;
    case 8: return name == "image_id" ? kImageId : kOther;
    case 9: return name == "keypoints" ? kKeypoints : kOther;
    case 11: return name == "category_id" ? kCategoryId : kOther;
    case 12: return name == "segmentation" ? kSegmentation : kOther;
    case 13: return name == "num_keypoints" ? kNumKeypoints : kOther;
    default: return kOther;
  }
}

bool RecordReader::kept_apart(Name name) const {
  if (kind_ == FileKind::kResults) return name < kId;
  return name != kScore && name != kOther;
}

void RecordReader::read(Cursor& cursor) {
  const int64_t row = records_.count++;
  const size_t extra_before = records_.extra.size();
  unsigned seen = 0;
  extra_names_.clear();
  cursor.expect('{');
  if (!cursor.take('}')) {
    do {
      const std::string_view text = cursor.plain_string();
      cursor.expect(':');
      const Name name = name_of(text);
      if (kept_apart(name)) {
        // Of a name that comes twice json keeps the last value.
        if (seen >> name & 1) throw Doubt{};
        seen |= 1u << name;
        read_field(name, cursor, row);
      } else if (kind_ == FileKind::kResults) {
        read_extra(text, cursor);
      } else {
        cursor.skip();
      }
    } while (cursor.another('}'));
  }
  if (const size_t bytes = records_.extra.size() - extra_before) {
    records_.extra.push_back('}');
    if (bytes >= INT32_MAX) throw Doubt{};
    records_.extra_numbers.set(row, static_cast<int32_t>(bytes + 1));
  }
}

void RecordReader::read_field(Name name, Cursor& cursor, int64_t row) {
  if (cursor.peek() == 'n' && cursor.take_word("null")) return;
  switch (name) {
    case kImageId: return records_.image_id.set(row, cursor.integer());
    case kCategoryId: return records_.category_id.set(row, cursor.integer());
    case kScore: return records_.score.set(row, cursor.number().value);
    case kBbox: return read_box(cursor, row);
    case kKeypoints: return read_keypoints(cursor, row);
    case kId: return records_.id.set(row, cursor.integer());
    case kArea: return records_.area.set(row, finite(cursor));
    case kIscrowd: return records_.iscrowd.set(row, flag(cursor));
    case kIgnore: return records_.ignore.set(row, flag(cursor));
    case kNumKeypoints: return records_.num_keypoints.set(row, cursor.integer());
    case kSegmentation:
      return cursor.peek() == '{' ? read_rle(cursor, row) : read_polygons(cursor, row);
    case kOther: break;
  }
}

void RecordReader::read_box(Cursor& cursor, int64_t row) {
  cursor.expect('[');
  if (cursor.take(']')) return;
  Box box;
  for (int i = 0; i < 4; ++i) {
    box[i] = finite(cursor);
    if (cursor.another(']') != (i < 3)) throw Doubt{};
  }
  records_.bbox.set(row, box);
}

void RecordReader::read_keypoints(Cursor& cursor, int64_t row) {
  cursor.expect('[');
  const int32_t count = items(cursor, [&] { records_.keypoints.push_back(finite(cursor)); });
  if (count) records_.keypoint_numbers.set(row, count);
}

void RecordReader::read_polygons(Cursor& cursor, int64_t row) {
  cursor.expect('[');
  const int32_t polygons = items(cursor, [&] {
    cursor.expect('[');
    records_.point_numbers.push_back(
        items(cursor, [&] { records_.points.push_back(finite(cursor)); }));
  });
  if (!polygons) return;
  records_.shape.set(row, Shape::kPolygons);
  records_.polygon_numbers.set(row, polygons);
}

void RecordReader::read_rle(Cursor& cursor, int64_t row) {
  bool has_size = false, has_counts = false;
  cursor.expect('{');
  if (cursor.take('}')) throw Doubt{};
  do {
    const std::string_view name = cursor.plain_string();
    cursor.expect(':');
    if (name == "size") {
      if (has_size) throw Doubt{};
      has_size = true;
      Size size;
      cursor.expect('[');
      for (int i = 0; i < 2; ++i) {
        size[i] = cursor.integer();
        if (cursor.another(']') != (i < 1)) throw Doubt{};
      }
      records_.size.set(row, size);
    } else if (name == "counts") {
      if (has_counts) throw Doubt{};
      has_counts = true;
      read_counts(cursor, row);
    } else {
      cursor.skip();
    }
  } while (cursor.another('}'));
  if (!has_size || !has_counts) throw Doubt{};
}

void RecordReader::read_counts(Cursor& cursor, int64_t row) {
  if (cursor.take('[')) {
    records_.shape.set(row, Shape::kRuns);
    records_.run_numbers.set(
        row, items(cursor, [&] { records_.runs.push_back(cursor.integer()); }));
    return;
  }
  bool escaped = false;
  const std::string_view text = cursor.string(escaped);
  // Counts are ASCII, of which a file must escape the backslash and may escape anything.
  for (size_t at = 0; escaped && at < text.size(); ++at)
    if (text[at] == '\\' && text[++at] != '\\') throw Doubt{};
  for (const char letter : text)
    if (static_cast<unsigned char>(letter) >= 0x80) throw Doubt{};
  records_.shape.set(row, Shape::kCounts);
  records_.counts.set(row, {text.data() - text_, static_cast<int64_t>(text.size())});
}

void RecordReader::read_extra(std::string_view name, Cursor& cursor) {
  for (const std::string_view other : extra_names_)
    if (other == name) throw Doubt{};
  if (extra_names_.size() == kMostExtraFields) throw Doubt{};
  auto& extra = records_.extra;
  auto append = [&extra](std::string_view text) { extra.insert(extra.end(), text.begin(), text.end()); };
  append(extra_names_.empty() ? "{\"" : ", \"");
  extra_names_.push_back(name);
  append(name);
  append("\": ");
  cursor.peek();
  const char* const start = cursor.at();
  cursor.skip();
  append({start, static_cast<size_t>(cursor.at() - start)});
}

}  // namespace benchsuite::coco
