#include "wire/headers.h"

#define BL_HEADER_TABLES
#include "wire/headers.gen.inc"
