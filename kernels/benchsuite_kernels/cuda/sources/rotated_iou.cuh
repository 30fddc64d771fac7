// Overlap of two rotated boxes, in double; columns/rotated_iou.py describes how it is computed.
#pragma once

#include "shared.cuh"

namespace benchsuite::rotated {

// A box as the Python side prepares it.
struct Box {
  double x, y;                     // centre
  double cosine, sine;             // of its angle
  double half_width, half_height;  // of its own sides
  double reach_x, reach_y;         // half the sides of the upright box round it
};

SHARED_INLINE double lesser(double a, double b) { return b < a ? b : a; }
SHARED_INLINE double greater(double a, double b) { return a < b ? b : a; }
SHARED_INLINE double magnitude(double a) { return a < 0 ? -a : a; }

// Signed area between an edge and the x axis, the edge clipped to the box round the origin.
SHARED_INLINE double below_edge(double from_x, double from_y, double to_x, double to_y,
                                double half_width, double half_height) {
  const double left = lesser(greater(from_x, -half_width), half_width);
  const double right = lesser(greater(to_x, -half_width), half_width);
  if (left == right) return 0;
  const double run = to_x - from_x, rise = to_y - from_y;
  const double first = from_y + (left - from_x) / run * rise;
  const double last = from_y + (right - from_x) / run * rise;
  const double low = lesser(first, last), high = greater(first, last);
  const double top = half_height, bottom = -half_height;
  const double inner_low = lesser(greater(low, bottom), top);
  if (!(high > low)) return (right - left) * inner_low;
  const double inner_high = lesser(greater(high, bottom), top);
  const double beneath = lesser(high, bottom) - lesser(low, bottom);
  const double above = greater(high, top) - greater(low, top);
  const double inside = (inner_high - inner_low) * (inner_high + inner_low) / 2;
  return (right - left) * ((above * top - beneath * half_height + inside) / (high - low));
}

// Whether two boxes have areas, and the upright boxes round them touch.
SHARED_INLINE bool may_overlap(const Box& a, const Box& b) {
  return !(magnitude(b.x - a.x) > a.reach_x + b.reach_x ||
           magnitude(b.y - a.y) > a.reach_y + b.reach_y) &&
         a.half_width > 0 && a.half_height > 0 && b.half_width > 0 && b.half_height > 0;
}

SHARED_INLINE double area(const Box& box) { return 4 * (box.half_width * box.half_height); }

// The area that two boxes share. `a` is the one whose frame is computed in.
SHARED_INLINE double shared_area(const Box& a, const Box& b) {
  const double offset_x = b.x - a.x, offset_y = b.y - a.y;
  const double centre_x = a.cosine * offset_x - a.sine * offset_y;
  const double centre_y = a.sine * offset_x + a.cosine * offset_y;
  const double cosine = a.cosine * b.cosine + a.sine * b.sine;
  const double sine = a.cosine * b.sine - a.sine * b.cosine;
  const double along_x = cosine * b.half_width, along_y = -(sine * b.half_width);
  const double down_x = sine * b.half_height, down_y = cosine * b.half_height;
  const double x[4] = {centre_x - along_x - down_x, centre_x + along_x - down_x,
                       centre_x + along_x + down_x, centre_x - along_x + down_x};
  const double y[4] = {centre_y - along_y - down_y, centre_y + along_y - down_y,
                       centre_y + along_y + down_y, centre_y - along_y + down_y};
  double total = 0;
  for (int i = 0; i < 4; ++i)
    total += below_edge(x[i], y[i], x[(i + 1) & 3], y[(i + 1) & 3], a.half_width, a.half_height);
  return lesser(magnitude(total), lesser(area(a), area(b)));
}

// Intersection over union; 0 where either has no area.
SHARED_INLINE double iou(const Box& a, const Box& b) {
  if (!may_overlap(a, b)) return 0;
  const double shared = shared_area(a, b);
  return shared / (area(a) + area(b) - shared);
}

}  // namespace benchsuite::rotated
