// What a deformable convolution multiplies its weights with (Dai et al., "Deformable convolutional
// networks", 2017; with a mask: Zhu et al., "Deformable ConvNets v2", 2019), and the gradients of it.
//
// A row is one point of the output, of all images one after the other; a column is a point of the
// kernel and a channel, channels innermost, for each group of weights apart: columns lie as groups,
// rows, points, channels / groups, and the input as images, height, width, channels.
#include "scalar.cuh"

constexpr int kWarp = 32;
constexpr unsigned kAllLanes = 0xffffffffu;

// Of so many rows a warp takes each point of each group of offsets: its corners are found once, and
// its lanes share the channels. Blocks are whole warps.
struct Layout {
  long long height, width, channels, out_height, out_width, kernel_width, points;
  long long stride_y, stride_x, padding_y, padding_x, dilation_y, dilation_x;
  long long groups, offset_groups;

  __device__ __forceinline__ long long column(long long rows, long long row, long long point,
                                              long long channel) const {
    if (groups == 1) return (row * points + point) * channels + channel;
    const long long in_group = channels / groups;
    return ((channel / in_group * rows + row) * points + point) * in_group + channel % in_group;
  }

  __device__ __forceinline__ long long in_offset_group() const { return channels / offset_groups; }
};

// Where a kernel's point reads: four pixels, -1 where one lies outside, and how far from the first.
struct Corners {
  long long pixel[4];
  float y, x, mask;
  long long offset_place, mask_place;  // of the offset's y, and of the mask

  __device__ __forceinline__ float weight(int corner) const {
    return ((corner & 2) ? y : 1.0f - y) * ((corner & 1) ? x : 1.0f - x) * mask;
  }
};

__device__ __forceinline__ Corners corners_of(const Layout& layout, const float* offset,
                                              const float* mask, long long masked, long long row,
                                              long long offset_group, long long point) {
  const long long plane = layout.out_height * layout.out_width;
  const long long image = row / plane, place = row % plane;
  const long long number = (image * layout.offset_groups + offset_group) * layout.points + point;
  Corners corners{{-1, -1, -1, -1}, 0.0f, 0.0f, 1.0f, number * 2 * plane + place,
                  number * plane + place};
  const long long first_y = place / layout.out_width * layout.stride_y - layout.padding_y +
                            point / layout.kernel_width * layout.dilation_y;
  const long long first_x = place % layout.out_width * layout.stride_x - layout.padding_x +
                            point % layout.kernel_width * layout.dilation_x;
  const float y = static_cast<float>(first_y) + offset[corners.offset_place];
  const float x = static_cast<float>(first_x) + offset[corners.offset_place + plane];
  // Neither NaN nor what no integer holds gets beyond this.
  if (!(y > -1.0f && x > -1.0f && y < static_cast<float>(layout.height) &&
        x < static_cast<float>(layout.width)))
    return corners;
  const float top = floorf(y), left = floorf(x);
  corners.y = y - top;
  corners.x = x - left;
  if (masked != 0) corners.mask = mask[corners.mask_place];
  for (int corner = 0; corner < 4; ++corner) {
    const long long at_y = static_cast<long long>(top) + corner / 2;
    const long long at_x = static_cast<long long>(left) + corner % 2;
    if (at_y >= 0 && at_y < layout.height && at_x >= 0 && at_x < layout.width)
      corners.pixel[corner] = (image * layout.height + at_y) * layout.width + at_x;
  }
  return corners;
}

__device__ __forceinline__ long long first_warp() {
  return (static_cast<long long>(blockIdx.x) * blockDim.x + threadIdx.x) / kWarp;
}

__device__ __forceinline__ long long warp_step() {
  return static_cast<long long>(gridDim.x) * blockDim.x / kWarp;
}

// The columns of `rows` rows from `begin`.
extern "C" __global__ void deform_columns(const SCALAR* input, const float* offset,
                                          const float* mask, SCALAR* columns, long long masked,
                                          long long begin, long long rows, long long height,
                                          long long width, long long channels,
                                          long long out_height, long long out_width,
                                          long long kernel_width, long long points,
                                          long long stride_y, long long stride_x,
                                          long long padding_y, long long padding_x,
                                          long long dilation_y, long long dilation_x,
                                          long long groups, long long offset_groups) {
  const Layout layout{height, width, channels, out_height, out_width, kernel_width, points,
                      stride_y, stride_x, padding_y, padding_x, dilation_y, dilation_x, groups,
                      offset_groups};
  const long long count = rows * offset_groups * points;
  const long long in_offset_group = layout.in_offset_group();
  const int lane = threadIdx.x % kWarp;
  for (long long i = first_warp(); i < count; i += warp_step()) {
    const long long point = i % points, offset_group = i / points % offset_groups;
    const long long row = i / points / offset_groups, first = offset_group * in_offset_group;
    const Corners corners =
        corners_of(layout, offset, mask, masked, begin + row, offset_group, point);
    float weights[4];
    for (int corner = 0; corner < 4; ++corner) weights[corner] = corners.weight(corner);
    for (long long channel = first + lane; channel < first + in_offset_group; channel += kWarp) {
      float sum = 0.0f;
      for (int corner = 0; corner < 4; ++corner)
        if (corners.pixel[corner] >= 0)
          sum += weights[corner] * load(input + corners.pixel[corner] * channels + channel);
      store(columns + layout.column(rows, row, point, channel), sum);
    }
  }
}

extern "C" __global__ void deform_offset_gradients(const SCALAR* input, const float* offset,
                                                   const float* mask, const SCALAR* gradient,
                                                   float* offset_gradient, float* mask_gradient,
                                                   long long masked, long long begin,
                                                   long long rows, long long height,
                                                   long long width, long long channels,
                                                   long long out_height, long long out_width,
                                                   long long kernel_width, long long points,
                                                   long long stride_y, long long stride_x,
                                                   long long padding_y, long long padding_x,
                                                   long long dilation_y, long long dilation_x,
                                                   long long groups, long long offset_groups) {
  const Layout layout{height, width, channels, out_height, out_width, kernel_width, points,
                      stride_y, stride_x, padding_y, padding_x, dilation_y, dilation_x, groups,
                      offset_groups};
  const long long count = rows * offset_groups * points, plane = out_height * out_width;
  const long long in_offset_group = layout.in_offset_group();
  const int lane = threadIdx.x % kWarp;
  for (long long i = first_warp(); i < count; i += warp_step()) {
    const long long point = i % points, offset_group = i / points % offset_groups;
    const long long row = i / points / offset_groups, first = offset_group * in_offset_group;
    const Corners corners =
        corners_of(layout, offset, mask, masked, begin + row, offset_group, point);
    // The gradient's product with each corner's pixel.
    float product[4] = {0.0f, 0.0f, 0.0f, 0.0f};
    for (long long channel = first + lane; channel < first + in_offset_group; channel += kWarp) {
      const float slope = load(gradient + layout.column(rows, row, point, channel));
      for (int corner = 0; corner < 4; ++corner)
        if (corners.pixel[corner] >= 0)
          product[corner] += slope * load(input + corners.pixel[corner] * channels + channel);
    }
    for (int corner = 0; corner < 4; ++corner)
      for (int half = kWarp / 2; half > 0; half /= 2)
        product[corner] += __shfl_down_sync(kAllLanes, product[corner], half);
    if (lane != 0) continue;
    const float y = corners.y, x = corners.x;
    offset_gradient[corners.offset_place] =
        corners.mask * ((1.0f - x) * (product[2] - product[0]) + x * (product[3] - product[1]));
    offset_gradient[corners.offset_place + plane] =
        corners.mask * ((1.0f - y) * (product[1] - product[0]) + y * (product[3] - product[2]));
    if (masked != 0)
      mask_gradient[corners.mask_place] = (1.0f - y) * ((1.0f - x) * product[0] + x * product[1]) +
                                          y * ((1.0f - x) * product[2] + x * product[3]);
  }
}

// Adds to `input_gradient`, in no order.
extern "C" __global__ void deform_input_gradient(const float* offset, const float* mask,
                                                 const SCALAR* gradient, float* input_gradient,
                                                 long long masked, long long begin, long long rows,
                                                 long long height, long long width,
                                                 long long channels, long long out_height,
                                                 long long out_width, long long kernel_width,
                                                 long long points, long long stride_y,
                                                 long long stride_x, long long padding_y,
                                                 long long padding_x, long long dilation_y,
                                                 long long dilation_x, long long groups,
                                                 long long offset_groups) {
  const Layout layout{height, width, channels, out_height, out_width, kernel_width, points,
                      stride_y, stride_x, padding_y, padding_x, dilation_y, dilation_x, groups,
                      offset_groups};
  const long long count = rows * offset_groups * points;
  const long long in_offset_group = layout.in_offset_group();
  const int lane = threadIdx.x % kWarp;
  for (long long i = first_warp(); i < count; i += warp_step()) {
    const long long point = i % points, offset_group = i / points % offset_groups;
    const long long row = i / points / offset_groups, first = offset_group * in_offset_group;
    const Corners corners =
        corners_of(layout, offset, mask, masked, begin + row, offset_group, point);
    float weights[4];
    for (int corner = 0; corner < 4; ++corner) weights[corner] = corners.weight(corner);
    for (long long channel = first + lane; channel < first + in_offset_group; channel += kWarp) {
      const float slope = load(gradient + layout.column(rows, row, point, channel));
      for (int corner = 0; corner < 4; ++corner)
        if (corners.pixel[corner] >= 0)
          atomicAdd(input_gradient + corners.pixel[corner] * channels + channel,
                    weights[corner] * slope);
    }
  }
}
