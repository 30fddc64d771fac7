// Soft-NMS of N images, each with M candidates: a block an image. Each step takes the best
// candidate that is left and lowers the scores of the others.
#include "nms_boxes.cuh"
#include "soft_nms_decay.cuh"

constexpr int kThreads = 512;

// left: N x M, memory for the scores of what is not taken yet. index and taken_scores: N x limit;
// counts: N.
extern "C" __global__ void soft_nms(const float* boxes, const float* scores,
                                    const long long* groups, float* left, long long* index,
                                    float* taken_scores, long long* counts, long long count,
                                    long long limit, long long method, float iou_threshold,
                                    float sigma, float min_score) {
  __shared__ float best_scores[kThreads];
  __shared__ long long best_places[kThreads];
  const benchsuite::SoftNmsDecay decay{static_cast<int>(method), iou_threshold, sigma};
  const long long image = blockIdx.x;
  const int thread = threadIdx.x;
  boxes += image * count * 4;
  scores += image * count;
  groups += image * count;
  left += image * count;

  // A thread looks after the same candidates all the time.
  float best = 0.0f;
  long long place = count;
  for (long long i = thread; i < count; i += kThreads) {
    const float score = scores[i] > min_score ? scores[i] : 0.0f;
    left[i] = score;
    if (score > best) {
      best = score;
      place = i;
    }
  }
  long long taken = 0;
  for (; taken < limit; ++taken) {
    best_scores[thread] = best;
    best_places[thread] = place;
    __syncthreads();
    for (int half = kThreads / 2; half > 0; half /= 2) {
      if (thread < half) {
        const float other = best_scores[thread + half];
        const long long other_place = best_places[thread + half];
        if (other > best || (other == best && other_place < place)) {
          best_scores[thread] = best = other;
          best_places[thread] = place = other_place;
        }
      }
      __syncthreads();
    }
    const float score = best_scores[0];
    const long long chosen = best_places[0];
    __syncthreads();
    if (!(score > 0.0f)) break;
    if (thread == 0) {
      index[image * limit + taken] = chosen;
      taken_scores[image * limit + taken] = score;
    }
    const UprightBox box = UprightBox::load(boxes + chosen * 4);
    const long long group = groups[chosen];
    best = 0.0f;
    place = count;
    for (long long i = thread; i < count; i += kThreads) {
      float own = left[i];
      if (own == 0.0f) continue;
      if (i == chosen) {
        own = 0.0f;
      } else if (groups[i] == group) {
        own *= soft_nms_factor(decay, UprightBox::overlap(box, UprightBox::load(boxes + i * 4)));
        if (!(own > min_score)) own = 0.0f;
      }
      left[i] = own;
      if (own > best) {
        best = own;
        place = i;
      }
    }
  }
  if (thread == 0) counts[image] = taken;
}
