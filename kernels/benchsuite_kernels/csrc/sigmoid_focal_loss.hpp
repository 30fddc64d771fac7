// Focal loss of independent classes (Lin et al., "Focal loss for dense object detection", 2017).
#pragma once

#include <cstdint>

namespace benchsuite {

struct FocalLoss {
  float positive_weight, negative_weight, gamma;
};

// Loss of each logit whose target is above 0.5 (the class is there) or not.
void focal_losses(const FocalLoss& loss, const float* logits, const float* targets, int64_t count,
                  float* losses, int threads);

// gradient[i] *= d losses[i] / d logits[i].
void focal_slopes(const FocalLoss& loss, const float* logits, const float* targets, int64_t count,
                  float* gradient, int threads);

// Logits of K classes for each of A anchors at each of P points of an image, and a label for each
// anchor at each point: a class, K or more for none, negative for what does not count.
struct FocalMaps {
  int64_t images, points, anchors, classes;
  bool channels_last;     // logits lie as images, points, anchors, classes; else points innermost
  const float* logits;    // images, anchors, classes, points
  const int64_t* labels;  // images, points, anchors
};

// The sum of all that counts; the same for any number of threads.
double focal_sum(const FocalLoss& loss, const FocalMaps& maps, int threads);

// gradient = scale * d focal_sum / d logits, as the logits lie.
void focal_sum_slopes(const FocalLoss& loss, const FocalMaps& maps, float scale, float* gradient,
                      int threads);

}  // namespace benchsuite
