// Which predictions of a head become candidates; ops/{rpn,dense,box}_selection.py give the
// conventions.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "head_map.hpp"

namespace benchsuite {

// One level of a dense head. An anchor has `classes` logits.
template <class T>
struct HeadLevel {
  HeadMap<T> logits, deltas;
  HeadMap<T> centerness;  // without data where there is none
  AnchorLevel anchors;
  int64_t classes;
};

// How many candidates there may be of a level.
template <class T>
int64_t room_of(const HeadLevel<T>& level, int64_t topk) {
  return std::min(topk, level.anchors.anchors() * level.classes);
}

// Where candidates go: for each image `room` of them; levels one after the other, each with as many
// as may be taken of it.
struct Candidates {
  float* boxes;     // images x room x 4
  float* scores;    // images x room, minus infinity where there is none
  int64_t* labels;  // images x room, or null
  int64_t room;

  void put(int64_t image, int64_t place, const Corners& box, float score, int64_t label) const;
  void leave_out(int64_t image, int64_t place) const;
};

// sizes: images x 2, height and width. Takes the `topk` best anchors a level.
template <class T>
void select_anchors(const std::vector<HeadLevel<T>>& levels, int64_t images, const float* sizes,
                    const BoxCoding& coding, int64_t topk, float min_size,
                    const Candidates& candidates, int threads);

// sizes: as above, or null: boxes are not clipped. Takes the `topk` best pairs of anchor and class
// whose score exceeds the threshold, a level.
template <class T>
void select_pairs(const std::vector<HeadLevel<T>>& levels, int64_t images, const float* sizes,
                  const BoxCoding& coding, float threshold, int64_t topk,
                  const Candidates& candidates, int threads);

// Regions of a two-stage detector, in any order of images.
struct Regions {
  const float* scores;  // count x (classes + 1), the background last
  const float* deltas;  // count x box_classes x 4
  const float* boxes;   // count x 4
  const int64_t* image_index;  // below 0: takes no part
  int64_t count, classes, box_classes;
};

void select_boxes(const Regions& regions, int64_t images, const float* sizes,
                  const BoxCoding& coding, float threshold, float min_size,
                  const Candidates& candidates, int threads);

}  // namespace benchsuite
