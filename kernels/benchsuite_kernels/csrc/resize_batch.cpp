#include "resize_batch.hpp"

#include <algorithm>
#include <cstring>

#include "clones.hpp"
#include "parallel.hpp"
#include "row_resizer.hpp"
#include "scalars.hpp"

namespace benchsuite::resize {
namespace {

constexpr int64_t kRowsAtOnce = 64;  // of the batch, a worker
constexpr int64_t kPixel = 4;        // bytes of one whose channels become planes

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
inline int shift_of(int64_t channel) { return 24 - 8 * static_cast<int>(channel); }
#else
inline int shift_of(int64_t channel) { return 8 * static_cast<int>(channel); }
#endif

inline int32_t channel_of(uint32_t pixel, int shift) {
  return static_cast<int32_t>(pixel >> shift & 255u);
}

BENCHSUITE_CLONES
void begin_sums(int64_t count, int32_t* BENCHSUITE_RESTRICT sums) {
  for (int64_t i = 0; i < count; ++i) sums[i] = kHalf;
}

// A row's values of one channel, `shift` bits up in its pixels.
BENCHSUITE_CLONES
void add_channel(const uint32_t* BENCHSUITE_RESTRICT pixels, int shift, int32_t weight,
                 int64_t count, int32_t* BENCHSUITE_RESTRICT sums) {
  for (int64_t x = 0; x < count; ++x) sums[x] += weight * channel_of(pixels[x], shift);
}

BENCHSUITE_CLONES
void finish_channel(const int32_t* BENCHSUITE_RESTRICT sums, float mean, float std, int64_t count,
                    float* BENCHSUITE_RESTRICT target) {
  for (int64_t x = 0; x < count; ++x)
    target[x] = (static_cast<float>(sums[x] >> kPrecision) - mean) / std;
}

// All of it for two rows, which is what an image has that grows.
BENCHSUITE_CLONES
void blend_channel(const uint32_t* BENCHSUITE_RESTRICT upper,
                   const uint32_t* BENCHSUITE_RESTRICT lower, int shift, int32_t of_upper,
                   int32_t of_lower, float mean, float std, int64_t count,
                   float* BENCHSUITE_RESTRICT target) {
  for (int64_t x = 0; x < count; ++x) {
    const int32_t sum = kHalf + of_upper * channel_of(upper[x], shift) +
                        of_lower * channel_of(lower[x], shift);
    target[x] = (static_cast<float>(sum >> kPrecision) - mean) / std;
  }
}

// The same for channels that stay beside each other: `mean` and `std` repeat theirs.
BENCHSUITE_CLONES
void add_values(const uint8_t* BENCHSUITE_RESTRICT row, int32_t weight, int64_t count,
                int32_t* BENCHSUITE_RESTRICT sums) {
  for (int64_t i = 0; i < count; ++i) sums[i] += weight * row[i];
}

BENCHSUITE_CLONES
void finish_values(const int32_t* BENCHSUITE_RESTRICT sums, const float* BENCHSUITE_RESTRICT mean,
                   const float* BENCHSUITE_RESTRICT std, int64_t count,
                   float* BENCHSUITE_RESTRICT target) {
  for (int64_t i = 0; i < count; ++i)
    target[i] = (static_cast<float>(sums[i] >> kPrecision) - mean[i]) / std[i];
}

BENCHSUITE_CLONES
void blend_values(const uint8_t* BENCHSUITE_RESTRICT upper,
                  const uint8_t* BENCHSUITE_RESTRICT lower, int32_t of_upper, int32_t of_lower,
                  const float* BENCHSUITE_RESTRICT mean, const float* BENCHSUITE_RESTRICT std,
                  int64_t count, float* BENCHSUITE_RESTRICT target) {
  for (int64_t i = 0; i < count; ++i) {
    const int32_t sum = kHalf + of_upper * upper[i] + of_lower * lower[i];
    target[i] = (static_cast<float>(sum >> kPrecision) - mean[i]) / std[i];
  }
}

// The source's rows at the new width, kept for as long as a window needs them that moves down.
class RowWindow {
 public:
  RowWindow(const SourceImage& image, int64_t taps, int64_t step, bool reversed)
      : image_(image), rows_(image.width, image.new_width, step, reversed),
        // Whole pixels of four bytes begin each row.
        length_((rows_.bytes() + kPixel - 1) / kPixel), kept_(taps * length_), held_(taps, -1) {}

  const uint32_t* at(int64_t y) {
    const int64_t slot = y % static_cast<int64_t>(held_.size());
    uint32_t* const row = kept_.data() + slot * length_;
    if (held_[slot] != y) {
      rows_.resize(image_.pixels + y * image_.width * kChannels, reinterpret_cast<uint8_t*>(row));
      held_[slot] = y;
    }
    return row;
  }

 private:
  const SourceImage& image_;
  RowResizer rows_;
  int64_t length_;
  std::vector<uint32_t> kept_;
  std::vector<int64_t> held_;
};

// Some rows of one image's place in the batch.
template <class T>
class Writer {
 public:
  Writer(const SourceImage& image, const Normalisation& normalisation, const BatchShape& shape,
         T* target)
      : image_(image), normalisation_(normalisation), shape_(shape), target_(target),
        axis_(triangle_axis(image.height, image.new_height)),
        window_(image, axis_.taps, shape.channels_last ? kChannels : kPixel,
                normalisation.reversed),
        sums_(kChannels * image.new_width), floats_(kChannels * image.new_width) {
    if (!shape.channels_last) return;
    for (int64_t i = 0; i < kChannels * image.new_width; ++i) {
      means_.push_back(normalisation.mean[i % kChannels]);
      stds_.push_back(normalisation.std[i % kChannels]);
    }
  }

  void write(int64_t begin, int64_t end) {
    for (int64_t y = begin; y < end; ++y) {
      if (shape_.channels_last)
        write_row(y);
      else
        for (int64_t c = 0; c < kChannels; ++c) write_plane_row(y, c);
    }
  }

 private:
  struct Taps {
    int64_t first, count;
    const int32_t* weights;
  };

  Taps taps(int64_t y) const {
    const int64_t first = axis_.first[y];
    return {first, std::min(axis_.taps, image_.height - first),
            axis_.values.data() + axis_.taps * y};
  }

  void write_plane_row(int64_t y, int64_t c) {
    T* const row = target_ + (c * shape_.height + y) * shape_.width;
    const int64_t count = image_.new_width;
    if (y >= image_.new_height) {
      std::memset(row, 0, shape_.width * sizeof(T));
      return;
    }
    const Taps own = taps(y);
    const float mean = normalisation_.mean[c], std = normalisation_.std[c];
    const int shift = shift_of(c);
    if (own.count <= 2) {
      const bool two = own.count == 2;
      const uint32_t* upper = window_.at(own.first);
      const uint32_t* lower = two ? window_.at(own.first + 1) : upper;
      blend_channel(upper, lower, shift, own.weights[0], two ? own.weights[1] : 0, mean, std, count,
                    floats(row));
    } else {
      begin_sums(count, sums_.data());
      for (int64_t tap = 0; tap < own.count; ++tap)
        add_channel(window_.at(own.first + tap), shift, own.weights[tap], count, sums_.data());
      finish_channel(sums_.data(), mean, std, count, floats(row));
    }
    deliver(row, count);
    std::memset(row + count, 0, (shape_.width - count) * sizeof(T));
  }

  void write_row(int64_t y) {
    T* const row = target_ + y * shape_.width * kChannels;
    const int64_t count = kChannels * image_.new_width, whole = kChannels * shape_.width;
    if (y >= image_.new_height) {
      std::memset(row, 0, whole * sizeof(T));
      return;
    }
    const Taps own = taps(y);
    const auto bytes = [this](int64_t index) {
      return reinterpret_cast<const uint8_t*>(window_.at(index));
    };
    if (own.count <= 2) {
      const bool two = own.count == 2;
      const uint8_t* upper = bytes(own.first);
      const uint8_t* lower = two ? bytes(own.first + 1) : upper;
      blend_values(upper, lower, own.weights[0], two ? own.weights[1] : 0, means_.data(),
                   stds_.data(), count, floats(row));
    } else {
      begin_sums(count, sums_.data());
      for (int64_t tap = 0; tap < own.count; ++tap)
        add_values(bytes(own.first + tap), own.weights[tap], count, sums_.data());
      finish_values(sums_.data(), means_.data(), stds_.data(), count, floats(row));
    }
    deliver(row, count);
    std::memset(row + count, 0, (whole - count) * sizeof(T));
  }

  // Where a row's floats are formed: in place, or aside where the batch has another type.
  float* floats(T* row) {
    if constexpr (std::is_same_v<T, float>) return row;
    return floats_.data();
  }

  void deliver(T* row, int64_t count) const {
    if constexpr (!std::is_same_v<T, float>)
      for (int64_t i = 0; i < count; ++i) row[i] = narrowed<T>(floats_[i]);
  }

  const SourceImage& image_;
  const Normalisation& normalisation_;
  const BatchShape& shape_;
  T* target_;
  TriangleAxis axis_;
  RowWindow window_;
  std::vector<int32_t> sums_;
  std::vector<float> floats_, means_, stds_;
};

}  // namespace

template <class T>
void resize_normalise_pad(const std::vector<SourceImage>& images, const Normalisation& normalisation,
                          const BatchShape& shape, T* batch, int threads) {
  const int64_t count = static_cast<int64_t>(images.size());
  const int64_t parts = (shape.height + kRowsAtOnce - 1) / kRowsAtOnce;
  const int64_t values = kChannels * shape.height * shape.width;
  for_each_item(count * parts, grain_of(count * parts, count * values), threads,
                [&](int64_t item, int) {
                  const int64_t begin = item % parts * kRowsAtOnce;
                  Writer<T> writer(images[item / parts], normalisation, shape,
                                   batch + item / parts * values);
                  writer.write(begin, std::min(begin + kRowsAtOnce, shape.height));
                });
}

template void resize_normalise_pad(const std::vector<SourceImage>&, const Normalisation&,
                                   const BatchShape&, float*, int);
template void resize_normalise_pad(const std::vector<SourceImage>&, const Normalisation&,
                                   const BatchShape&, Half*, int);
template void resize_normalise_pad(const std::vector<SourceImage>&, const Normalisation&,
                                   const BatchShape&, BFloat16*, int);

}  // namespace benchsuite::resize
