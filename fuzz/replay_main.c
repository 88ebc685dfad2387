/* Runs a fuzz target on the files of the folders named on the command line, in order of name, and
 * prints TAP. The name of a file is written before it runs, so that the last one named is the one
 * that crashed. A folder that cannot be read or holds no file fails: a corpus that vanished must
 * not pass. */
#include <dirent.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { REPLAY_PATH_BYTES_MAX = 4096, REPLAY_FILE_BYTES_MAX = 64 * 1024 * 1024 };

/* RETURNS OWNED: exactly as many bytes as the file has, so that a read past its end is seen. NULL:
 * not read. */
static uint8_t *read_file(const char *path, size_t *out_size) {
  FILE *file = fopen(path, "rb");
  if (!file) return NULL;
  uint8_t *data = NULL;
  long size = fseek(file, 0, SEEK_END) == 0 ? ftell(file) : -1;
  if (size >= 0 && size <= REPLAY_FILE_BYTES_MAX && fseek(file, 0, SEEK_SET) == 0) {
    data = malloc(size > 0 ? (size_t)size : 1);
    if (data && fread(data, 1, (size_t)size, file) != (size_t)size) {
      free(data);
      data = NULL;
    }
    *out_size = (size_t)size;
  }
  fclose(file);
  return data;
}

static bool replay_file(const char *path) {
  printf("# %s\n", path);
  fflush(stdout);
  size_t size = 0;
  uint8_t *data = read_file(path, &size);
  if (!data) return false;
  LLVMFuzzerTestOneInput(data, size);
  free(data);
  return true;
}

static int is_visible(const struct dirent *entry) {
  return entry->d_name[0] != '.';
}

/* RETURNS how many files ran, -1 when the folder or a file could not be read. */
static int replay_folder(const char *folder) {
  struct dirent **entries = NULL;
  int count = scandir(folder, &entries, is_visible, alphasort);
  int ran = count < 0 ? -1 : 0;
  for (int i = 0; i < count; i++) {
    char path[REPLAY_PATH_BYTES_MAX];
    int length = snprintf(path, sizeof path, "%s/%s", folder, entries[i]->d_name);
    bool fits = length > 0 && (size_t)length < sizeof path;
    if (ran >= 0) ran = fits && replay_file(path) ? ran + 1 : -1;
    free(entries[i]);
  }
  free(entries);
  return ran;
}

int main(int argc, char **argv) {
  int failed = argc < 2;
  printf("1..%d\n", argc - 1);
  LLVMFuzzerTestOneInput((const uint8_t *)"", 0);
  for (int i = 1; i < argc; i++) {
    int ran = replay_folder(argv[i]);
    if (ran <= 0) failed = 1;
    printf("%s %d - %s: %d files\n", ran > 0 ? "ok" : "not ok", i, argv[i], ran < 0 ? 0 : ran);
  }
  return failed;
}
