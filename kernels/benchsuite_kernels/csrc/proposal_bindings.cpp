#include <algorithm>

#include "bindings.hpp"
#include "proposal_coverage.hpp"

namespace benchsuite {
namespace {

py::array_t<float> coverage_of(const Array<int64_t>& groups, const Array<double>& scores,
                               const Array<float>& boxes, const Array<int64_t>& truth_groups,
                               const Array<float>& truth_boxes, const Array<bool>& counted,
                               const Array<int64_t>& limits, int threads) {
  const int64_t subsets = counted.ndim() == 2 ? counted.shape(0) : 0;
  require(scores, "scores", {groups.size()});
  require(boxes, "boxes", {groups.size(), 4});
  require(truth_boxes, "truth_boxes", {truth_groups.size(), 4});
  require(counted, "counted", {subsets, truth_groups.size()});
  int64_t most = 0;
  for (py::ssize_t i = 0; i < limits.size(); ++i) most = std::max(most, limits.data()[i]);
  py::array_t<float> coverage({limits.size(), subsets, truth_groups.size()});
  float* const data = coverage.mutable_data();
  {
    const py::gil_scoped_release release;
    const GroupOrder order(groups.data(), scores.data(), groups.size(), truth_groups.data(),
                           truth_groups.size(), most, threads);
    proposal_coverage(
        order, {boxes.data(), truth_boxes.data(), counted.data(), subsets, truth_groups.size()},
        limits.data(), limits.size(), threads, data);
  }
  return coverage;
}

}  // namespace

void bind_proposals(py::module_& module) {
  module.def("proposal_coverage", &coverage_of, py::arg("groups").noconvert(),
             py::arg("scores").noconvert(), py::arg("boxes").noconvert(),
             py::arg("truth_groups").noconvert(), py::arg("truth_boxes").noconvert(),
             py::arg("counted").noconvert(), py::arg("limits").noconvert(), py::arg("threads"));
}

}  // namespace benchsuite
