#include "match_boxes.hpp"

#include <algorithm>
#include <limits>

#include "clones.hpp"
#include "parallel.hpp"

namespace benchsuite {
namespace {

constexpr int64_t kSpan = 512;
constexpr int64_t kPositive = 1;

// At most kSpan boxes side by side that are matched to the objects of the same images.
struct Span {
  int64_t begin, end;
  int64_t first_image, last_image;
  int64_t peaks;  // where the largest overlaps of its boxes with each of those objects are kept
};

// A span's boxes, an array a coordinate, and the box around them all.
struct Columns {
  float x1[kSpan], y1[kSpan], x2[kSpan], y2[kSpan], area[kSpan];
  float overlap[kSpan], best[kSpan];
  int32_t object[kSpan];
  float left, top, right, bottom;
  int64_t size;

  void take(const float* boxes, int64_t count) {
    size = count;
    left = top = std::numeric_limits<float>::infinity();
    right = bottom = -left;
    for (int64_t i = 0; i < count; ++i) {
      x1[i] = boxes[4 * i];
      y1[i] = boxes[4 * i + 1];
      x2[i] = boxes[4 * i + 2];
      y2[i] = boxes[4 * i + 3];
      area[i] = (x2[i] - x1[i]) * (y2[i] - y1[i]);
      left = std::min(left, x1[i]);
      top = std::min(top, y1[i]);
      right = std::max(right, x2[i]);
      bottom = std::max(bottom, y2[i]);
    }
  }

  // Whether an object may overlap any; one with NaN overlaps none.
  bool near(const float* object_box) const {
    return object_box[0] < right && left < object_box[2] && object_box[1] < bottom &&
           top < object_box[3];
  }
};

BENCHSUITE_CLONES
void overlaps_of(Columns& columns, const float* object) {
  const float left = object[0], top = object[1], right = object[2], bottom = object[3];
  const float own = (right - left) * (bottom - top);
  const int64_t size = columns.size;
  const float* BENCHSUITE_RESTRICT x1 = columns.x1;
  const float* BENCHSUITE_RESTRICT y1 = columns.y1;
  const float* BENCHSUITE_RESTRICT x2 = columns.x2;
  const float* BENCHSUITE_RESTRICT y2 = columns.y2;
  const float* BENCHSUITE_RESTRICT area = columns.area;
  float* BENCHSUITE_RESTRICT overlap = columns.overlap;
  for (int64_t i = 0; i < size; ++i) {
    const float ix1 = x1[i] < left ? left : x1[i];
    const float iy1 = y1[i] < top ? top : y1[i];
    const float ix2 = right < x2[i] ? right : x2[i];
    const float iy2 = bottom < y2[i] ? bottom : y2[i];
    const float width = 0.0f < ix2 - ix1 ? ix2 - ix1 : 0.0f;
    const float height = 0.0f < iy2 - iy1 ? iy2 - iy1 : 0.0f;
    const float common = width * height;
    const float both = own + area[i] - common;
    const float ratio = common / both;
    overlap[i] = 0.0f < common ? (0.0f < both ? ratio : 0.0f) : 0.0f;
  }
}

// The object becomes that of the boxes which it overlaps more than any before. Returns its largest
// overlap.
BENCHSUITE_CLONES
float keep_best(Columns& columns, int32_t object) {
  const int64_t size = columns.size;
  const float* BENCHSUITE_RESTRICT overlap = columns.overlap;
  float* BENCHSUITE_RESTRICT best = columns.best;
  int32_t* BENCHSUITE_RESTRICT matched = columns.object;
  for (int64_t i = 0; i < size; ++i) {
    const bool better = best[i] < overlap[i];
    best[i] = better ? overlap[i] : best[i];
    matched[i] = better ? object : matched[i];
  }
  constexpr int kLanes = 16;
  float lanes[kLanes] = {};
  int64_t i = 0;
  for (; i + kLanes <= size; i += kLanes)
    for (int lane = 0; lane < kLanes; ++lane)
      lanes[lane] = lanes[lane] < overlap[i + lane] ? overlap[i + lane] : lanes[lane];
  float peak = *std::max_element(lanes, lanes + kLanes);
  for (; i < size; ++i) peak = std::max(peak, overlap[i]);
  return peak;
}

std::vector<Span> spans_of(const BoxMatch& task) {
  std::vector<Span> spans;
  int64_t peaks = 0;
  for (int64_t begin = 0; begin < task.count;) {
    int64_t end = std::min(begin + kSpan, task.count);
    int64_t first = 0, last = task.images();
    if (task.image_index) {
      first = task.image_index[begin];
      last = first + 1;
      end = std::find_if(task.image_index + begin, task.image_index + end,
                         [first](int64_t image) { return image != first; }) -
            task.image_index;
    }
    spans.push_back({begin, end, first, last, peaks});
    peaks += task.starts[last] - task.starts[first];
    begin = end;
  }
  return spans;
}

// Where the results of a span's boxes in one image begin.
int64_t place_of(const BoxMatch& task, const Span& span, int64_t image) {
  return task.image_index ? span.begin : image * task.count + span.begin;
}

void match_span(const BoxMatch& task, const Span& span, Columns& columns, float* peaks) {
  columns.take(task.boxes + 4 * span.begin, span.end - span.begin);
  const size_t bounds = task.thresholds.size();
  for (int64_t image = span.first_image; image < span.last_image; ++image) {
    const int64_t first = task.starts[image], last = task.starts[image + 1];
    std::fill_n(columns.best, columns.size, 0.0f);
    std::fill_n(columns.object, columns.size, static_cast<int32_t>(first));
    for (int64_t object = first; object < last; ++object, ++peaks) {
      *peaks = 0;
      if (!columns.near(task.objects + 4 * object)) continue;
      overlaps_of(columns, task.objects + 4 * object);
      *peaks = keep_best(columns, static_cast<int32_t>(object));
    }
    const int64_t place = place_of(task, span, image);
    for (int64_t i = 0; i < columns.size; ++i) {
      size_t reached = 0;
      while (reached < bounds && task.thresholds[reached] <= columns.best[i]) ++reached;
      task.matched[place + i] = columns.object[i];
      task.label[place + i] = task.labels[reached];
    }
  }
}

// Labels those that overlap an object as much as any box does.
void label_nearest(const BoxMatch& task, const Span& span, Columns& columns, const float* peaks,
                   const std::vector<float>& most) {
  bool taken = false;
  for (int64_t image = span.first_image; image < span.last_image; ++image) {
    const int64_t place = place_of(task, span, image);
    for (int64_t object = task.starts[image]; object < task.starts[image + 1]; ++object, ++peaks) {
      if (*peaks == 0 || *peaks < most[object]) continue;
      if (!taken) columns.take(task.boxes + 4 * span.begin, span.end - span.begin);
      taken = true;
      overlaps_of(columns, task.objects + 4 * object);
      for (int64_t i = 0; i < columns.size; ++i)
        if (columns.overlap[i] == most[object]) task.label[place + i] = kPositive;
    }
  }
}

}  // namespace

void BoxMatch::run(int threads) const {
  const std::vector<Span> spans = spans_of(*this);
  const int64_t items = static_cast<int64_t>(spans.size());
  if (items == 0) return;
  const Span& end = spans.back();
  std::vector<float> peaks(end.peaks + starts[end.last_image] - starts[end.first_image]);
  std::vector<Columns> columns(std::max(threads, 1));
  const int64_t grain =
      grain_of(items, count * (8 + static_cast<int64_t>(peaks.size()) / items / 2));
  for_each_item(items, grain, threads, [&](int64_t item, int worker) {
    match_span(*this, spans[item], columns[worker], peaks.data() + spans[item].peaks);
  });
  if (!low_quality_matches) return;
  std::vector<float> most(starts.back());
  for (const Span& span : spans) {
    const float* peak = peaks.data() + span.peaks;
    for (int64_t object = starts[span.first_image]; object < starts[span.last_image]; ++object)
      most[object] = std::max(most[object], *peak++);
  }
  for_each_item(items, grain, threads, [&](int64_t item, int worker) {
    label_nearest(*this, spans[item], columns[worker], peaks.data() + spans[item].peaks, most);
  });
}

}  // namespace benchsuite
