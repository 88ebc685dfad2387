#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "history.h"

struct bl_hist_writer {
  FILE *file;
  bool failed;
};

struct bl_hist_writer *bl_hist_open(const char *path) {
  struct bl_hist_head head = {.record_bytes = sizeof(struct bl_hist_record)};
  FILE *file = fopen(path, "wb");
  if (file == NULL) return NULL;
  struct bl_hist_writer *writer = calloc(1, sizeof(*writer));
  if (writer == NULL) abort();
  memcpy(head.magic, BL_HIST_MAGIC, sizeof(head.magic));
  setvbuf(file, NULL, _IOFBF, 1 << 20);
  writer->file = file;
  writer->failed = fwrite(&head, sizeof(head), 1, file) != 1;
  return writer;
}

void bl_hist_put(struct bl_hist_writer *writer, const struct bl_hist_record *record) {
  if (fwrite(record, sizeof(*record), 1, writer->file) != 1) writer->failed = true;
}

bool bl_hist_close(struct bl_hist_writer *writer) {
  bool good = fclose(writer->file) == 0 && !writer->failed;
  free(writer);
  return good;
}
