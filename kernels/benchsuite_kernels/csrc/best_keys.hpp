// The best few of many scores, in one pass: by descending score, equal scores by ascending index.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <vector>

namespace benchsuite {

// A score and an index in one integer whose ascending order is the scores' descending order, then
// the indices' ascending one. NaN counts as the highest score, -0 as 0.
inline uint64_t rank_key(float score, uint32_t index) {
  uint32_t bits = 0;
  if (!std::isnan(score)) {
    if (score == 0) score = 0;
    std::memcpy(&bits, &score, sizeof bits);
    bits = ~(bits & 0x80000000u ? ~bits : bits | 0x80000000u);
  }
  return uint64_t{bits} << 32 | index;
}

inline uint32_t index_of(uint64_t key) { return static_cast<uint32_t>(key); }

inline float score_of(uint64_t key) {
  uint32_t bits = ~static_cast<uint32_t>(key >> 32);
  if (bits == 0xffffffffu) return std::numeric_limits<float>::quiet_NaN();
  bits = bits & 0x80000000u ? bits & 0x7fffffffu : ~bits;
  float score;
  std::memcpy(&score, &bits, sizeof score);
  return score;
}

// Holds the `limit` least of the keys it is given, and at most as many more.
class BestKeys {
 public:
  explicit BestKeys(int64_t limit) : limit_(static_cast<size_t>(limit)) {}

  // Whether the worst key that is held may have changed.
  bool push(uint64_t key) {
    keys_.push_back(key);
    if (keys_.size() < 2 * limit_ + 64) return false;
    cut();
    return true;
  }

  // The worst of the best; there has to have been a cut.
  uint64_t worst() const { return keys_[limit_ - 1]; }

  void add(const std::vector<uint64_t>& keys) {
    keys_.insert(keys_.end(), keys.begin(), keys.end());
  }

  // The best, unordered.
  std::vector<uint64_t>& take() {
    if (keys_.size() > limit_) cut();
    return keys_;
  }

 private:
  // Leaves the best, the worst of them last.
  void cut() {
    std::nth_element(keys_.begin(), keys_.begin() + (limit_ - 1), keys_.end());
    keys_.resize(limit_);
  }

  size_t limit_;
  std::vector<uint64_t> keys_;
};

}  // namespace benchsuite
