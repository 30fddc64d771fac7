// Feature maps as arguments of bound functions: planes or channels last, seen without a copy.
#pragma once

#include <vector>

#include "tensor_view.hpp"

namespace benchsuite {

// A (N, C, H, W) tensor of T on the CPU, without gaps; another one is a TypeError.
template <class T>
class FeatureMap {
 public:
  T* data = nullptr;
  int64_t images = 0, channels = 0, height = 0, width = 0;
  bool planes = false, channels_last = false;  // how it lies; both where a channel is all

  bool take(PyObject* object) {
    dlpack::Tensor tensor;
    if (dlpack::describe()(object, &tensor) != 0) {
      PyErr_Clear();
      return false;
    }
    if (tensor.device_type != dlpack::kCpu || tensor.lanes != 1 || tensor.axes != 4 ||
        !is_of<T>(tensor.code, tensor.bits))
      return false;
    data = reinterpret_cast<T*>(static_cast<char*>(tensor.data) + tensor.byte_offset);
    images = tensor.shape[0];
    channels = tensor.shape[1];
    height = tensor.shape[2];
    width = tensor.shape[3];
    planes = tensor.strides == nullptr || lies(tensor, {0, 1, 2, 3});
    channels_last = tensor.strides != nullptr && lies(tensor, {0, 2, 3, 1});
    return planes || channels_last;
  }

 private:
  // Whether the axes lie in this order, the last one densest.
  static bool lies(const dlpack::Tensor& tensor, std::initializer_list<int> order) {
    int64_t stride = 1;
    for (auto axis = order.end(); axis-- != order.begin();) {
      if (tensor.shape[*axis] == 0) return true;
      if (tensor.shape[*axis] != 1 && tensor.strides[*axis] != stride) return false;
      stride *= tensor.shape[*axis];
    }
    return true;
  }
};

}  // namespace benchsuite

namespace pybind11::detail {

template <class T>
struct type_caster<benchsuite::FeatureMap<T>> {
  PYBIND11_TYPE_CASTER(benchsuite::FeatureMap<T>, const_name("torch.Tensor"));
  bool load(handle source, bool) { return value.take(source.ptr()); }
};

}  // namespace pybind11::detail
