#include "packed_masks.hpp"

#include "bindings.hpp"
#include "packed_runs.hpp"
#include "parallel.hpp"
#include "rle.hpp"
#include "tensor_view.hpp"

namespace benchsuite {
namespace {

uint64_t* words_in(const TensorView<int64_t>& bits) {
  return reinterpret_cast<uint64_t*>(bits.data());
}

// The number of masks in `bits`, which are (R, words).
int64_t masks_in(const TensorView<int64_t>& bits) {
  if (bits.ndim() != 2) throw py::value_error("bits have two axes");
  return bits.shape(0);
}

// Starts and ends of each mask, checked: within the tensor, and ascending.
struct Runs {
  const int32_t* starts;
  const int32_t* ends;

  Runs(const TensorView<int32_t>& runs, int64_t masks) {
    require_runs(runs, masks);
    starts = runs.data();
    ends = starts + masks + 1;
    bool sound = starts[0] >= 0 && starts[masks] <= runs.size() - masks - 1;
    for (int64_t i = 0; sound && i < masks; ++i) {
      sound = starts[i] <= starts[i + 1];
      for (int32_t at = starts[i] + 1; sound && at < starts[i + 1]; ++at)
        sound = ends[at - 1] >= 0 && ends[at - 1] <= ends[at];
    }
    if (!sound) throw py::value_error("runs do not ascend, or there was no room for all of them");
  }
};

void bound_runs_from_packed(const TensorView<int64_t>& bits, const TensorView<int64_t>& pixels,
                            const TensorView<int32_t>& runs, int threads) {
  const int64_t masks = masks_in(bits), words = bits.shape(1);
  pixels.require("pixels", {masks});
  pixels.require_below("pixels", words * kWordBits + 1);
  require_runs(runs, masks);
  const py::gil_scoped_release release;
  std::vector<std::vector<int64_t>> ends(masks);
  for_each_item(masks, grain_of(masks, masks * words), threads, [&](int64_t i, int) {
    ends_of_packed(words_in(bits) + i * words, pixels.data()[i], ends[i]);
  });
  write_runs(ends, runs.data(), runs.size());
}

void bound_packed_from_runs(const TensorView<int32_t>& runs, const TensorView<int64_t>& bits,
                            int threads) {
  const int64_t masks = masks_in(bits), words = bits.shape(1);
  const Runs given(runs, masks);
  const py::gil_scoped_release release;
  for_each_item(masks, grain_of(masks, masks * words), threads, [&](int64_t i, int) {
    const std::vector<int64_t> ends(given.ends + given.starts[i], given.ends + given.starts[i + 1]);
    fill_packed(ends.data(), static_cast<int64_t>(ends.size()), words_in(bits) + i * words, words);
  });
}

py::list bound_rle_from_ends(const TensorView<int32_t>& runs, int64_t masks) {
  const Runs given(runs, masks);
  py::list result(masks);
  for (int64_t i = 0; i < masks; ++i)
    result[i] = py::bytes(
        compress_ends(given.ends + given.starts[i], given.starts[i + 1] - given.starts[i]));
  return result;
}

// Compressed counts, each of an image of so many pixels, to packed bits.
void bound_packed_from_rle(const std::vector<std::string>& counts, const std::vector<Size>& sizes,
                           const TensorView<int64_t>& bits, int threads) {
  const int64_t masks = masks_in(bits), words = bits.shape(1);
  if (static_cast<int64_t>(counts.size()) != masks || counts.size() != sizes.size())
    throw py::value_error("there are not as many counts and sizes as masks");
  for (const auto& [height, width] : sizes)
    if (words_of(height * width) > words) throw py::value_error("an image has more pixels than bits");
  const py::gil_scoped_release release;
  for_each_item(masks, grain_of(masks, masks * words), threads, [&](int64_t i, int) {
    std::vector<int64_t> ends = rle::runs_of_image(counts[i], sizes[i].first, sizes[i].second);
    for (size_t run = 1; run < ends.size(); ++run) ends[run] += ends[run - 1];
    fill_packed(ends.data(), static_cast<int64_t>(ends.size()), words_in(bits) + i * words, words);
  });
}

void bound_pack_masks(const TensorView<bool>& masks, const TensorView<int64_t>& bits, int threads) {
  const int64_t count = masks_in(bits), words = bits.shape(1);
  if (masks.ndim() != 3) throw py::value_error("masks have three axes");
  const int64_t height = masks.shape(1), width = masks.shape(2);
  masks.require("masks", {count, height, width});
  if (words_of(height * width) > words) throw py::value_error("an image has more pixels than bits");
  const auto* pixels = reinterpret_cast<const uint8_t*>(masks.data());
  const py::gil_scoped_release release;
  for_each_item(count, grain_of(count, masks.size()), threads, [&](int64_t i, int) {
    pack_mask(pixels + i * height * width, height, width, words_in(bits) + i * words, words);
  });
}

void bound_packed_areas(const TensorView<int64_t>& bits, const TensorView<int64_t>& areas,
                        int threads) {
  const int64_t masks = masks_in(bits);
  areas.require("areas", {masks});
  const py::gil_scoped_release release;
  packed_areas(words_in(bits), masks, bits.shape(1), areas.data(), threads);
}

void bound_packed_intersections(const TensorView<int64_t>& a, const TensorView<int64_t>& b,
                                const TensorView<int64_t>& pixels, int threads) {
  const int64_t in_a = masks_in(a), in_b = masks_in(b), words = a.shape(1);
  b.require("b", {in_b, words});
  pixels.require("pixels", {in_a, in_b});
  const py::gil_scoped_release release;
  packed_intersections(words_in(a), in_a, words_in(b), in_b, words, pixels.data(), threads);
}

void bound_packed_merge(const TensorView<int64_t>& bits, bool intersect,
                        const TensorView<int64_t>& merged) {
  const int64_t masks = masks_in(bits), words = bits.shape(1);
  merged.require("merged", {words});
  const py::gil_scoped_release release;
  packed_merge(words_in(bits), masks, words, intersect, words_in(merged));
}

}  // namespace

void bind_packed_masks(py::module_& module) {
  module.def("runs_from_packed", &bound_runs_from_packed);
  module.def("packed_from_runs", &bound_packed_from_runs);
  module.def("rle_from_ends", &bound_rle_from_ends);
  module.def("packed_from_rle", &bound_packed_from_rle);
  module.def("pack_masks", &bound_pack_masks);
  module.def("packed_areas", &bound_packed_areas);
  module.def("packed_merge", &bound_packed_merge);
  module.def("packed_intersections", &bound_packed_intersections);
}

}  // namespace benchsuite
