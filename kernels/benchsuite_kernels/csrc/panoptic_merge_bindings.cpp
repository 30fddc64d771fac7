#include "bindings.hpp"
#include "packed_masks.hpp"
#include "panoptic_merge.hpp"
#include "rle.hpp"
#include "tensor_view.hpp"

namespace benchsuite {
namespace {

// Offers masks in order and fills the outputs; ends_of(row, ends) finds where a mask's runs end.
template <class Class, class EndsOf>
void merge(int64_t masks, const EndsOf& ends_of, const TensorView<Class>& semantic, double overlap,
           int64_t least, const TensorView<int32_t>& ids, const TensorView<int32_t>& numbers,
           const TensorView<int32_t>& stuff) {
  if (semantic.ndim() != 2) throw py::value_error("semantic has two axes");
  const int64_t height = semantic.shape(0), width = semantic.shape(1);
  ids.require("ids", {height, width});
  numbers.require("numbers", {masks});
  stuff.require("stuff", {stuff.size()});
  const py::gil_scoped_release release;
  PanopticMap map(height, width);
  std::vector<int64_t> ends;
  for (int64_t i = 0; i < masks; ++i) {
    ends_of(i, height, width, ends);
    numbers.data()[i] = map.offer(ends, overlap);
  }
  if (!map.finish(semantic.data(), stuff.size(), least, ids.data(), stuff.data()))
    throw std::invalid_argument("semantic holds a class outside 0 to " +
                                std::to_string(stuff.size() - 1));
}

template <class Class>
void merge_rle(const std::vector<std::string>& counts, const TensorView<Class>& semantic,
               double overlap, int64_t least, const TensorView<int32_t>& ids,
               const TensorView<int32_t>& numbers, const TensorView<int32_t>& stuff) {
  merge(
      static_cast<int64_t>(counts.size()),
      [&](int64_t i, int64_t height, int64_t width, std::vector<int64_t>& ends) {
        rle::runs_of_image(counts[i], height, width, ends);
        for (size_t run = 1; run < ends.size(); ++run) ends[run] += ends[run - 1];
      },
      semantic, overlap, least, ids, numbers, stuff);
}

// order: which mask is best, second best, ...
template <class Class>
void merge_packed(const TensorView<int64_t>& bits, const TensorView<int64_t>& order,
                  const TensorView<Class>& semantic, double overlap, int64_t least,
                  const TensorView<int32_t>& ids, const TensorView<int32_t>& numbers,
                  const TensorView<int32_t>& stuff) {
  if (bits.ndim() != 2) throw py::value_error("bits have two axes");
  const int64_t words = bits.shape(1);
  order.require_below("order", bits.shape(0));
  if (semantic.ndim() == 2 && words_of(semantic.shape(0) * semantic.shape(1)) > words)
    throw py::value_error("the image has more pixels than bits");
  merge(
      order.size(),
      [&](int64_t i, int64_t height, int64_t width, std::vector<int64_t>& ends) {
        const int64_t* mask = bits.data() + order.data()[i] * words;
        ends_of_packed(reinterpret_cast<const uint64_t*>(mask), height * width, ends);
      },
      semantic, overlap, least, ids, numbers, stuff);
}

}  // namespace

void bind_panoptic_merge(py::module_& module) {
  module.def("panoptic_merge_rle", &merge_rle<uint8_t>);
  module.def("panoptic_merge_rle", &merge_rle<int32_t>);
  module.def("panoptic_merge", &merge_packed<uint8_t>);
  module.def("panoptic_merge", &merge_packed<int32_t>);
}

}  // namespace benchsuite
