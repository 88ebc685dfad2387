/* Assertions for our own invariants: on in release too. Bytes from wire, disk and user never
 * assert. */
#ifndef BOLIDE_BASE_ASSERT_H
#define BOLIDE_BASE_ASSERT_H

/* Prints `what`, file and line to standard error and aborts. */
_Noreturn void bl_assert_failed(const char *what, const char *file, int line);

#define BL_ASSERT(condition)                                                                       \
  ((condition) ? (void)0 : bl_assert_failed(#condition, __FILE__, __LINE__))

#endif
