#include "sigmoid_focal_loss.hpp"

#include <algorithm>
#include <vector>

#include "clones.hpp"
#include "exp_log.hpp"
#include "parallel.hpp"

namespace benchsuite {
namespace {

// Logits that are computed at once: what belongs to them stays in the nearest cache.
constexpr int64_t kBlock = 1024;

// What a logit is, beside the class that it is a logit of.
constexpr int32_t kIgnored = -1;

struct Term {
  float loss, slope;
};

// A logit's loss and slope. With z the logit of being wrong: weight * sigmoid(z)^gamma * softplus(z).
BENCHSUITE_INLINE Term focal_term(const FocalLoss& loss, bool squared, float x, bool positive) {
  const float z = positive ? -x : x;
  const float magnitude = z < 0.0f ? -z : z;
  const float e = exp_of_minus(magnitude);
  const float large = 1.0f / (1.0f + e), small = e * large;
  const float wrong = z < 0.0f ? small : large, right = z < 0.0f ? large : small;
  const float log = log_of_one_plus(e);
  const float entropy = (z < 0.0f ? 0.0f : z) + log;
  const float power =
      squared ? wrong * wrong : exp_of_minus(loss.gamma * ((z < 0.0f ? magnitude : 0.0f) + log));
  const float weight = (positive ? loss.positive_weight : loss.negative_weight) * power;
  const float slope = weight * (loss.gamma * right * entropy + wrong);
  return {weight * entropy, positive ? -slope : slope};
}

// `key` says of each logit what it is: `wanted` (the class is there), kIgnored, or anything else.
BENCHSUITE_INLINE void block_losses(const FocalLoss& loss, bool squared,
                                    const float* BENCHSUITE_RESTRICT logits,
                                    const int32_t* BENCHSUITE_RESTRICT key, int32_t wanted,
                                    int64_t count, float* BENCHSUITE_RESTRICT losses) {
  for (int64_t i = 0; i < count; ++i) {
    const float value = focal_term(loss, squared, logits[i], key[i] == wanted).loss;
    losses[i] = key[i] == kIgnored ? 0.0f : value;
  }
}

BENCHSUITE_INLINE void block_slopes(const FocalLoss& loss, bool squared,
                                    const float* BENCHSUITE_RESTRICT logits,
                                    const int32_t* BENCHSUITE_RESTRICT key, int32_t wanted,
                                    int64_t count, float scale,
                                    float* BENCHSUITE_RESTRICT slopes) {
  for (int64_t i = 0; i < count; ++i) {
    const float value = scale * focal_term(loss, squared, logits[i], key[i] == wanted).slope;
    slopes[i] = key[i] == kIgnored ? 0.0f : value;
  }
}

BENCHSUITE_CLONES
void losses_squared(const FocalLoss& loss, const float* logits, const int32_t* key, int32_t wanted,
                    int64_t count, float* losses) {
  block_losses(loss, true, logits, key, wanted, count, losses);
}

BENCHSUITE_CLONES
void losses_power(const FocalLoss& loss, const float* logits, const int32_t* key, int32_t wanted,
                  int64_t count, float* losses) {
  block_losses(loss, false, logits, key, wanted, count, losses);
}

BENCHSUITE_CLONES
void slopes_squared(const FocalLoss& loss, const float* logits, const int32_t* key, int32_t wanted,
                    int64_t count, float scale, float* slopes) {
  block_slopes(loss, true, logits, key, wanted, count, scale, slopes);
}

BENCHSUITE_CLONES
void slopes_power(const FocalLoss& loss, const float* logits, const int32_t* key, int32_t wanted,
                  int64_t count, float scale, float* slopes) {
  block_slopes(loss, false, logits, key, wanted, count, scale, slopes);
}

void losses_of(const FocalLoss& loss, const float* logits, const int32_t* key, int32_t wanted,
               int64_t count, float* losses) {
  (loss.gamma == 2 ? losses_squared : losses_power)(loss, logits, key, wanted, count, losses);
}

void slopes_of(const FocalLoss& loss, const float* logits, const int32_t* key, int32_t wanted,
               int64_t count, float scale, float* slopes) {
  (loss.gamma == 2 ? slopes_squared : slopes_power)(loss, logits, key, wanted, count, scale, slopes);
}

BENCHSUITE_CLONES
double sum_of(const float* values, int64_t count) {
  double lanes[8] = {};
  int64_t i = 0;
  for (; i + 8 <= count; i += 8)
    for (int lane = 0; lane < 8; ++lane) lanes[lane] += values[i + lane];
  double sum = 0;
  for (const double lane : lanes) sum += lane;
  for (; i < count; ++i) sum += values[i];
  return sum;
}

// A part of the maps whose logits lie side by side in at most kBlock of memory.
struct Part {
  int64_t begin;
  int64_t count;
  int32_t wanted;
  const int32_t* key;
};

// Calls visit(part) for each part of an item; items are what threads share.
class Parts {
 public:
  explicit Parts(const FocalMaps& maps) : maps_(maps) {
    const int64_t inner = maps.channels_last ? logits() : maps.points;
    chunks_ = (inner + kBlock - 1) / kBlock;
  }

  int64_t logits() const { return maps_.images * maps_.points * maps_.anchors * maps_.classes; }
  int64_t items() const {
    return maps_.channels_last ? chunks_ : maps_.images * maps_.anchors * chunks_;
  }

  template <class Visit>
  void visit(int64_t item, const Visit& visit) const {
    int32_t key[kBlock] = {};
    if (maps_.channels_last) {
      const int64_t begin = item * kBlock, end = std::min(begin + kBlock, logits());
      const int64_t classes = maps_.classes;
      for (int64_t row = begin / classes; row * classes < end; ++row) {
        const int64_t label = maps_.labels[row];
        const int64_t first = std::max(row * classes, begin) - begin;
        const int64_t last = std::min((row + 1) * classes, end) - begin;
        std::fill(key + first, key + last, label < 0 ? kIgnored : 0);
        const int64_t there = row * classes + label - begin;
        if (label >= 0 && label < classes && there >= first && there < last) key[there] = 1;
      }
      visit(Part{begin, end - begin, 1, key});
      return;
    }
    const int64_t plane = item / chunks_, begin = item % chunks_ * kBlock;
    const int64_t image = plane / maps_.anchors, anchor = plane % maps_.anchors;
    const int64_t count = std::min(kBlock, maps_.points - begin);
    const int64_t* labels =
        maps_.labels + (image * maps_.points + begin) * maps_.anchors + anchor;
    for (int64_t i = 0; i < count; ++i) {
      const int64_t label = labels[i * maps_.anchors];
      key[i] = label < 0 ? kIgnored
                         : static_cast<int32_t>(std::min(label, maps_.classes));
    }
    for (int64_t k = 0; k < maps_.classes; ++k)
      visit(Part{(plane * maps_.classes + k) * maps_.points + begin, count,
                 static_cast<int32_t>(k), key});
  }

 private:
  const FocalMaps& maps_;
  int64_t chunks_;
};

// Calls work(begin, count, key) for blocks of logits with a target each.
template <class Work>
void for_each_target(const float* targets, int64_t count, int threads, const Work& work) {
  const int64_t blocks = (count + kBlock - 1) / kBlock;
  for_each_item(blocks, grain_of(blocks, count), threads, [&](int64_t item, int) {
    int32_t key[kBlock] = {};
    const int64_t begin = item * kBlock, size = std::min(kBlock, count - begin);
    for (int64_t i = 0; i < size; ++i) key[i] = targets[begin + i] > 0.5f;
    work(begin, size, key);
  });
}

}  // namespace

void focal_losses(const FocalLoss& loss, const float* logits, const float* targets, int64_t count,
                  float* losses, int threads) {
  for_each_target(targets, count, threads, [&](int64_t begin, int64_t size, const int32_t* key) {
    losses_of(loss, logits + begin, key, 1, size, losses + begin);
  });
}

void focal_slopes(const FocalLoss& loss, const float* logits, const float* targets, int64_t count,
                  float* gradient, int threads) {
  for_each_target(targets, count, threads, [&](int64_t begin, int64_t size, const int32_t* key) {
    float slopes[kBlock];
    slopes_of(loss, logits + begin, key, 1, size, 1.0f, slopes);
    for (int64_t i = 0; i < size; ++i) gradient[begin + i] *= slopes[i];
  });
}

double focal_sum(const FocalLoss& loss, const FocalMaps& maps, int threads) {
  const Parts parts(maps);
  std::vector<double> sums(parts.items());
  for_each_item(parts.items(), grain_of(parts.items(), parts.logits()), threads,
                [&](int64_t item, int) {
                  float losses[kBlock];
                  double sum = 0;
                  parts.visit(item, [&](const Part& part) {
                    losses_of(loss, maps.logits + part.begin, part.key, part.wanted, part.count,
                              losses);
                    sum += sum_of(losses, part.count);
                  });
                  sums[item] = sum;
                });
  double total = 0;
  for (const double sum : sums) total += sum;
  return total;
}

void focal_sum_slopes(const FocalLoss& loss, const FocalMaps& maps, float scale, float* gradient,
                      int threads) {
  const Parts parts(maps);
  for_each_item(parts.items(), grain_of(parts.items(), parts.logits()), threads,
                [&](int64_t item, int) {
                  parts.visit(item, [&](const Part& part) {
                    slopes_of(loss, maps.logits + part.begin, part.key, part.wanted, part.count,
                              scale, gradient + part.begin);
                  });
                });
}

}  // namespace benchsuite
