// An array of records, cut where its records seem to begin and read in threads.
//
// A cut is a guess: what looks like the begin of a record may lie within a string or deeper in a
// record. It is right if the part before it, itself begun rightly, ends exactly there between two
// records. The first part begins at the array's first record, so all parts of an unbroken chain are
// right; from where it breaks the array is read on until the end of a record meets a cut again.
#include <algorithm>
#include <cstring>

#include "coco_json.hpp"
#include "coco_record.hpp"
#include "parallel.hpp"

namespace benchsuite::coco {
namespace {

using json::Cursor;

constexpr int kPartsPerThread = 4;

struct Part {
  const char* begin;  // the '{' of a record
  const char* end;    // where reading stopped: the '{' of the next record, or past the array's ']'
  bool array_ended;
  bool failed;
  Records records;
};

// Records after which a part says how much room it will need.
constexpr int64_t kSample = 64;

// Reads records from `part.begin` on, until one begins at `stop` or later or the array ends.
void read_part(Part& part, const char* stop, const char* text, const char* text_end,
               FileKind kind) {
  Cursor cursor(part.begin, text_end);
  RecordReader reader(text, kind, part.records);
  do {
    cursor.peek();
    if (cursor.at() >= stop) break;
    reader.read(cursor);
    if (part.records.count == kSample)
      part.records.reserve(1.1 * static_cast<double>(stop - part.begin) /
                           static_cast<double>(cursor.at() - part.begin));
    part.array_ended = !cursor.another(']');
  } while (!part.array_ended);
  part.end = cursor.at();
}

// The first "}, {" from `from` on: its '{', or null.
const char* next_cut(const char* from, const char* text_end) {
  while (from < text_end) {
    const auto* brace = static_cast<const char*>(std::memchr(from, '}', text_end - from));
    if (!brace) return nullptr;
    Cursor cursor(brace + 1, text_end);
    if (cursor.take(',') && cursor.peek() == '{') return cursor.at();
    from = brace + 1;
  }
  return nullptr;
}

std::vector<Part> cut(const char* begin, const char* text_end, const Sharing& sharing) {
  std::vector<Part> parts;
  parts.push_back({begin, nullptr, false, false, {}});
  const int64_t bytes = text_end - begin;
  const int64_t most = sharing.threads > 1 ? int64_t{sharing.threads} * kPartsPerThread : 1;
  const int64_t wanted = std::min(most, bytes / sharing.smallest_part);
  for (int64_t i = 1; i < wanted; ++i) {
    const char* at = next_cut(std::max(begin + bytes / wanted * i, parts.back().begin), text_end);
    if (!at) break;
    if (at > parts.back().begin) parts.push_back({at, nullptr, false, false, {}});
  }
  return parts;
}

}  // namespace

void Records::reserve(double times) {
  const auto grow = [times](auto& values) {
    values.reserve(static_cast<size_t>(times * static_cast<double>(values.size())));
  };
  const auto grow_field = [&](auto& field) {
    grow(field.value.values());
    grow(field.present.values());
  };
  grow_field(id);
  grow_field(image_id);
  grow_field(category_id);
  grow_field(iscrowd);
  grow_field(ignore);
  grow_field(num_keypoints);
  grow_field(score);
  grow_field(area);
  grow_field(bbox);
  grow(keypoint_numbers.values());
  grow(keypoints);
  grow(shape.values());
  grow(size.values());
  grow(counts.values());
  grow(run_numbers.values());
  grow(runs);
  grow(polygon_numbers.values());
  grow(point_numbers);
  grow(points);
  grow(extra_numbers.values());
  grow(extra);
}

std::vector<Records> read_array(Cursor& cursor, const char* text, FileKind kind,
                                const Sharing& sharing) {
  std::vector<Records> chain;
  if (cursor.take(']')) return chain;
  cursor.peek();
  const char* const text_end = cursor.end();
  std::vector<Part> parts = cut(cursor.at(), text_end, sharing);
  const int64_t count = static_cast<int64_t>(parts.size());
  auto stop_of = [&](int64_t part) {
    return part + 1 < count ? parts[part + 1].begin : text_end;
  };
  for_each_item(count, 1, sharing.threads, [&](int64_t place, int) {
    try {
      read_part(parts[place], stop_of(place), text, text_end, kind);
    } catch (const json::Doubt&) {
      parts[place].failed = true;
    }
  });
  const char* at = parts[0].begin;
  for (int64_t place = 0;;) {
    Part reread{at, nullptr, false, false, {}};
    const bool chained = place < count && parts[place].begin == at;
    Part& part = chained ? parts[place] : reread;
    if (!chained) read_part(part, place < count ? parts[place].begin : text_end, text, text_end, kind);
    if (part.failed) throw json::Doubt{};
    chain.push_back(std::move(part.records));
    at = part.end;
    if (part.array_ended) break;
    while (place < count && parts[place].begin < at) ++place;
    if (at >= text_end) throw json::Doubt{};
  }
  cursor.move_to(at);
  return chain;
}

}  // namespace benchsuite::coco
