/* A registration body in any form and in steps of any size: the first byte says which. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "namesrv/register_body.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const size_t costs[] = {1, 5, 100, BL_REGISTER_STEP_COST};
  if (size == 0) return 0;
  enum bl_register_form form = (enum bl_register_form)(data[0] & 3);
  size_t cost = costs[(data[0] >> 2) & 3];
  struct bl_register_body *body = bl_register_body_new(bl_slice_of(data + 1, size - 1), form);
  struct bl_why why;
  bool done = false;
  bl_err err = BL_OK;
  while (err == BL_OK && !done) err = bl_register_body_step(body, cost, &done, &why);
  size_t count = 0;
  if (err == BL_OK) {
    struct bl_namesrv_registration registration = {0};
    bl_register_body_fill(body, &registration);
    for (const struct bl_namesrv_topics *c = registration.topics; c != NULL; c = c->next)
      count += c->count;
    if (count != bl_register_body_topic_count(body)) abort();
  }
  bl_register_body_free(body);
  return 0;
}
