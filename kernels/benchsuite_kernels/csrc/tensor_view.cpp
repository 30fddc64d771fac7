#include "tensor_view.hpp"

#include <stdexcept>

namespace benchsuite::dlpack {
namespace {

struct Version {
  uint32_t major, minor;
};

struct Exchange {
  Version version;
  Exchange* older;
  void* allocate;
  void* export_owned;
  void* import_owned;
  Describe describe;
  void* current_stream;
};

constexpr uint32_t kMajor = 1;

Describe find() {
  namespace py = pybind11;
  const py::object tensor = py::module_::import("torch").attr("Tensor");
  if (!py::hasattr(tensor, "__dlpack_c_exchange_api__"))
    throw std::runtime_error("this torch does not describe its tensors (2.11 and newer do)");
  const py::capsule capsule = tensor.attr("__dlpack_c_exchange_api__");
  const auto* exchange =
      static_cast<Exchange*>(PyCapsule_GetPointer(capsule.ptr(), "dlpack_exchange_api"));
  if (exchange == nullptr) throw py::error_already_set();
  while (exchange != nullptr && exchange->version.major != kMajor) exchange = exchange->older;
  if (exchange == nullptr || exchange->describe == nullptr)
    throw std::runtime_error("this torch describes its tensors in a way that is not known");
  return exchange->describe;
}

}  // namespace

Describe describe() {
  // The interpreter's lock is held: arguments are being read.
  static Describe found = nullptr;
  if (found == nullptr) found = find();
  return found;
}

}  // namespace benchsuite::dlpack
