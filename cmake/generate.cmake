# Lists that the build writes from the folder listing, so that no central list is edited by hand:
#   gen/wire/headers.gen.inc   from src/wire/headers/NAME.def
#   gen/requests/table.gen.c   from src/requests/*/NAME.c with "const struct bl_request bl_request_NAME"
#   gen/cli/verbs.gen.c        from src/cli/verb_NAME.c with "const struct bl_verb bl_verb_NAME"
# Written at configure time, and only when the text changes.

set(BOLIDE_GEN "${CMAKE_BINARY_DIR}/gen")
set(BOLIDE_SRC "${CMAKE_SOURCE_DIR}/src")

function(write_when_changed path text)
  set(old "")
  if(EXISTS "${path}")
    file(READ "${path}" old)
  endif()
  if(NOT EXISTS "${path}" OR NOT old STREQUAL text)
    file(WRITE "${path}" "${text}")
  endif()
endfunction()

# Basenames, sorted, of those files that define `const struct TYPE PREFIX_<basename without STRIP>`.
function(names_defining type prefix strip out)
  set(names "")
  foreach(file IN LISTS ARGN)
    get_filename_component(name "${file}" NAME_WE)
    if(strip)
      string(REGEX REPLACE "^${strip}" "" name "${name}")
    endif()
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${file}")
    file(STRINGS "${file}" found REGEX "^const struct ${type} ${prefix}_${name}([^A-Za-z0-9_]|$)")
    if(found)
      if(name IN_LIST names)
        message(FATAL_ERROR "${file}: there is another file that defines ${prefix}_${name}")
      endif()
      list(APPEND names "${name}")
    endif()
  endforeach()
  list(SORT names)
  set(${out} "${names}" PARENT_SCOPE)
endfunction()

# One C file with an extern line for each name, an array of pointers to them, and its length.
function(write_table path header type prefix array)
  set(externs "")
  set(rows "")
  foreach(name IN LISTS ARGN)
    string(APPEND externs "extern const struct ${type} ${prefix}_${name};\n")
    string(APPEND rows "    &${prefix}_${name},\n")
  endforeach()
  list(LENGTH ARGN count)
  if(count EQUAL 0)
    set(rows "    0,\n")
  endif()
  write_when_changed("${path}"
"/* Written by cmake/generate.cmake from the folder listing. */
#include \"${header}\"

#include <stddef.h>

${externs}
extern const struct ${type} *const ${array}[];
extern const size_t ${array}_count;

const struct ${type} *const ${array}[] = {
${rows}};
const size_t ${array}_count = ${count};
")
endfunction()

function(generate_headers_list)
  file(GLOB defs CONFIGURE_DEPENDS "${BOLIDE_SRC}/wire/headers/*.def")
  set(names "")
  foreach(def IN LISTS defs)
    get_filename_component(name "${def}" NAME_WE)
    list(APPEND names "${name}")
  endforeach()
  list(SORT names)
  set(text "/* Written by cmake/generate.cmake from the folder listing. */\n")
  foreach(name IN LISTS names)
    string(APPEND text "#define BL_HEADER_NAME ${name}\n"
                       "#define BL_HEADER_FILE \"wire/headers/${name}.def\"\n"
                       "#include \"wire/header_define.inc\"\n")
  endforeach()
  write_when_changed("${BOLIDE_GEN}/wire/headers.gen.inc" "${text}")
endfunction()

# OUT: the generated file, or nothing while the folder has no source file yet.
function(generate_request_table out)
  file(GLOB files CONFIGURE_DEPENDS "${BOLIDE_SRC}/requests/*/*.c")
  list(FILTER files EXCLUDE REGEX "_(test|testlib)\\.c$")
  set(${out} "" PARENT_SCOPE)
  if(files)
    names_defining(bl_request bl_request "" names ${files})
    set(path "${BOLIDE_GEN}/requests/table.gen.c")
    write_table("${path}" remoting/request.h bl_request bl_request bl_request_table ${names})
    set(${out} "${path}" PARENT_SCOPE)
  endif()
endfunction()

function(generate_verb_table out)
  file(GLOB files CONFIGURE_DEPENDS "${BOLIDE_SRC}/cli/verb_*.c")
  list(FILTER files EXCLUDE REGEX "_(test|testlib)\\.c$")
  set(${out} "" PARENT_SCOPE)
  if(files)
    names_defining(bl_verb bl_verb verb_ names ${files})
    set(path "${BOLIDE_GEN}/cli/verbs.gen.c")
    write_table("${path}" cli/verb.h bl_verb bl_verb bl_verbs ${names})
    set(${out} "${path}" PARENT_SCOPE)
  endif()
endfunction()
