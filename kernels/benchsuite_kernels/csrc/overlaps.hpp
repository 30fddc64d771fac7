// How detections and truths overlap, whatever they are: what matching goes by.
#pragma once

#include <cstdint>
#include <memory>

namespace benchsuite {

// One worker's view of the overlaps, with the memory it needs.
class GroupOverlaps {
 public:
  virtual ~GroupOverlaps() = default;

  // Names the truths (rows) that the following detections are compared with.
  virtual void start(const int32_t* truths, int64_t count) = 0;

  // Writes the overlap of a detection (row) with each of them; returns whether any of them is not
  // less than the least overlap that counts. One that is less may be given as any other such.
  virtual bool compare(int32_t detection, double* overlaps) = 0;
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
