#include "deform_columns.hpp"

#include <algorithm>
#include <cmath>

#include "clones.hpp"
#include "exp_log.hpp"
#include "parallel.hpp"

namespace benchsuite {
namespace {

// Where a kernel's point reads: four pixels, -1 where one lies outside, and how far from the first.
struct Corners {
  int64_t pixel[4];  // (y, x), (y, x + 1), (y + 1, x), (y + 1, x + 1)
  float y, x, mask;

  bool inside() const {
    return pixel[0] >= 0 || pixel[1] >= 0 || pixel[2] >= 0 || pixel[3] >= 0;
  }
  float weight(int corner) const {
    return (corner & 2 ? y : 1.0f - y) * (corner & 1 ? x : 1.0f - x) * mask;
  }
};

// Channels side by side that have the same offsets and belong to the same group of weights.
struct Segment {
  int64_t begin, size, group, place;  // place: the first's among its group's
};

// One row: a point of the output.
class Row {
 public:
  Row(const DeformColumns& task, int64_t row) : task_(task) {
    const int64_t plane = task.out_height * task.out_width;
    image_ = row / plane;
    place_ = row % plane;
    y_ = place_ / task.out_width * task.stride_y - task.padding_y;
    x_ = place_ % task.out_width * task.stride_x - task.padding_x;
  }

  int64_t offset_place(int64_t offset_group, int64_t point) const {
    const int64_t plane = task_.out_height * task_.out_width;
    return ((image_ * task_.offset_groups + offset_group) * task_.points() + point) * 2 * plane +
           place_;
  }
  int64_t mask_place(int64_t offset_group, int64_t point) const {
    const int64_t plane = task_.out_height * task_.out_width;
    return ((image_ * task_.offset_groups + offset_group) * task_.points() + point) * plane +
           place_;
  }

  Corners corners(int64_t offset_group, int64_t point) const {
    const float* offset = task_.offset + offset_place(offset_group, point);
    const int64_t plane = task_.out_height * task_.out_width;
    const float y = static_cast<float>(y_ + point / task_.kernel_width * task_.dilation_y) + offset[0];
    const float x =
        static_cast<float>(x_ + point % task_.kernel_width * task_.dilation_x) + offset[plane];
    Corners corners{{-1, -1, -1, -1}, 0, 0, 1};
    // Neither NaN nor what no integer holds gets beyond this.
    if (!(y > -1.0f && x > -1.0f && y < static_cast<float>(task_.height) &&
          x < static_cast<float>(task_.width)))
      return corners;
    const float top = std::floor(y), left = std::floor(x);
    corners.y = y - top;
    corners.x = x - left;
    if (task_.mask) corners.mask = task_.mask[mask_place(offset_group, point)];
    const int64_t row = static_cast<int64_t>(top), column = static_cast<int64_t>(left);
    for (int corner = 0; corner < 4; ++corner) {
      const int64_t at_y = row + corner / 2, at_x = column + corner % 2;
      if (at_y >= 0 && at_y < task_.height && at_x >= 0 && at_x < task_.width)
        corners.pixel[corner] = (image_ * task_.height + at_y) * task_.width + at_x;
    }
    return corners;
  }

 private:
  const DeformColumns& task_;
  int64_t image_, place_, y_, x_;
};

std::vector<std::vector<Segment>> segments_of(const DeformColumns& task) {
  const int64_t in_group = task.channels / task.groups;
  const int64_t in_offset_group = task.channels / task.offset_groups;
  std::vector<std::vector<Segment>> segments(task.offset_groups);
  for (int64_t begin = 0; begin < task.channels;) {
    const int64_t group = begin / in_group, offset_group = begin / in_offset_group;
    const int64_t end = std::min((group + 1) * in_group, (offset_group + 1) * in_offset_group);
    segments[offset_group].push_back({begin, end - begin, group, begin - group * in_group});
    begin = end;
  }
  return segments;
}

// Rows that are worked on together, and where their columns lie.
struct Rows {
  const DeformColumns& task;
  int64_t begin, end;

  int64_t count() const { return end - begin; }
  int64_t column(const Segment& segment, int64_t row, int64_t point) const {
    return ((segment.group * count() + row - begin) * task.points() + point) *
               (task.channels / task.groups) +
           segment.place;
  }
};

BENCHSUITE_INLINE void interpolate(float* BENCHSUITE_RESTRICT column,
                                   const float* BENCHSUITE_RESTRICT a,
                                   const float* BENCHSUITE_RESTRICT b,
                                   const float* BENCHSUITE_RESTRICT c,
                                   const float* BENCHSUITE_RESTRICT d, const Corners& corners,
                                   int64_t size) {
  const float wa = corners.weight(0), wb = corners.weight(1);
  const float wc = corners.weight(2), wd = corners.weight(3);
  for (int64_t i = 0; i < size; ++i)
    column[i] = wa * a[i] + wb * b[i] + wc * c[i] + wd * d[i];
}

// `zeros`: as many as there are channels; read where a corner lies outside.
BENCHSUITE_CLONES
void fill_row(const Rows& rows, const std::vector<std::vector<Segment>>& segments,
              const float* zeros, int64_t row, float* columns) {
  const DeformColumns& task = rows.task;
  const Row at(task, row);
  for (int64_t offset_group = 0; offset_group < task.offset_groups; ++offset_group)
    for (int64_t point = 0; point < task.points(); ++point) {
      const Corners corners = at.corners(offset_group, point);
      const bool inside = corners.inside();
      const float* pixel[4];
      for (int corner = 0; corner < 4; ++corner)
        pixel[corner] = corners.pixel[corner] < 0
                            ? zeros
                            : task.input + corners.pixel[corner] * task.channels;
      for (const Segment& segment : segments[offset_group]) {
        float* column = columns + rows.column(segment, row, point);
        if (inside)
          interpolate(column, pixel[0] + segment.begin, pixel[1] + segment.begin,
                      pixel[2] + segment.begin, pixel[3] + segment.begin, corners, segment.size);
        else
          std::fill_n(column, segment.size, 0.0f);
      }
    }
}

BENCHSUITE_INLINE float dot(const float* BENCHSUITE_RESTRICT a, const float* BENCHSUITE_RESTRICT b,
                            int64_t size) {
  constexpr int kLanes = 16;
  float lanes[kLanes] = {};
  int64_t i = 0;
  for (; i + kLanes <= size; i += kLanes)
    for (int lane = 0; lane < kLanes; ++lane) lanes[lane] += a[i + lane] * b[i + lane];
  float sum = 0;
  for (; i < size; ++i) sum += a[i] * b[i];
  for (int half = kLanes / 2; half > 0; half /= 2)
    for (int lane = 0; lane < half; ++lane) lanes[lane] += lanes[lane + half];
  return sum + lanes[0];
}

BENCHSUITE_CLONES
void row_offset_gradients(const Rows& rows, const std::vector<std::vector<Segment>>& segments,
                          int64_t row, const float* gradient, float* offset_gradient,
                          float* mask_gradient) {
  const DeformColumns& task = rows.task;
  const Row at(task, row);
  const int64_t plane = task.out_height * task.out_width;
  for (int64_t offset_group = 0; offset_group < task.offset_groups; ++offset_group)
    for (int64_t point = 0; point < task.points(); ++point) {
      const Corners corners = at.corners(offset_group, point);
      // The gradient's product with each corner's pixel.
      float product[4] = {};
      for (const Segment& segment : segments[offset_group])
        for (int corner = 0; corner < 4; ++corner)
          if (corners.pixel[corner] >= 0)
            product[corner] +=
                dot(gradient + rows.column(segment, row, point),
                    task.input + corners.pixel[corner] * task.channels + segment.begin,
                    segment.size);
      const float y = corners.y, x = corners.x;
      float* to = offset_gradient + at.offset_place(offset_group, point);
      to[0] = corners.mask * ((1.0f - x) * (product[2] - product[0]) + x * (product[3] - product[1]));
      to[plane] =
          corners.mask * ((1.0f - y) * (product[1] - product[0]) + y * (product[3] - product[2]));
      if (mask_gradient)
        mask_gradient[at.mask_place(offset_group, point)] =
            (1.0f - y) * ((1.0f - x) * product[0] + x * product[1]) +
            y * ((1.0f - x) * product[2] + x * product[3]);
    }
}

BENCHSUITE_INLINE void add_scaled(float* BENCHSUITE_RESTRICT sum,
                                  const float* BENCHSUITE_RESTRICT values, float scale,
                                  int64_t size) {
  for (int64_t i = 0; i < size; ++i) sum[i] += scale * values[i];
}

// Of the channels from `first` up to `last`.
BENCHSUITE_CLONES
void add_rows(const Rows& rows, const std::vector<std::vector<Segment>>& segments, int64_t first,
              int64_t last, const float* gradient, float* input_gradient) {
  const DeformColumns& task = rows.task;
  for (int64_t row = rows.begin; row < rows.end; ++row) {
    const Row at(task, row);
    for (int64_t offset_group = 0; offset_group < task.offset_groups; ++offset_group) {
      const std::vector<Segment>& own = segments[offset_group];
      if (own.back().begin + own.back().size <= first || own.front().begin >= last) continue;
      for (int64_t point = 0; point < task.points(); ++point) {
        const Corners corners = at.corners(offset_group, point);
        if (!corners.inside()) continue;
        for (const Segment& segment : own) {
          const int64_t begin = std::max(segment.begin, first);
          const int64_t end = std::min(segment.begin + segment.size, last);
          if (begin >= end) continue;
          const float* from = gradient + rows.column(segment, row, point) + begin - segment.begin;
          for (int corner = 0; corner < 4; ++corner)
            if (corners.pixel[corner] >= 0)
              add_scaled(input_gradient + corners.pixel[corner] * task.channels + begin, from,
                         corners.weight(corner), end - begin);
        }
      }
    }
  }
}

}  // namespace

void DeformColumns::fill(int64_t begin, int64_t end, float* columns, int threads) const {
  const Rows rows{*this, begin, end};
  const auto segments = segments_of(*this);
  const std::vector<float> zeros(channels);
  const int64_t count = end - begin;
  for_each_item(count, grain_of(count, count * points() * channels / 4), threads,
                [&](int64_t item, int) {
                  fill_row(rows, segments, zeros.data(), begin + item, columns);
                });
}

void DeformColumns::offset_gradients(int64_t begin, int64_t end, const float* gradient,
                                     float* offset_gradient, float* mask_gradient,
                                     int threads) const {
  const Rows rows{*this, begin, end};
  const auto segments = segments_of(*this);
  const int64_t count = end - begin;
  for_each_item(count, grain_of(count, count * points() * channels / 4), threads,
                [&](int64_t item, int) {
                  row_offset_gradients(rows, segments, begin + item, gradient, offset_gradient,
                                       mask_gradient);
                });
}

void DeformColumns::add_input_gradient(int64_t begin, int64_t end, const float* gradient,
                                       float* input_gradient, int threads) const {
  const Rows rows{*this, begin, end};
  const auto segments = segments_of(*this);
  // No thread gets less than a cache line of channels: threads write to different ones.
  const int64_t width = std::max<int64_t>((channels + threads - 1) / std::max(threads, 1), 16);
  const int64_t slices = (channels + width - 1) / width;
  for_each_item(slices, 1, threads, [&](int64_t slice, int) {
    add_rows(rows, segments, slice * width, std::min((slice + 1) * width, channels), gradient,
             input_gradient);
  });
}

}  // namespace benchsuite
