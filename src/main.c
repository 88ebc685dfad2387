/* bolide: picks the verb. */
#include "cli/verb.h"

int main(int argc, char **argv) {
  return bl_verb_main(argc, argv);
}
