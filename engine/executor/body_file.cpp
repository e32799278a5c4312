#include "engine/executor/body_file.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>

#include "engine/executor/libcurl.h"
#include "engine/executor/named_file.h"
#include "engine/model/value.h"

namespace flowrun {

BodyFile::~BodyFile() {
  if (descriptor_ >= 0) {
    ::close(descriptor_);
    folder_->remove(name_);
  }
  if (digest_) libcrypto().EVP_MD_CTX_free(static_cast<EVP_MD_CTX*>(digest_));
}

bool BodyFile::open(const RunFolder& folder, const std::string& name) {
  folder_ = &folder;
  name_ = name;
  descriptor_ = folder.create(name);
  digest_ = libcrypto().EVP_MD_CTX_new();
  return descriptor_ >= 0 &&
         libcrypto().EVP_DigestInit_ex(static_cast<EVP_MD_CTX*>(digest_), libcrypto().EVP_sha256(), nullptr) == 1;
}

bool BodyFile::write(const char* bytes, std::size_t count) {
  libcrypto().EVP_DigestUpdate(static_cast<EVP_MD_CTX*>(digest_), bytes, count);
  size_ += count;
  return write_all(descriptor_, {bytes, count});
}

std::string BodyFile::close() {
  unsigned char sum[EVP_MAX_MD_SIZE];
  unsigned int length = 0;
  libcrypto().EVP_DigestFinal_ex(static_cast<EVP_MD_CTX*>(digest_), sum, &length);
  // What the journal will call complete has to be on the disk.
  if (fdatasync(descriptor_) != 0) return "";
  ::close(descriptor_);
  descriptor_ = -1;
  std::string hex;
  for (unsigned int i = 0; i < length; ++i) hex += fmt::format("{:02x}", sum[i]);
  std::string json = "{\"path\":";
  append_json_string(json, name_);
  return json + fmt::format(",\"size\":{},\"sha256\":\"{}\"}}", size_, hex);
}

}  // namespace flowrun
