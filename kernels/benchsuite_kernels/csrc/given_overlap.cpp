#include "given_overlap.hpp"

#include <algorithm>
#include <stdexcept>
#include <string>

namespace benchsuite {
namespace {

class GivenGroup : public GroupOverlaps {
 public:
  GivenGroup(const int64_t* starts, const int64_t* pair_truths, const double* values, double least)
      : starts_(starts), pair_truths_(pair_truths), values_(values), least_(least) {}

  void start(const Group& group) override {
    detections_ = group.detections;
    truths_ = group.truths;
    count_ = group.truth_count;
  }

  bool compare(int64_t rank, double* overlaps) override {
    const int32_t detection = detections_[rank];
    std::fill(overlaps, overlaps + count_, 0.0);
    bool counting = !(0.0 < least_);
    int64_t place = 0;
    for (int64_t pair = starts_[detection]; pair < starts_[detection + 1]; ++pair) {
      while (place < count_ && truths_[place] < pair_truths_[pair]) ++place;
      if (place == count_ || truths_[place] != pair_truths_[pair])
        throw std::invalid_argument("detection " + std::to_string(detection) +
                                    " is paired with a truth of another group");
      overlaps[place] = values_[pair];
      counting = counting || !(values_[pair] < least_);
    }
    return counting;
  }

 private:
  const int64_t* starts_;
  const int64_t* pair_truths_;
  const double* values_;
  double least_;
  const int32_t* detections_ = nullptr;
  const int32_t* truths_ = nullptr;
  int64_t count_ = 0;
};

}  // namespace

std::unique_ptr<GroupOverlaps> GivenOverlaps::for_worker(const bool*, double least) const {
  return std::make_unique<GivenGroup>(starts_, pair_truths_, values_, least);
}

}  // namespace benchsuite
