#include <numeric>

#include "bindings.hpp"
#include "rle_batch.hpp"

namespace benchsuite {
namespace {

// Pixels of an image; more than 2^34 cannot be, and areas must fit 64 bits.
constexpr int64_t kMostPixels = int64_t{1} << 34;

void require_sizes(const Array<int64_t>& sizes, int64_t masks) {
  require(sizes, "sizes", {masks, 2});
  for (int64_t i = 0; i < masks; ++i) {
    const int64_t height = sizes.data()[2 * i], width = sizes.data()[2 * i + 1];
    if (height < 0 || width < 0 || (width && height > kMostPixels / width))
      throw py::value_error("an image of " + std::to_string(height) + " x " +
                            std::to_string(width) + " pixels cannot be");
  }
}

int64_t require_offsets(const Array<int64_t>& offsets, int64_t limit) {
  if (offsets.ndim() != 1 || !offsets.size()) throw py::value_error("offsets are (N + 1,)");
  const int64_t* at = offsets.data();
  const int64_t masks = offsets.size() - 1;
  bool ascend = at[0] >= 0 && at[masks] <= limit;
  for (int64_t i = 0; ascend && i < masks; ++i) ascend = at[i] <= at[i + 1];
  if (!ascend) throw py::value_error("the offsets do not ascend within what they point into");
  return masks;
}

rle::Masks masks_of(const Array<uint8_t>& counts, const Array<int64_t>& offsets) {
  const int64_t masks = require_offsets(offsets, counts.size());
  const std::string_view text(reinterpret_cast<const char*>(counts.data()), counts.size());
  return {text, offsets.data(), nullptr, masks};
}

// Where the items of each row begin, given how many each has.
template <class T>
std::vector<int64_t> starts(const T* numbers, int64_t rows, const char* name, int64_t limit) {
  std::vector<int64_t> found(rows + 1);
  for (int64_t i = 0; i < rows; ++i) {
    if (numbers[i] < 0) throw py::value_error(std::string(name) + " are negative");
    found[i + 1] = found[i] + numbers[i];
  }
  if (found[rows] != limit) throw py::value_error(std::string(name) + " do not add up");
  return found;
}

py::tuple as_arrays(rle::Made made) {
  py::array_t<int64_t> offsets(static_cast<py::ssize_t>(made.lengths.size()) + 1);
  int64_t* at = offsets.mutable_data();
  *at = 0;
  std::partial_sum(made.lengths.begin(), made.lengths.end(), at + 1);
  py::array_t<uint8_t> counts(at[made.lengths.size()]);
  char* out = reinterpret_cast<char*>(counts.mutable_data());
  for (std::string& part : made.parts) {
    out = std::copy(part.begin(), part.end(), out);
    std::string().swap(part);
  }
  return py::make_tuple(std::move(counts), std::move(offsets));
}

py::array areas(const Array<uint8_t>& counts, const Array<int64_t>& offsets, int threads) {
  const rle::Masks masks = masks_of(counts, offsets);
  py::array_t<int64_t> found(masks.number);
  int64_t* out = found.mutable_data();
  {
    const py::gil_scoped_release release;
    rle::areas(masks, threads, out);
  }
  return std::move(found);
}

py::array validate(const Array<uint8_t>& counts, const Array<int64_t>& offsets,
                   const Array<int64_t>& sizes, int threads) {
  rle::Masks masks = masks_of(counts, offsets);
  require_sizes(sizes, masks.number);
  masks.sizes = sizes.data();
  py::array_t<int64_t> found(masks.number);
  int64_t* out = found.mutable_data();
  {
    const py::gil_scoped_release release;
    rle::validate(masks, threads, out);
  }
  return std::move(found);
}

py::array boxes(const Array<uint8_t>& counts, const Array<int64_t>& offsets,
                const Array<int64_t>& sizes, int threads) {
  rle::Masks masks = masks_of(counts, offsets);
  require_sizes(sizes, masks.number);
  masks.sizes = sizes.data();
  py::array_t<double> found({masks.number, int64_t{4}});
  double* out = found.mutable_data();
  {
    const py::gil_scoped_release release;
    rle::boxes(masks, threads, out);
  }
  return std::move(found);
}

py::tuple from_polygons(const Array<double>& points, const Array<int32_t>& numbers,
                        const Array<int32_t>& polygons, const Array<int64_t>& sizes, int threads) {
  const int64_t masks = polygons.size();
  require_sizes(sizes, masks);
  const auto first_polygon = starts(polygons.data(), masks, "polygons", numbers.size());
  const auto polygon_starts = starts(numbers.data(), numbers.size(), "numbers", points.size());
  std::vector<int64_t> first_point(masks);
  for (int64_t i = 0; i < masks; ++i) first_point[i] = polygon_starts[first_polygon[i]];
  const rle::Polygons given{points.data(),        numbers.data(),     polygons.data(),
                            first_polygon.data(), first_point.data(), sizes.data(),
                            masks};
  rle::Made made;
  {
    const py::gil_scoped_release release;
    made = rle::from_polygons(given, threads);
  }
  return as_arrays(std::move(made));
}

py::tuple from_runs(const Array<int64_t>& runs, const Array<int32_t>& numbers,
                    const Array<int64_t>& sizes, int threads) {
  const int64_t masks = numbers.size();
  require_sizes(sizes, masks);
  const auto first_run = starts(numbers.data(), masks, "numbers", runs.size());
  const int64_t *given = runs.data(), *given_sizes = sizes.data();
  rle::Made made;
  {
    const py::gil_scoped_release release;
    made = rle::from_runs(given, first_run.data(), given_sizes, masks, threads);
  }
  return as_arrays(std::move(made));
}

}  // namespace

void bind_rle_batch(py::module_& module) {
  py::module_ functions = module.def_submodule("rle_batch");
  // Python sees a ValueError whose arguments are the message and the row.
  py::register_exception_translator([](std::exception_ptr thrown) {
    try {
      std::rethrow_exception(thrown);
    } catch (const rle::BadMask& bad) {
      PyErr_SetObject(PyExc_ValueError, py::make_tuple(bad.what(), bad.row).ptr());
    }
  });
  const auto counts = py::arg("counts").noconvert(), offsets = py::arg("offsets").noconvert(),
             sizes = py::arg("sizes").noconvert(), numbers = py::arg("numbers").noconvert();
  const auto threads = py::arg("threads");
  functions.def("areas", &areas, counts, offsets, threads);
  functions.def("validate", &validate, counts, offsets, sizes, threads);
  functions.def("boxes", &boxes, counts, offsets, sizes, threads);
  functions.def("from_polygons", &from_polygons, py::arg("points").noconvert(), numbers,
                py::arg("polygons").noconvert(), sizes, threads);
  functions.def("from_runs", &from_runs, py::arg("runs").noconvert(), numbers, sizes, threads);
}

}  // namespace benchsuite
