#include "bindings.hpp"
#include "selection.hpp"

#include <algorithm>
#include <optional>

namespace benchsuite {
namespace {

template <class T>
using Maps = std::vector<TensorView<T>>;

// How values become boxes: four weights of deltas, or none for distances.
BoxCoding coding_of(const std::vector<double>& weights) {
  BoxCoding coding{{1, 1, 1, 1}, weights.empty()};
  if (!weights.empty() && weights.size() != 4) throw py::value_error("weights are not four");
  for (size_t i = 0; i < weights.size(); ++i) coding.weights[i] = static_cast<float>(weights[i]);
  return coding;
}

// Maps of a head and its anchors; they are read where they lie.
template <class T>
struct Head {
  Head(const Maps<T>& logits, const Maps<T>& deltas, const Maps<T>& centerness, bool channels_last,
       const TensorView<float>& cells, const std::vector<double>& strides, double offset) {
    const size_t count = logits.size();
    if (deltas.size() != count || strides.size() != 2 * count ||
        (!centerness.empty() && centerness.size() != count))
      throw py::value_error("the head's maps are not of the same levels");
    int64_t first = 0;
    for (size_t level = 0; level < count; ++level) {
      const HeadMap<T> own_deltas = map(deltas[level], channels_last);
      const int64_t anchors = own_deltas.channels / 4;
      require_like(logits[level], deltas[level], channels_last);
      const HeadMap<T> own_logits = map(logits[level], channels_last);
      HeadMap<T> center{nullptr, anchors, own_logits.cells, channels_last};
      if (!centerness.empty()) {
        require_like(centerness[level], deltas[level], channels_last);
        center = map(centerness[level], channels_last);
      }
      if (anchors == 0 || own_deltas.channels % 4 || own_logits.channels % anchors ||
          center.channels != anchors)
        throw py::value_error("the head's maps have numbers of channels that do not fit");
      images = logits[level].shape(0);
      const int64_t axis = channels_last ? 1 : 2;
      const AnchorLevel grid{cells.data() + first * 4,
                             anchors,
                             logits[level].shape(axis),
                             logits[level].shape(axis + 1),
                             static_cast<float>(strides[2 * level]),
                             static_cast<float>(strides[2 * level + 1]),
                             static_cast<float>(offset)};
      levels.push_back({own_logits, own_deltas, center, grid, own_logits.channels / anchors});
      first += anchors;
    }
    cells.require("cells", {first, 4});
  }

  int64_t room(int64_t topk) const {
    int64_t total = 0;
    for (const HeadLevel<T>& level : levels) total += room_of(level, topk);
    return total;
  }

  void number_levels(int64_t topk, int64_t* level_of) const {
    for (size_t level = 0; level < levels.size(); ++level)
      level_of = std::fill_n(level_of, room_of(levels[level], topk), level);
  }

  std::vector<HeadLevel<T>> levels;
  int64_t images = 0;

 private:
  static HeadMap<T> map(const TensorView<T>& view, bool channels_last) {
    if (view.ndim() != 4) throw py::value_error("a map of the head has no four axes");
    const int64_t channels = view.shape(channels_last ? 3 : 1);
    const int64_t first = channels_last ? 1 : 2;
    return {view.data(), channels, view.shape(first) * view.shape(first + 1), channels_last};
  }

  static void require_like(const TensorView<T>& view, const TensorView<T>& other,
                           bool channels_last) {
    if (view.ndim() != 4) throw py::value_error("a map of the head has no four axes");
    for (int64_t axis = 0; axis < 4; ++axis)
      if (axis != (channels_last ? 3 : 1) && view.shape(axis) != other.shape(axis))
        throw py::value_error("maps of one level differ in their shape");
  }
};

template <class T>
void bound_rpn_selection(const Maps<T>& logits, const Maps<T>& deltas, bool channels_last,
                         const TensorView<float>& cells, const std::vector<double>& strides,
                         double offset, const TensorView<float>& sizes,
                         const std::vector<double>& weights, int64_t topk, double min_size,
                         const TensorView<float>& boxes, const TensorView<float>& scores,
                         const TensorView<int64_t>& level_of, int threads) {
  const Head<T> head(logits, deltas, {}, channels_last, cells, strides, offset);
  const int64_t room = head.room(topk);
  sizes.require("sizes", {head.images, 2});
  boxes.require("boxes", {head.images, room, 4});
  scores.require("scores", {head.images, room});
  const BoxCoding coding = coding_of(weights);
  level_of.require("levels", {room});
  const Candidates candidates{boxes.data(), scores.data(), nullptr, room};
  const py::gil_scoped_release release;
  head.number_levels(topk, level_of.data());
  select_anchors(head.levels, head.images, sizes.data(), coding, topk,
                 static_cast<float>(min_size), candidates, threads);
}

template <class T>
void bound_dense_selection(const Maps<T>& logits, const Maps<T>& deltas, const Maps<T>& centerness,
                           bool channels_last, const TensorView<float>& cells,
                           const std::vector<double>& strides, double offset,
                           const std::optional<TensorView<float>>& sizes,
                           const std::vector<double>& weights, double threshold, int64_t topk,
                           const TensorView<float>& boxes, const TensorView<float>& scores,
                           const TensorView<int64_t>& labels, int threads) {
  const Head<T> head(logits, deltas, centerness, channels_last, cells, strides, offset);
  const int64_t room = head.room(topk);
  if (sizes) sizes->require("sizes", {head.images, 2});
  boxes.require("boxes", {head.images, room, 4});
  scores.require("scores", {head.images, room});
  labels.require("labels", {head.images, room});
  const BoxCoding coding = coding_of(weights);
  const Candidates candidates{boxes.data(), scores.data(), labels.data(), room};
  const py::gil_scoped_release release;
  select_pairs(head.levels, head.images, sizes ? sizes->data() : nullptr, coding,
               static_cast<float>(threshold), topk, candidates, threads);
}

void bound_box_selection(const TensorView<float>& scores, const TensorView<float>& deltas,
                         const TensorView<float>& boxes, const TensorView<int64_t>& image_index,
                         const TensorView<float>& sizes, const std::vector<double>& weights,
                         double threshold, double min_size, const TensorView<float>& chosen_boxes,
                         const TensorView<float>& chosen_scores,
                         const TensorView<int64_t>& chosen_labels, int threads) {
  const int64_t count = image_index.size(), images = sizes.shape(0);
  const int64_t classes = scores.shape(1) - 1, box_classes = deltas.shape(1) / 4;
  const int64_t room = chosen_scores.shape(1);
  scores.require("scores", {count, classes + 1});
  deltas.require("deltas", {count, box_classes * 4});
  boxes.require("boxes", {count, 4});
  sizes.require("sizes", {images, 2});
  chosen_boxes.require("chosen boxes", {images, room, 4});
  chosen_scores.require("chosen scores", {images, room});
  chosen_labels.require("chosen labels", {images, room});
  if (box_classes != 1 && box_classes != classes)
    throw py::value_error("deltas are neither for every class nor for all together");
  for (int64_t row = 0; row < count; ++row)
    if (image_index.data()[row] >= images)
      throw py::value_error("image_index[" + std::to_string(row) + "] is not below " +
                            std::to_string(images));
  const Regions regions{scores.data(), deltas.data(), boxes.data(), image_index.data(),
                        count,         classes,       box_classes};
  const BoxCoding coding = coding_of(weights);
  const Candidates candidates{chosen_boxes.data(), chosen_scores.data(), chosen_labels.data(),
                              room};
  const py::gil_scoped_release release;
  select_boxes(regions, images, sizes.data(), coding, static_cast<float>(threshold),
               static_cast<float>(min_size), candidates, threads);
}

}  // namespace

void bind_selection(py::module_& module) {
  module.def("rpn_selection", &bound_rpn_selection<float>);
  module.def("rpn_selection", &bound_rpn_selection<BFloat16>);
  module.def("dense_selection", &bound_dense_selection<float>);
  module.def("dense_selection", &bound_dense_selection<BFloat16>);
  module.def("box_selection", &bound_box_selection);
}

}  // namespace benchsuite
