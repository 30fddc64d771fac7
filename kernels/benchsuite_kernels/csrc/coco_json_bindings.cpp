#include <algorithm>
#include <array>
#include <cstring>
#include <type_traits>

#include "bindings.hpp"
#include "coco_json.hpp"

namespace benchsuite {
namespace {

using coco::PerRecord;
using coco::Records;
using Parts = std::vector<Records>;

// What a value of a column is in NumPy: its number type, and how many of them.
template <class T>
struct Layout {
  using Number = typename std::conditional_t<std::is_enum_v<T>, std::underlying_type<T>,
                                             std::enable_if<true, T>>::type;
  static constexpr py::ssize_t kWidth = 0;
};

template <class T, size_t N>
struct Layout<std::array<T, N>> {
  using Number = T;
  static constexpr py::ssize_t kWidth = N;
};

template <class T>
py::array_t<typename Layout<T>::Number> empty(int64_t rows) {
  std::vector<py::ssize_t> shape{rows};
  if (Layout<T>::kWidth) shape.push_back(Layout<T>::kWidth);
  return py::array_t<typename Layout<T>::Number>(shape);
}

int64_t rows_of(const Parts& parts) {
  int64_t rows = 0;
  for (const Records& part : parts) rows += part.count;
  return rows;
}

// The column of all parts, whose own it gives up part by part; None where it is empty.
template <class Get>
py::object whole(Parts& parts, const Get& get) {
  using T = typename std::remove_reference_t<decltype(get(parts[0]))>::value_type;
  bool any = false;
  for (Records& part : parts) any |= !get(part).values().empty();
  if (!any) return py::none();
  auto array = empty<T>(rows_of(parts));
  auto* out = reinterpret_cast<char*>(array.mutable_data());
  for (Records& part : parts) {
    auto& values = get(part).values();
    const size_t bytes = values.size() * sizeof(T), all = part.count * sizeof(T);
    if (bytes) std::memcpy(out, values.data(), bytes);
    std::memset(out + bytes, 0, all - bytes);
    out += all;
    ReturnedVector<T>().swap(values);
  }
  return std::move(array);
}

template <class T>
py::object joined(Parts& parts, ReturnedVector<T> Records::*items) {
  size_t count = 0;
  for (const Records& part : parts) count += (part.*items).size();
  auto array = empty<std::conditional_t<std::is_same_v<T, char>, uint8_t, T>>(count);
  auto* out = reinterpret_cast<char*>(array.mutable_data());
  for (Records& part : parts) {
    auto& values = part.*items;
    if (!values.empty()) std::memcpy(out, values.data(), values.size() * sizeof(T));
    out += values.size() * sizeof(T);
    ReturnedVector<T>().swap(values);
  }
  return std::move(array);
}

template <class T>
py::tuple field(Parts& parts, coco::Field<T> Records::*member) {
  return py::make_tuple(whole(parts, [=](Records& part) -> auto& { return (part.*member).value; }),
                        whole(parts, [=](Records& part) -> auto& { return (part.*member).present; }));
}

template <class T>
py::object column(Parts& parts, PerRecord<T> Records::*member) {
  return whole(parts, [=](Records& part) -> auto& { return part.*member; });
}

py::dict columns(Parts& parts) {
  py::dict found;
  found["count"] = rows_of(parts);
  found["id"] = field(parts, &Records::id);
  found["image_id"] = field(parts, &Records::image_id);
  found["category_id"] = field(parts, &Records::category_id);
  found["score"] = field(parts, &Records::score);
  found["area"] = field(parts, &Records::area);
  found["iscrowd"] = field(parts, &Records::iscrowd);
  found["ignore"] = field(parts, &Records::ignore);
  found["num_keypoints"] = field(parts, &Records::num_keypoints);
  found["bbox"] = field(parts, &Records::bbox);
  found["keypoint_numbers"] = column(parts, &Records::keypoint_numbers);
  found["keypoints"] = joined(parts, &Records::keypoints);
  found["shape"] = column(parts, &Records::shape);
  found["size"] = column(parts, &Records::size);
  found["counts"] = column(parts, &Records::counts);
  found["run_numbers"] = column(parts, &Records::run_numbers);
  found["runs"] = joined(parts, &Records::runs);
  found["polygon_numbers"] = column(parts, &Records::polygon_numbers);
  found["point_numbers"] = joined(parts, &Records::point_numbers);
  found["points"] = joined(parts, &Records::points);
  found["extra_numbers"] = column(parts, &Records::extra_numbers);
  found["extra"] = joined(parts, &Records::extra);
  return found;
}

// The text, after which zeros are written as far as the scanner may read.
std::string_view padded(Array<uint8_t>& buffer, int64_t size) {
  if (buffer.ndim() != 1 || size < 0 || buffer.size() < size + json::kPadding)
    throw py::value_error("the buffer is too short for the text and the padding after it");
  auto* text = reinterpret_cast<char*>(buffer.mutable_data());
  std::memset(text + size, 0, json::kPadding);
  return {text, static_cast<size_t>(size)};
}

py::object scan_results(Array<uint8_t> buffer, int64_t size, int threads, int64_t smallest_part) {
  const auto sharing = coco::Sharing{threads, std::max<int64_t>(smallest_part, 1)};
  const auto text = padded(buffer, size);
  Parts parts;
  try {
    const py::gil_scoped_release release;
    parts = coco::read_results(text, sharing);
  } catch (const json::Doubt&) {
    return py::none();
  }
  return columns(parts);
}

py::object scan_annotations(Array<uint8_t> buffer, int64_t size, int threads, int64_t smallest_part) {
  const auto sharing = coco::Sharing{threads, std::max<int64_t>(smallest_part, 1)};
  const auto text = padded(buffer, size);
  coco::AnnotationFile file;
  try {
    const py::gil_scoped_release release;
    file = coco::read_annotations(text, sharing);
  } catch (const json::Doubt&) {
    return py::none();
  }
  py::dict found = columns(file.annotations);
  found["images"] = py::bytes(text.data() + file.images[0], file.images[1]);
  found["categories"] = py::bytes(text.data() + file.categories[0], file.categories[1]);
  return std::move(found);
}

py::array gather(Array<uint8_t> buffer, const Array<int64_t>& spans) {
  if (spans.ndim() != 2 || spans.shape(1) != 2) throw py::value_error("spans are (N, 2)");
  const py::ssize_t count = spans.shape(0);
  const int64_t* at = spans.data();
  for (int64_t i = 0, free = 0; i < count; ++i) {
    const int64_t start = at[2 * i], length = at[2 * i + 1];
    if (start < free || length < 0 || start > buffer.size() - length)
      throw py::value_error("span " + std::to_string(i) + " overlaps another or leaves the buffer");
    free = start + length;
  }
  py::array_t<int64_t> ends(count);
  char* text = reinterpret_cast<char*>(buffer.mutable_data());
  int64_t* out = ends.mutable_data();
  const auto* given = reinterpret_cast<const coco::Span*>(at);
  {
    const py::gil_scoped_release release;
    coco::gather(text, given, count, out);
  }
  return std::move(ends);
}

}  // namespace

void bind_coco_json(py::module_& module) {
  py::module_ functions = module.def_submodule("coco_json");
  functions.attr("PADDING") = json::kPadding;
  // Tests ask for smaller parts.
  const auto smallest_part = py::arg("smallest_part") = 1 << 18;
  functions.def("scan_results", &scan_results, py::arg("buffer").noconvert(), py::arg("size"),
                py::arg("threads"), smallest_part);
  functions.def("scan_annotations", &scan_annotations, py::arg("buffer").noconvert(),
                py::arg("size"), py::arg("threads"), smallest_part);
  functions.def("gather", &gather, py::arg("buffer").noconvert(), py::arg("spans").noconvert());
}

}  // namespace benchsuite
