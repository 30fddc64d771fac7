// Which object each box stands for, by intersection over union, without a matrix of overlaps.

// Boxes, and the objects of each image: `starts` has one number an image, and one behind the last.
// Results are numbered image by image where all images share the boxes, else as the boxes are.
struct Boxes {
  const float* boxes;
  const long long* image_index;
  const float* objects;
  const long long* starts;
  long long count, images, shared;

  __device__ __forceinline__ const float* box(long long result) const {
    return boxes + 4 * (shared != 0 ? result % count : result);
  }

  // An image that is none has no objects.
  __device__ __forceinline__ long long image(long long result) const {
    const long long image = shared != 0 ? result / count : image_index[result];
    return image < 0 || image >= images ? images : image;
  }

  __device__ __forceinline__ long long first(long long image) const { return starts[image]; }

  __device__ __forceinline__ long long last(long long image) const {
    return starts[image < images ? image + 1 : image];
  }
};

__device__ __forceinline__ float box_overlap(const float* box, const float* object) {
  const float width = fminf(box[2], object[2]) - fmaxf(box[0], object[0]);
  const float height = fminf(box[3], object[3]) - fmaxf(box[1], object[1]);
  if (!(width > 0.0f && height > 0.0f)) return 0.0f;
  const float common = width * height;
  const float own = (object[2] - object[0]) * (object[3] - object[1]);
  const float both = own + (box[2] - box[0]) * (box[3] - box[1]) - common;
  return common > 0.0f && both > 0.0f ? common / both : 0.0f;
}

// `most` holds the bits of each object's largest overlap, 0 at first: numbers that are not negative
// order as their bits do. It is found only where `nearest` is 1.
extern "C" __global__ void match_best(const float* boxes, const long long* image_index,
                                      const float* objects, const long long* starts, int* most,
                                      long long* matched, long long* labels, long long results,
                                      long long count, long long images, long long shared,
                                      long long nearest, float threshold0, float threshold1,
                                      float threshold2, float threshold3, long long label0,
                                      long long label1, long long label2, long long label3,
                                      long long label4) {
  const Boxes all{boxes, image_index, objects, starts, count, images, shared};
  const long long step = static_cast<long long>(gridDim.x) * blockDim.x;
  for (long long i = static_cast<long long>(blockIdx.x) * blockDim.x + threadIdx.x; i < results;
       i += step) {
    const long long image = all.image(i), last = all.last(image);
    const float* box = all.box(i);
    float best = 0.0f;
    long long object = all.first(image);
    for (long long at = object; at < last; ++at) {
      const float overlap = box_overlap(box, objects + 4 * at);
      if (overlap > best) {
        best = overlap;
        object = at;
      }
      // Most overlaps are less than what is there already: no need to write those.
      if (nearest != 0 && overlap > 0.0f && __float_as_int(overlap) > most[at])
        atomicMax(most + at, __float_as_int(overlap));
    }
    matched[i] = object;
    labels[i] = best >= threshold3   ? label4
                : best >= threshold2 ? label3
                : best >= threshold1 ? label2
                : best >= threshold0 ? label1
                                     : label0;
  }
}

// Those that overlap an object as much as any box does are positive.
extern "C" __global__ void match_nearest(const float* boxes, const long long* image_index,
                                         const float* objects, const long long* starts,
                                         const int* most, long long* labels, long long results,
                                         long long count, long long images, long long shared) {
  const Boxes all{boxes, image_index, objects, starts, count, images, shared};
  const long long step = static_cast<long long>(gridDim.x) * blockDim.x;
  for (long long i = static_cast<long long>(blockIdx.x) * blockDim.x + threadIdx.x; i < results;
       i += step) {
    const long long image = all.image(i), last = all.last(image);
    const float* box = all.box(i);
    for (long long at = all.first(image); at < last; ++at) {
      const int overlap = __float_as_int(box_overlap(box, objects + 4 * at));
      if (overlap > 0 && overlap == most[at]) {
        labels[i] = 1;
        break;
      }
    }
  }
}
