#include "base/md5.h"

#include <md5.h>

void bl_md5(struct bl_slice bytes, uint8_t out_digest[BL_MD5_BYTES]) {
  MD5_CTX context;
  MD5Init(&context);
  if (bytes.len > 0) MD5Update(&context, (const uint8_t *)bytes.ptr, bytes.len);
  MD5Final(out_digest, &context);
}
