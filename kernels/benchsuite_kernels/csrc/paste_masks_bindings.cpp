#include <algorithm>

#include "bindings.hpp"
#include "packed_runs.hpp"
#include "paste_masks.hpp"
#include "tensor_view.hpp"

namespace benchsuite {
namespace {

// `sizes`: height and width of each image. Masks must belong to one of them.
PasteMasks task_of(const TensorView<float>& masks, const TensorView<float>& boxes,
                   const TensorView<int64_t>& image_index, const int64_t* sizes, int64_t images,
                   double threshold) {
  if (masks.ndim() != 3) throw py::value_error("masks have three axes");
  const int64_t count = masks.shape(0), side = masks.shape(1);
  masks.require("masks", {count, side, side});
  boxes.require("boxes", {count, 4});
  image_index.require("image_index", {count});
  image_index.require_below("image_index", images);
  return {masks.data(), boxes.data(), image_index.data(),           sizes,
          count,        side,         static_cast<float>(threshold)};
}

py::list bound_paste_masks_to_rle(const TensorView<float>& masks, const TensorView<float>& boxes,
                                  const TensorView<int64_t>& image_index,
                                  const std::vector<Size>& sizes, double threshold, int threads) {
  std::vector<int64_t> flat;
  for (const auto& [height, width] : sizes) flat.insert(flat.end(), {height, width});
  const PasteMasks task = task_of(masks, boxes, image_index, flat.data(),
                                  static_cast<int64_t>(sizes.size()), threshold);
  std::vector<std::string> counts;
  {
    const py::gil_scoped_release release;
    counts = task.to_rle(threads);
  }
  py::list result(counts.size());
  for (size_t i = 0; i < counts.size(); ++i) result[i] = py::bytes(counts[i]);
  return result;
}

void bound_paste_masks_runs(const TensorView<float>& masks, const TensorView<float>& boxes,
                            const TensorView<int64_t>& image_index,
                            const TensorView<int64_t>& sizes, double threshold,
                            const TensorView<int32_t>& runs, int threads) {
  sizes.require("sizes", {sizes.size() / 2, 2});
  const PasteMasks task =
      task_of(masks, boxes, image_index, sizes.data(), sizes.size() / 2, threshold);
  require_runs(runs, task.count);
  const py::gil_scoped_release release;
  write_runs(task.to_ends(threads), runs.data(), runs.size());
}

void bound_paste_masks_packed(const TensorView<float>& masks, const TensorView<float>& boxes,
                              const TensorView<int64_t>& image_index,
                              const TensorView<int64_t>& sizes, double threshold,
                              const TensorView<int64_t>& bits, int threads) {
  sizes.require("sizes", {sizes.size() / 2, 2});
  const PasteMasks task =
      task_of(masks, boxes, image_index, sizes.data(), sizes.size() / 2, threshold);
  if (bits.ndim() != 2) throw py::value_error("bits have two axes");
  bits.require("bits", {task.count, bits.shape(1)});
  const py::gil_scoped_release release;
  task.to_packed(reinterpret_cast<uint64_t*>(bits.data()), bits.shape(1), threads);
}

}  // namespace

void bind_paste_masks(py::module_& module) {
  module.def("paste_masks_to_rle", &bound_paste_masks_to_rle);
  module.def("paste_masks_runs", &bound_paste_masks_runs);
  module.def("paste_masks_packed", &bound_paste_masks_packed);
}

}  // namespace benchsuite
