// Focal loss of independent classes: each logit on its own, and summed over maps of logits.
#include "focal_term.cuh"
#include "scalar.cuh"

constexpr int kThreads = 256;
constexpr long long kClasses = 16;  // that a thread takes of an anchor

__device__ __forceinline__ long long first_item() {
  return static_cast<long long>(blockIdx.x) * blockDim.x + threadIdx.x;
}

__device__ __forceinline__ long long item_step() {
  return static_cast<long long>(gridDim.x) * blockDim.x;
}

// Calls visit(place, label, category) for every logit of the maps: where it lies, the label of its
// anchor, and which class it is of. Logits lie as images, points, anchors, classes where
// `channels_last` is 1, else as images, anchors, classes, points; labels as images, points, anchors.
//
// Of planes, a thread takes several classes of an anchor at a point: its label is read once, and
// threads side by side read side by side.
template <class Visit>
__device__ __forceinline__ void for_each_logit(const long long* labels, long long count,
                                               long long channels_last, long long anchors,
                                               long long classes, long long points, Visit visit) {
  if (channels_last != 0) {
    for (long long i = first_item(); i < count; i += item_step())
      visit(i, labels[i / classes], i % classes);
    return;
  }
  const long long shares = (classes + kClasses - 1) / kClasses;
  const long long items = count / classes * shares;
  for (long long i = first_item(); i < items; i += item_step()) {
    const long long point = i % points, share = i / points % shares, plane = i / points / shares;
    const long long image = plane / anchors, anchor = plane % anchors;
    const long long label = labels[(image * points + point) * anchors + anchor];
    const long long first = share * kClasses;
    const long long last = first + kClasses < classes ? first + kClasses : classes;
    for (long long category = first; category < last; ++category)
      visit((plane * classes + category) * points + point, label, category);
  }
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
  for_each_logit(labels, count, channels_last, anchors, classes, points,
                 [&](long long place, long long label, long long category) {
                   if (label >= 0)
                     sum += focal_term(load(logits + place), label == category, positive_weight,
                                       negative_weight, gamma)
                                .loss;
                 });
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
  for_each_logit(labels, count, channels_last, anchors, classes, points,
                 [&](long long place, long long label, long long category) {
                   const float slope = focal_term(load(logits + place), label == category,
                                                  positive_weight, negative_weight, gamma)
                                           .slope;
                   store(slopes + place, label >= 0 ? factor * slope : 0.0f);
                 });
}
