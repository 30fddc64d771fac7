#include <algorithm>

#include "bindings.hpp"
#include "instance_maps.hpp"

namespace benchsuite {
namespace {

using instance_maps::ColumnRuns;

ColumnRuns column_runs(const Array<uint16_t>& map) {
  return ColumnRuns(map.data(), map.shape(0), map.shape(1));
}

void require_map(const Array<uint16_t>& map) {
  if (map.ndim() != 2 || map.size() == 0)
    throw py::value_error("a map has two axes, neither of length 0");
}

Array<int64_t> as_array(const std::vector<int64_t>& values) {
  Array<int64_t> array(static_cast<py::ssize_t>(values.size()));
  std::copy(values.begin(), values.end(), array.mutable_data());
  return array;
}

py::tuple regions(const Array<uint16_t>& map, uint16_t smallest) {
  require_map(map);
  std::vector<instance_maps::Region> found;
  {
    const py::gil_scoped_release release;
    found = instance_maps::regions(column_runs(map), smallest);
  }
  const auto count = static_cast<py::ssize_t>(found.size());
  Array<int64_t> values(count), areas(count);
  Array<int64_t> boxes({count, py::ssize_t{4}});
  py::list counts(count);
  for (py::ssize_t i = 0; i < count; ++i) {
    values.mutable_data()[i] = found[i].value;
    areas.mutable_data()[i] = found[i].area;
    const auto& box = found[i].box;
    const int64_t sides[] = {box.x, box.y, box.width, box.height};
    std::copy(sides, sides + 4, boxes.mutable_data() + 4 * i);
    counts[i] = py::bytes(found[i].counts);
  }
  return py::make_tuple(values, areas, boxes, counts);
}

py::tuple overlaps(const Array<uint16_t>& map, const Array<uint8_t>& counts,
                   const Array<int64_t>& offsets) {
  require_map(map);
  if (offsets.ndim() != 1 || offsets.size() == 0)
    throw py::value_error("offsets has one axis and at least one item");
  require_below(offsets, "offsets", counts.size() + 1);
  std::vector<std::string_view> masks;
  const char* bytes = reinterpret_cast<const char*>(counts.data());
  for (py::ssize_t i = 0; i + 1 < offsets.size(); ++i) {
    const int64_t start = offsets.data()[i], stop = offsets.data()[i + 1];
    if (stop < start) throw py::value_error("offsets descend at " + std::to_string(i));
    masks.emplace_back(bytes + start, static_cast<size_t>(stop - start));
  }
  instance_maps::Overlaps found;
  {
    const py::gil_scoped_release release;
    found = instance_maps::overlaps(column_runs(map), masks);
  }
  return py::make_tuple(as_array(found.starts), as_array(found.values), as_array(found.pixels));
}

}  // namespace

void bind_instance_maps(py::module_& module) {
  py::module_ functions = module.def_submodule("instance_maps");
  functions.def("regions", &regions, py::arg("instance_map").noconvert(), py::arg("smallest"));
  functions.def("overlaps", &overlaps, py::arg("instance_map").noconvert(),
                py::arg("counts").noconvert(), py::arg("offsets").noconvert());
}

}  // namespace benchsuite
