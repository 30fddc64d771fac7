// Focal loss of independent classes: each logit on its own, and summed over maps of logits.
#include "focal_term.cuh"
#include "scalar.cuh"

constexpr int kThreads = 256;

__device__ __forceinline__ long long first_item() {
  return static_cast<long long>(blockIdx.x) * blockDim.x + threadIdx.x;
}

__device__ __forceinline__ long long item_step() {
  return static_cast<long long>(gridDim.x) * blockDim.x;
}

// The label of the anchor that a logit belongs to, and the logit's class. Logits lie as images,
// points, anchors, classes where `channels_last` is 1, else as images, anchors, classes, points;
// labels as images, points, anchors.
struct Place {
  long long label, category;
};

__device__ __forceinline__ Place place_of(long long item, const long long* labels,
                                          long long channels_last, long long anchors,
                                          long long classes, long long points) {
  if (channels_last != 0) return {labels[item / classes], item % classes};
  const long long point = item % points, plane = item / points;
  const long long category = plane % classes, row = plane / classes;
  const long long anchor = row % anchors, image = row / anchors;
  return {labels[(image * points + point) * anchors + anchor], category};
}

extern "C" __global__ void focal_losses(const SCALAR* logits, const SCALAR* targets,
                                        SCALAR* losses, long long count, float positive_weight,
                                        float negative_weight, float gamma) {
  for (long long i = first_item(); i < count; i += item_step())
    store(losses + i, focal_term(load(logits + i), load(targets + i) > 0.5f, positive_weight,
                                 negative_weight, gamma)
                          .loss);
}

extern "C" __global__ void focal_slopes(const SCALAR* gradient, const SCALAR* logits,
                                        const SCALAR* targets, SCALAR* slopes, long long count,
                                        float positive_weight, float negative_weight, float gamma) {
  for (long long i = first_item(); i < count; i += item_step()) {
    const float slope = focal_term(load(logits + i), load(targets + i) > 0.5f, positive_weight,
                                   negative_weight, gamma)
                            .slope;
    store(slopes + i, load(gradient + i) * slope);
  }
}

// Blocks of kThreads. Each leaves its sum in `sums`: added up in the order of blocks, the total is
// the same at every call.
extern "C" __global__ void focal_sum(const SCALAR* logits, const long long* labels, float* sums,
                                     long long count, long long channels_last, long long anchors,
                                     long long classes, long long points, float positive_weight,
                                     float negative_weight, float gamma) {
  __shared__ float partial[kThreads];
  float sum = 0.0f;
  for (long long i = first_item(); i < count; i += item_step()) {
    const Place place = place_of(i, labels, channels_last, anchors, classes, points);
    if (place.label >= 0)
      sum += focal_term(load(logits + i), place.label == place.category, positive_weight,
                        negative_weight, gamma)
                 .loss;
  }
  partial[threadIdx.x] = sum;
  __syncthreads();
  for (int half = kThreads / 2; half > 0; half /= 2) {
    if (threadIdx.x < half) partial[threadIdx.x] += partial[threadIdx.x + half];
    __syncthreads();
  }
  if (threadIdx.x == 0) sums[blockIdx.x] = partial[0];
}

// `scale` is one number: the gradient of the sum.
extern "C" __global__ void focal_sum_slopes(const float* scale, const SCALAR* logits,
                                            const long long* labels, SCALAR* slopes,
                                            long long count, long long channels_last,
                                            long long anchors, long long classes, long long points,
                                            float positive_weight, float negative_weight,
                                            float gamma) {
  const float factor = *scale;
  for (long long i = first_item(); i < count; i += item_step()) {
    const Place place = place_of(i, labels, channels_last, anchors, classes, points);
    const float slope = focal_term(load(logits + i), place.label == place.category, positive_weight,
                                   negative_weight, gamma)
                            .slope;
    store(slopes + i, place.label >= 0 ? factor * slope : 0.0f);
  }
}
