// A logit's focal loss and slope (Lin et al., "Focal loss for dense object detection", 2017).
#pragma once

struct FocalTerm {
  float loss, slope;
};

// With z the logit of being wrong: weight * sigmoid(z)^gamma * softplus(z).
__device__ __forceinline__ FocalTerm focal_term(float x, bool positive, float positive_weight,
                                                float negative_weight, float gamma) {
  const float z = positive ? -x : x;
  const float e = expf(-fabsf(z));
  const float large = 1.0f / (1.0f + e), small = e * large;
  const float wrong = z < 0.0f ? small : large, right = z < 0.0f ? large : small;
  const float log = log1pf(e);
  const float entropy = (z < 0.0f ? 0.0f : z) + log;
  const float power =
      gamma == 2.0f ? wrong * wrong : expf(-gamma * ((z < 0.0f ? -z : 0.0f) + log));
  const float weight = (positive ? positive_weight : negative_weight) * power;
  const float slope = weight * (gamma * right * entropy + wrong);
  return {weight * entropy, positive ? -slope : slope};
}
