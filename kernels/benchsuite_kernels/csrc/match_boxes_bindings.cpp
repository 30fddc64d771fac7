#include <limits>
#include <optional>

#include "bindings.hpp"
#include "match_boxes.hpp"
#include "tensor_view.hpp"

namespace benchsuite {
namespace {

// Where each image's objects begin, and behind the last. Throws unless images ascend.
std::vector<int64_t> starts_of(const TensorView<int64_t>& object_image, int64_t images) {
  object_image.require_below("object_image", images);
  std::vector<int64_t> starts(images + 1, 0);
  for (int64_t object = 0; object < object_image.size(); ++object) {
    if (object > 0 && object_image.data()[object] < object_image.data()[object - 1])
      throw py::value_error("object_image does not ascend");
    starts[object_image.data()[object] + 1] = object + 1;
  }
  for (int64_t image = 0; image < images; ++image)
    starts[image + 1] = std::max(starts[image], starts[image + 1]);
  return starts;
}

void bound_match_boxes(const TensorView<float>& boxes,
                       const std::optional<TensorView<int64_t>>& image_index,
                       const TensorView<float>& objects, const TensorView<int64_t>& object_image,
                       int64_t images, const std::vector<double>& thresholds,
                       const std::vector<int64_t>& labels, bool low_quality_matches,
                       const TensorView<int64_t>& matched, const TensorView<int64_t>& label,
                       int threads) {
  const int64_t count = boxes.shape(0);
  boxes.require("boxes", {count, 4});
  objects.require("objects", {object_image.size(), 4});
  if (labels.size() != thresholds.size() + 1 || images < 0 ||
      object_image.size() > std::numeric_limits<int32_t>::max())
    throw py::value_error("labels, thresholds, images or objects do not fit");
  const int64_t results = image_index ? count : images * count;
  if (matched.size() != results || label.size() != results)
    throw py::value_error("matched or label has another size than the results");
  if (image_index) {
    image_index->require("image_index", {count});
    image_index->require_below("image_index", images);
  }
  const BoxMatch task{boxes.data(),
                      count,
                      image_index ? image_index->data() : nullptr,
                      objects.data(),
                      starts_of(object_image, images),
                      {thresholds.begin(), thresholds.end()},
                      labels,
                      low_quality_matches,
                      matched.data(),
                      label.data()};
  const py::gil_scoped_release release;
  task.run(threads);
}

}  // namespace

void bind_match_boxes(py::module_& module) { module.def("match_boxes", &bound_match_boxes); }

}  // namespace benchsuite
