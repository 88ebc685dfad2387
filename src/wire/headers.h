/* Every header struct and table, from src/wire/headers/NAME.def (see header.h). Pure. */
#ifndef BOLIDE_WIRE_HEADERS_H
#define BOLIDE_WIRE_HEADERS_H

#include "wire/header.h"

#include "wire/headers.gen.inc"

#endif
