#include "engine/executor/secrets.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <stdexcept>

#include "engine/executor/libcurl.h"
#include "engine/executor/secret_source.h"
#include "engine/model/encode.h"
#include "engine/model/error.h"

namespace flowrun {
namespace {

constexpr std::size_t kShortestToKnow = 8;  // bytes of a value with a fingerprint
constexpr int kRounds = 10000;              // of the hash: 3 ms a guess

std::string& text_of(Task& task, const TaskHole& hole) {
  using In = TaskHole::In;
  if (auto* process = std::get_if<Process>(&*task.work))
    return hole.in == In::Stdin ? process->stdin_text : *process->env.at(hole.index).second;
  auto& request = std::get<HttpRequest>(*task.work);
  if (hole.in == In::Url) return request.url;
  if (hole.in == In::Body) return *request.body;
  return request.headers.at(hole.index).second;
}

}  // namespace

Secrets::Secrets(const std::vector<SecretSource>& sources, const std::string& folder, const std::string& file,
                 const std::function<bool()>& stop) {
  std::string errors;
  for (const SecretSource& source : sources) {
    names_.push_back(source.name);
    if (source.from == SecretSource::From::Env) variables_.push_back(source.place);
    SecretFound found = read_secret(source, folder, stop);
    if (found.stopped || (stop && stop()))
      throw Interrupted(fmt::format("stopped while secret {} was read; nothing was started", source.name));
    if (found.value) {
      mask_.add(*found.value);
      values_.emplace(source.name, std::move(*found.value));
    } else if (!source.optional) {
      errors += fmt::format("{}:{}: error: secret {}: {}\n", file, source.line, source.name, found.why);
    }
  }
  if (!errors.empty()) throw Error(Problem::Invalid, errors + "nothing was started");
}

std::vector<SecretMark> Secrets::marks(const std::string& salt) const {
  std::vector<SecretMark> marks;
  for (const std::string& name : names_) {
    auto value = values_.find(name);
    bool absent = value == values_.end();
    marks.push_back({name, absent ? "" : fingerprint(value->second, salt + name), absent});
  }
  return marks;
}

std::vector<std::string> Secrets::unmasked() const {
  std::vector<std::string> names;
  for (const auto& [name, value] : values_)
    if (value.size() < Mask::kShortest) names.push_back(name);
  return names;
}

bool Secrets::brought_by(std::string_view name) const {
  return std::find(variables_.begin(), variables_.end(), name) != variables_.end();
}

std::string Secrets::value_at(const Hole& hole) const {
  auto found = values_.find(hole.secret);
  if (found == values_.end()) throw std::runtime_error(fmt::format("secret {} is not there", hole.secret));
  const std::string& value = found->second;
  switch (hole.form) {
    case Hole::Form::Plain:
      return value;
    case Hole::Form::Percent:
      if (value == "." || value == "..")
        throw std::runtime_error(fmt::format("secret {} would change the path of the URL", hole.secret));
      return percent_encoded(value);
    case Hole::Form::Json: {
      std::string quoted;
      append_json_string(quoted, value);
      return quoted.substr(1, quoted.size() - 2);
    }
    case Hole::Form::Host:
      if (!std::all_of(value.begin(), value.end(),
                       [](unsigned char c) { return std::isalnum(c) || c == '-' || c == '.' || c == ':'; }))
        throw std::runtime_error(fmt::format("secret {} can not be part of a host", hole.secret));
      return value;
  }
  return value;
}

void Secrets::fill(Task& task) const {
  const auto* process = std::get_if<Process>(&*task.work);
  const TaskHoles& holes = process ? process->holes : std::get<HttpRequest>(*task.work).holes;
  // From the last to the first: what stands before a hole keeps its place.
  for (auto hole = holes.rbegin(); hole != holes.rend(); ++hole) {
    std::string value = value_at(hole->hole);
    std::string& text = text_of(task, *hole);
    // Of what is USER:PASSWORD yet, the first colon parts the two: a user that is written has none.
    if (hole->in == TaskHole::In::Basic && hole->hole.at <= text.find(':') && value.find(':') != value.npos)
      throw std::runtime_error(fmt::format("secret {} has a `:` in it, and can not be the user", hole->hole.secret));
    // A secret URL may have a query already, to which that of the step is added.
    if (hole->in == TaskHole::In::Url && hole->hole.form == Hole::Form::Plain && value.find('?') != value.npos)
      if (std::size_t mark = text.find('?', hole->hole.at); mark != text.npos) text[mark] = '&';
    text.insert(hole->hole.at, value);
  }
  if (process) return;
  auto& request = std::get<HttpRequest>(*task.work);
  bool secret_url = false;
  std::size_t last = std::string::npos;
  for (const TaskHole& hole : holes) {
    secret_url = secret_url || hole.in == TaskHole::In::Url;
    if (hole.in != TaskHole::In::Basic || hole.index == last) continue;
    last = hole.index;
    std::string& header = request.headers.at(hole.index).second;
    header = "Basic " + base64(header);
  }
  if (!secret_url) return;
  while (!request.url.empty() && std::isspace(static_cast<unsigned char>(request.url.back()))) request.url.pop_back();
  if ((request.url.rfind("http://", 0) != 0 && request.url.rfind("https://", 0) != 0) ||
      request.url.find_first_of(std::string_view("\r\n \t\0", 5)) != std::string::npos)
    throw std::runtime_error("the URL with its secret is no http or https URL");
}

std::string fingerprint(const std::string& value, const std::string& salt) {
  if (value.size() < kShortestToKnow) return "";
  unsigned char hash[2];
  if (libcrypto().PKCS5_PBKDF2_HMAC(value.data(), static_cast<int>(value.size()),
                                    reinterpret_cast<const unsigned char*>(salt.data()), static_cast<int>(salt.size()),
                                    kRounds, libcrypto().EVP_sha256(), sizeof hash, hash) != 1)
    throw Error(Problem::Internal, "libcrypto has no PBKDF2");
  return fmt::format("{:02x}{:02x}", hash[0], hash[1]);
}

}  // namespace flowrun
