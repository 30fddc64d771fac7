// What a deformable convolution multiplies its weights with (Dai et al., "Deformable convolutional
// networks", 2017; with a mask: Zhu et al., "Deformable ConvNets v2", 2019), and the gradients of it.
#pragma once

#include <cstdint>
#include <vector>

namespace benchsuite {

// A row is one point of the output, of all images one after the other; a column is a point of the
// kernel and a channel of the input, channels innermost, for each group of weights apart.
struct DeformColumns {
  int64_t images, height, width, channels;  // of the input, channels last
  int64_t out_height, out_width;
  int64_t kernel_height, kernel_width;
  int64_t stride_y, stride_x, padding_y, padding_x, dilation_y, dilation_x;
  int64_t groups, offset_groups;
  const float* input;   // images, height, width, channels
  const float* offset;  // images, offset_groups, points, 2 (y, x), out_height, out_width
  const float* mask;    // images, offset_groups, points, out_height, out_width; or null: 1

  int64_t points() const { return kernel_height * kernel_width; }

  // columns: groups, rows, points, channels / groups; of the rows from `begin` up to `end`.
  void fill(int64_t begin, int64_t end, float* columns, int threads) const;

  // Gradients of the offsets and (unless null) the mask at those rows, laid out as they are.
  void offset_gradients(int64_t begin, int64_t end, const float* gradient, float* offset_gradient,
                        float* mask_gradient, int threads) const;

  // Adds the gradient of the input, laid out as the input; the sums are formed in the order of the
  // rows whatever the number of threads.
  void add_input_gradient(int64_t begin, int64_t end, const float* gradient, float* input_gradient,
                          int threads) const;
};

}  // namespace benchsuite
