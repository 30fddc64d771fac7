#include "bindings.hpp"
#include "label_maps.hpp"
#include "png.hpp"

namespace benchsuite {
namespace {

NativePath native_path(const py::handle path) {
#if defined(_WIN32)
  wchar_t* const wide = PyUnicode_AsWideCharString(path.ptr(), nullptr);
  if (!wide) throw py::error_already_set();
  const NativePath found(wide);
  PyMem_Free(wide);
  return found;
#else
  PyObject* encoded = nullptr;  // refuses zero bytes, as the other does
  if (!PyUnicode_FSConverter(path.ptr(), &encoded)) throw py::error_already_set();
  return py::reinterpret_steal<py::bytes>(encoded);
#endif
}

// Sources of maps, with the buffers that must live as long as they do.
struct HeldMaps {
  label_maps::Maps maps;
  std::vector<py::buffer_info> held;

  HeldMaps(const py::sequence& sources, int form) {
    maps.form = static_cast<png::Form>(form);
    maps.sources.reserve(py::len(sources));
    for (const py::handle source : sources) {
      MapSource map;
      if (py::isinstance<py::buffer>(source)) {
        held.push_back(py::reinterpret_borrow<py::buffer>(source).request());
        const py::buffer_info& info = held.back();
        if (info.ndim != 1 || info.itemsize != 1 || info.strides[0] != 1)
          throw py::value_error("a PNG in memory is contiguous bytes");
        map.data = static_cast<const uint8_t*>(info.ptr);
        map.size = static_cast<size_t>(info.size);
        if (!map.data) map.data = reinterpret_cast<const uint8_t*>("");
      } else {
        map.file = native_path(source);
      }
      maps.sources.push_back(std::move(map));
    }
  }
};

py::object as_object(const label_maps::Failure& failure) {
  if (failure.item < 0) return py::none();
  return py::make_tuple(failure.item, failure.side, failure.problem);
}

// Starts, both numbers and pixels of the pairs of each item.
py::tuple as_columns(const std::vector<std::vector<label_maps::Pair>>& counted) {
  py::array_t<int64_t> starts(static_cast<py::ssize_t>(counted.size() + 1));
  int64_t total = 0;
  starts.mutable_data()[0] = 0;
  for (size_t item = 0; item < counted.size(); ++item)
    starts.mutable_data()[item + 1] = total += static_cast<int64_t>(counted[item].size());
  py::array_t<int64_t> firsts(total), seconds(total), pixels(total);
  int64_t at = 0;
  for (const auto& pairs : counted)
    for (const label_maps::Pair& pair : pairs) {
      firsts.mutable_data()[at] = pair.first;
      seconds.mutable_data()[at] = pair.second;
      pixels.mutable_data()[at] = pair.pixels;
      ++at;
    }
  return py::make_tuple(starts, firsts, seconds, pixels);
}

py::tuple count_pairs(const py::sequence& firsts, const py::sequence& second,
                      const std::vector<int>& first_forms, int second_form, int threads) {
  const HeldMaps last(second, second_form);
  std::vector<HeldMaps> held;
  std::vector<label_maps::Maps> kinds;
  held.reserve(first_forms.size());
  if (py::len(firsts) != first_forms.size())
    throw py::value_error("there are not as many forms as kinds of maps");
  for (size_t kind = 0; kind < first_forms.size(); ++kind) {
    held.emplace_back(firsts[kind].cast<py::sequence>(), first_forms[kind]);
    if (held.back().maps.sources.size() != last.maps.sources.size())
      throw py::value_error("there are not as many maps on one side as on the other");
    kinds.push_back(held.back().maps);
  }
  label_maps::Failure failure;
  std::vector<std::vector<std::vector<label_maps::Pair>>> counted;  // by kind
  {
    const py::gil_scoped_release release;
    counted = label_maps::count_pairs(kinds, last.maps, threads, failure);
  }
  py::list columns;
  for (const auto& of_kind : counted) columns.append(as_columns(of_kind));
  return py::make_tuple(columns, as_object(failure));
}

// Starts, numbers and classes, checked; the arrays must outlive what is returned.
label_maps::Classes classes_of(const Array<int64_t>& starts, const Array<int64_t>& numbers,
                               const Array<int64_t>& classes, size_t items) {
  const auto lists = starts.size() - 1;
  if (lists != 1 && lists != static_cast<py::ssize_t>(items))
    throw py::value_error("there is neither one list of classes nor one for each map");
  require(classes, "classes", {numbers.size()});
  require_below(classes, "classes", label_maps::kMostClasses);
  const int64_t* start = starts.data();
  if (start[0] != 0 || start[lists] != numbers.size())
    throw py::value_error("the lists of classes do not begin and end with the numbers");
  for (py::ssize_t list = 0; list < lists; ++list)
    if (start[list] > start[list + 1]) throw py::value_error("a list of classes is negative");
  return {start, numbers.data(), classes.data(), lists == 1};
}

py::tuple count_boundary_pairs(const py::sequence& first, const py::sequence& second,
                               int first_form, int second_form,
                               const std::vector<Array<int64_t>>& first_classes,
                               const std::vector<Array<int64_t>>& second_classes, double ratio,
                               int threads) {
  const HeldMaps a(first, first_form), b(second, second_form);
  if (a.maps.sources.size() != b.maps.sources.size())
    throw py::value_error("there are not as many maps on one side as on the other");
  const size_t items = a.maps.sources.size();
  const auto of_first =
      classes_of(first_classes.at(0), first_classes.at(1), first_classes.at(2), items);
  const auto of_second =
      classes_of(second_classes.at(0), second_classes.at(1), second_classes.at(2), items);
  label_maps::Failure failure;
  std::vector<std::vector<label_maps::Pair>> counted;
  {
    const py::gil_scoped_release release;
    counted = label_maps::count_boundary_pairs(a.maps, b.maps, of_first, of_second, ratio, threads,
                                               failure);
  }
  return py::make_tuple(as_columns(counted), as_object(failure));
}

py::tuple read_header(const py::bytes& data) {
  const std::string_view bytes = data;
  const png::Header header =
      png::read_header(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
  return py::make_tuple(header.height, header.width, static_cast<int>(header.form()));
}

// The numbers of a map, row after row; `bytes` is a constant so that the loop is vectorised.
template <int bytes, class Number>
void copy_numbers(const png::Pixels& map, Number* out) {
  for (int64_t y = 0; y < map.height; ++y, out += map.width) {
    const uint8_t* row = map.row(y);
    for (int64_t x = 0; x < map.width; ++x)
      out[x] = static_cast<Number>(png::number(row + x * bytes, bytes));
  }
}

// The numbers as (H, W): uint8, uint16 or, in colour, uint32.
py::array decode(const py::bytes& data, int form) {
  const std::string_view bytes = data;
  png::Reader reader;
  png::Pixels map;
  {
    const py::gil_scoped_release release;
    map = reader.read(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size(),
                      static_cast<png::Form>(form));
  }
  const std::vector<py::ssize_t> shape{map.height, map.width};
  const py::dtype dtype = map.bytes == 1   ? py::dtype::of<uint8_t>()
                          : map.bytes == 2 ? py::dtype::of<uint16_t>()
                                           : py::dtype::of<uint32_t>();
  py::array numbers(dtype, shape);
  void* const out = numbers.mutable_data();
  const py::gil_scoped_release release;
  if (map.bytes == 1)
    copy_numbers<1>(map, static_cast<uint8_t*>(out));
  else if (map.bytes == 2)
    copy_numbers<2>(map, static_cast<uint16_t*>(out));
  else
    copy_numbers<3>(map, static_cast<uint32_t*>(out));
  return numbers;
}

}  // namespace

void bind_label_maps(py::module_& module) {
  py::module_ functions = module.def_submodule("label_maps");
  functions.def("count_pairs", &count_pairs, py::arg("firsts"), py::arg("seconds"),
                py::arg("first_forms"), py::arg("second_form"), py::arg("threads"));
  functions.def("count_boundary_pairs", &count_boundary_pairs, py::arg("firsts"),
                py::arg("seconds"), py::arg("first_form"), py::arg("second_form"),
                py::arg("first_classes"), py::arg("second_classes"), py::arg("ratio"),
                py::arg("threads"));
  functions.def("read_header", &read_header, py::arg("png"));
  functions.def("decode", &decode, py::arg("png"), py::arg("form"));
}

}  // namespace benchsuite
