// Small vectors, which are read and written at once. Their address must be a multiple of their
// size, as on a GPU.
#pragma once

#define EMULATION_VECTORS(type, name)                                                           \
  struct alignas(2 * sizeof(type)) name##2 { type x, y; };                                      \
  struct name##3 { type x, y, z; };                                                             \
  struct alignas(4 * sizeof(type) < 16 ? 4 * sizeof(type) : 16) name##4 { type x, y, z, w; };   \
  inline name##2 make_##name##2(type x, type y) { return {x, y}; }                              \
  inline name##3 make_##name##3(type x, type y, type z) { return {x, y, z}; }                   \
  inline name##4 make_##name##4(type x, type y, type z, type w) { return {x, y, z, w}; }
EMULATION_VECTORS(float, float)
EMULATION_VECTORS(int, int)
EMULATION_VECTORS(unsigned, uint)
EMULATION_VECTORS(short, short)
EMULATION_VECTORS(unsigned short, ushort)
EMULATION_VECTORS(unsigned char, uchar)
EMULATION_VECTORS(signed char, char)
EMULATION_VECTORS(double, double)
EMULATION_VECTORS(long long, longlong)
EMULATION_VECTORS(unsigned long long, ulonglong)
#undef EMULATION_VECTORS
