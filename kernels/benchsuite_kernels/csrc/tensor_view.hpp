// Torch tensors as arguments of bound functions, seen without linking torch and without a copy.
//
// torch.Tensor carries a table of C functions (DLPack's exchange interface, version 1) of which one
// describes a tensor: some 50 ns where a detour over NumPy takes 600.
#pragma once

#include <pybind11/pybind11.h>

#include <cstdint>
#include <initializer_list>
#include <string>
#include <type_traits>

namespace benchsuite {

// The parts of DLPack's interface that are used, as its specification lays them out.
namespace dlpack {

struct Tensor {
  void* data;
  int32_t device_type, device_id;
  int32_t axes;
  uint8_t code, bits;
  uint16_t lanes;
  int64_t* shape;
  int64_t* strides;
  uint64_t byte_offset;
};

constexpr int32_t kCpu = 1;
constexpr uint8_t kInt = 0, kUInt = 1, kFloat = 2, kBfloat = 4, kBool = 6;

// Fills `tensor` with what the Python object holds; 0, or -1 and a Python error.
using Describe = int (*)(void* object, Tensor* tensor);

// How torch.Tensor's objects are described. Throws where torch is too old to tell.
Describe describe();

}  // namespace dlpack

struct Half {
  uint16_t bits;
};
struct BFloat16 {
  uint16_t bits;
};

template <class T>
constexpr bool is_of(uint8_t code, uint8_t bits) {
  if (bits != 8 * sizeof(T)) return false;
  if (std::is_same_v<T, Half>) return code == dlpack::kFloat;
  if (std::is_same_v<T, BFloat16>) return code == dlpack::kBfloat;
  if (std::is_same_v<T, bool>) return code == dlpack::kBool;
  if (std::is_floating_point_v<T>) return code == dlpack::kFloat;
  return code == (std::is_signed_v<T> ? dlpack::kInt : dlpack::kUInt);
}

// A tensor of T on the CPU whose last axis lies densest. A tensor of another dtype, device or
// memory order is a TypeError, so that nothing is copied unseen.
template <class T>
class TensorView {
 public:
  T* data() const { return static_cast<T*>(tensor_.data); }
  int64_t ndim() const { return tensor_.axes; }
  int64_t shape(int64_t axis) const { return tensor_.shape[axis]; }
  int64_t size() const {
    int64_t product = 1;
    for (int32_t axis = 0; axis < tensor_.axes; ++axis) product *= tensor_.shape[axis];
    return product;
  }

  // Throws a ValueError unless the shape is this one.
  void require(const char* name, std::initializer_list<int64_t> shape) const {
    bool fits = ndim() == static_cast<int64_t>(shape.size());
    for (int64_t axis = 0; fits && axis < ndim(); ++axis)
      fits = this->shape(axis) == shape.begin()[axis];
    if (!fits) throw pybind11::value_error(std::string(name) + " has another shape than the rest");
  }

  // Throws a ValueError unless all values are in [0, limit).
  void require_below(const char* name, int64_t limit) const {
    for (int64_t i = 0; i < size(); ++i)
      if (data()[i] < 0 || data()[i] >= limit)
        throw pybind11::value_error(std::string(name) + "[" + std::to_string(i) + "] is " +
                                    std::to_string(data()[i]) + ", outside 0 to " +
                                    std::to_string(limit - 1));
  }

  // Whether `object` is such a tensor.
  bool take(PyObject* object) {
    if (dlpack::describe()(object, &tensor_) != 0) {
      PyErr_Clear();
      return false;
    }
    if (tensor_.device_type != dlpack::kCpu || tensor_.lanes != 1) return false;
    if (!is_of<T>(tensor_.code, tensor_.bits)) return false;
    tensor_.data = static_cast<char*>(tensor_.data) + tensor_.byte_offset;
    int64_t stride = 1;
    if (size() == 0) return true;  // its strides may be anything
    for (int32_t axis = tensor_.axes - 1; tensor_.strides && axis >= 0; --axis) {
      if (tensor_.shape[axis] != 1 && tensor_.strides[axis] != stride) return false;
      stride *= tensor_.shape[axis];
    }
    return true;
  }

 private:
  dlpack::Tensor tensor_;
};

}  // namespace benchsuite

namespace pybind11::detail {

template <class T>
struct type_caster<benchsuite::TensorView<T>> {
  PYBIND11_TYPE_CASTER(benchsuite::TensorView<T>, const_name("torch.Tensor"));
  bool load(handle source, bool) { return value.take(source.ptr()); }
};

}  // namespace pybind11::detail
