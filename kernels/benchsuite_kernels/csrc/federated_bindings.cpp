#include "bindings.hpp"
#include "federated_detections.hpp"

namespace benchsuite {
namespace {

template <class T, class From>
py::array_t<T> to_array(const std::vector<From>& values) {
  static_assert(sizeof(T) == sizeof(From));
  return py::array_t<T>(static_cast<py::ssize_t>(values.size()),
                        reinterpret_cast<const T*>(values.data()));
}

void require_ascending(const Array<int64_t>& numbers, const char* name, int64_t least_step) {
  const int64_t* data = numbers.data();
  for (py::ssize_t i = 1; i < numbers.size(); ++i)
    if (data[i] < data[i - 1] || (least_step && data[i] == data[i - 1]))
      throw py::value_error(std::string(name) + " does not ascend");
}

py::tuple select(const Array<int64_t>& detection_images, const Array<int64_t>& detection_categories,
                 const Array<double>& scores, const Array<int64_t>& image_ids,
                 const Array<int64_t>& category_ids, const Array<int64_t>& starts,
                 const Array<int64_t>& listed, const Array<bool>& exhaustive,
                 const Array<bool>& everything, int64_t most, int threads) {
  const py::ssize_t images = image_ids.size();
  require(detection_images, "image_ids", {scores.size()});
  require(detection_categories, "category_ids", {scores.size()});
  require(scores, "scores", {scores.size()});
  require(image_ids, "images", {images});
  require(category_ids, "categories", {category_ids.size()});
  require(starts, "starts", {images + 1});
  require(listed, "listed", {listed.size()});
  require(exhaustive, "exhaustive", {listed.size()});
  require(everything, "everything", {images});
  require_ascending(image_ids, "images", 1);
  require_ascending(category_ids, "categories", 1);
  require_ascending(starts, "starts", 0);
  require_below(listed, "listed", category_ids.size());
  if (starts.data()[0] != 0 || starts.data()[images] != listed.size())
    throw py::value_error("starts do not go from 0 to the number of listed categories");
  if (most < 0) throw py::value_error("most is negative");
  const federated::Detections detections{detection_images.data(), detection_categories.data(),
                                         scores.data(), scores.size()};
  const federated::LookedFor looked_for{image_ids.data(), category_ids.data(), starts.data(),
                                        listed.data(),    exhaustive.data(),   everything.data(),
                                        images,           category_ids.size()};
  federated::Selected selected;
  {
    const py::gil_scoped_release release;
    selected = federated::select(detections, looked_for, most, threads);
  }
  return py::make_tuple(to_array<int64_t>(selected.rows), to_array<int64_t>(selected.groups),
                        to_array<bool>(selected.not_exhaustive), selected.unknown_image,
                        selected.unknown_category);
}

}  // namespace

void bind_federated(py::module_& module) {
  module.def("federated_detections", &select, py::arg("image_ids").noconvert(),
             py::arg("category_ids").noconvert(), py::arg("scores").noconvert(),
             py::arg("images").noconvert(), py::arg("categories").noconvert(),
             py::arg("starts").noconvert(), py::arg("listed").noconvert(),
             py::arg("exhaustive").noconvert(), py::arg("everything").noconvert(),
             py::arg("most"), py::arg("threads"));
}

}  // namespace benchsuite
