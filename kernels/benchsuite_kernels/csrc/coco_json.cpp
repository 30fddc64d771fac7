#include "coco_json.hpp"

#include <cmath>
#include <cstring>

#include "coco_record.hpp"

namespace benchsuite::coco {

std::vector<Records> read_results(std::string_view text, const Sharing& sharing) {
  json::Cursor cursor(text.data(), text.data() + text.size());
  cursor.expect('[');
  auto records = read_array(cursor, text.data(), FileKind::kResults, sharing);
  if (!cursor.at_end()) throw json::Doubt{};
  return records;
}

AnnotationFile read_annotations(std::string_view text, const Sharing& sharing) {
  json::Cursor cursor(text.data(), text.data() + text.size());
  AnnotationFile file{};
  bool seen = false;
  auto skip_into = [&](Span& span) {
    if (span[1]) throw json::Doubt{};
    cursor.peek();
    const char* start = cursor.at();
    cursor.skip();
    span = {start - text.data(), cursor.at() - start};
  };
  cursor.expect('{');
  if (!cursor.take('}')) {
    do {
      const std::string_view name = cursor.plain_string();
      cursor.expect(':');
      if (name == "annotations") {
        if (seen) throw json::Doubt{};
        seen = true;
        cursor.expect('[');
        file.annotations = read_array(cursor, text.data(), FileKind::kAnnotations, sharing);
      } else if (name == "images") {
        skip_into(file.images);
      } else if (name == "categories") {
        skip_into(file.categories);
      } else {
        cursor.skip();
      }
    } while (cursor.another('}'));
  }
  if (!seen || !cursor.at_end()) throw json::Doubt{};
  return file;
}

void gather(char* text, const Span* spans, int64_t count, int64_t* ends) {
  char* out = text;
  for (int64_t i = 0; i < count; ++i) {
    const char* at = text + spans[i][0];
    const char* const end = at + spans[i][1];
    while (at < end) {
      const auto* escape = static_cast<const char*>(std::memchr(at, '\\', end - at));
      const char* const stop = escape ? escape + 1 : end;
      std::memmove(out, at, stop - at);
      out += stop - at;
      at = escape ? stop + 1 : stop;
    }
    ends[i] = out - text;
  }
}

}  // namespace benchsuite::coco
