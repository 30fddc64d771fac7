// How detections and truths overlap, whatever they are: what matching goes by.
#pragma once

#include <cstdint>
#include <memory>

#include "group_order.hpp"

namespace benchsuite {

// One worker's view of the overlaps, with the memory it needs.
class GroupOverlaps {
 public:
  // Overlaps are computed so many at a time.
  static constexpr int64_t kLanes = 8;
  static constexpr int64_t room(int64_t truths) { return (truths + kLanes - 1) / kLanes * kLanes; }

  virtual ~GroupOverlaps() = default;

  // Says which rows the next groups are of.
  virtual void expect(const Rows& detections, const Rows& truths) {
    (void)detections;
    (void)truths;
  }

  // Names the group that the following comparisons are within.
  virtual void start(const Group& group) = 0;

  // Writes the overlap of the group's detection of that rank with each of its truths; returns
  // false only if each is less than the least overlap that counts. One that is less may be given as
  // any other such. `overlaps` has room(truths) places.
  virtual bool compare(int64_t rank, double* overlaps) = 0;
};

class Overlaps {
 public:
  virtual ~Overlaps() = default;
  virtual int64_t detections() const = 0;
  virtual int64_t truths() const = 0;

  // `crowd`: whether each truth (row) is one; `least`: the least overlap that counts.
  virtual std::unique_ptr<GroupOverlaps> for_worker(const bool* crowd, double least) const = 0;
};

}  // namespace benchsuite
