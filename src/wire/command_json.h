/* The JSON form of a command header; used by command.c alone. Pure. */
#ifndef BOLIDE_WIRE_COMMAND_JSON_H
#define BOLIDE_WIRE_COMMAND_JSON_H

#include "wire/command.h"

BL_MUST_CHECK bl_err bl_command_decode_json(struct bl_slice header, struct bl_arena *arena,
                                            struct bl_command *command);
void bl_command_begin_json(struct bl_command_writer *writer);
void bl_command_put_json(struct bl_command_writer *writer, struct bl_slice name,
                         struct bl_slice value);
void bl_command_end_json(struct bl_command_writer *writer);

#endif
