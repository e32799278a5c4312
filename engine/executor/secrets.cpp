#include "engine/executor/secrets.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <stdexcept>

#include "engine/executor/libcurl.h"
#include "engine/executor/secret_outputs.h"
#include "engine/executor/secret_source.h"
#include "engine/model/encode.h"
#include "engine/model/error.h"

namespace flowrun {
namespace {

constexpr std::size_t kShortestToKnow = 8;  // bytes of a value with a fingerprint
constexpr int kRounds = 10000;              // of the hash: 3 ms a guess

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

std::string Secrets::value_of(const Placeholder& placeholder, SecretOutputs* outputs) const {
  const auto step = path_of_secret(placeholder.secret);
  if (step && outputs) return outputs->text_of(*step, placeholder.within);
  const auto found = values_.find(placeholder.secret);
  if (found == values_.end()) throw std::runtime_error(fmt::format("secret {} is not there", placeholder.secret));
  return found->second;
}

namespace {

/// For messages.
std::string called(const Placeholder& placeholder) {
  const auto step = path_of_secret(placeholder.secret);
  return step ? fmt::format("the secret output of {}", *step) : fmt::format("secret {}", placeholder.secret);
}

std::string as_written(const Placeholder& placeholder, const std::string& value) {
  switch (placeholder.form) {
    case Placeholder::Form::Plain:
      return value;
    case Placeholder::Form::Percent:
      if (value == "." || value == "..")
        throw std::runtime_error(called(placeholder) + " would change the path of the URL");
      return percent_encoded(value);
    case Placeholder::Form::Json: {
      std::string quoted;
      append_json_string(quoted, value);
      return quoted.substr(1, quoted.size() - 2);
    }
    case Placeholder::Form::Host:
      if (!std::all_of(value.begin(), value.end(),
                       [](unsigned char c) { return std::isalnum(c) || c == '-' || c == '.' || c == ':'; }))
        throw std::runtime_error(called(placeholder) + " can not be part of a host");
      return value;
  }
  return value;
}

}  // namespace

void Secrets::fill(Task& task, SecretOutputs* outputs) const {
  const TaskPlaceholders& placeholders = placeholders_of(task);
  // From the last to the first: what stands before a placeholder keeps its place.
  for (auto placeholder = placeholders.rbegin(); placeholder != placeholders.rend(); ++placeholder) {
    const std::string value = as_written(placeholder->placeholder, value_of(placeholder->placeholder, outputs));
    std::string* place = place_of_secret(task, *placeholder);
    if (!place || placeholder->placeholder.at > place->size())
      throw std::runtime_error(called(placeholder->placeholder) + " is to go where nothing is written");
    std::string& text = *place;
    // Of what is USER:PASSWORD yet, the first colon parts the two: a user that is written has none.
    if (placeholder->in == TaskPlaceholder::In::Basic && placeholder->placeholder.at <= text.find(':') &&
        value.find(':') != value.npos)
      throw std::runtime_error(called(placeholder->placeholder) + " has a `:` in it, and can not be the user");
    // A secret URL may have a query already, to which that of the step is added.
    if (placeholder->in == TaskPlaceholder::In::Url && placeholder->placeholder.form == Placeholder::Form::Plain &&
        value.find('?') != value.npos)
      if (std::size_t mark = text.find('?', placeholder->placeholder.at); mark != text.npos) text[mark] = '&';
    text.insert(placeholder->placeholder.at, value);
  }
  if (std::holds_alternative<Process>(*task.work)) return;
  auto& request = std::get<HttpRequest>(*task.work);
  bool secret_url = false;
  std::size_t last = std::string::npos;
  for (const TaskPlaceholder& placeholder : placeholders) {
    secret_url = secret_url || placeholder.in == TaskPlaceholder::In::Url;
    if (placeholder.in != TaskPlaceholder::In::Basic || placeholder.index == last) continue;
    last = placeholder.index;
    std::string& header = request.headers.at(placeholder.index).second;
    header = "Basic " + base64(header);
  }
  if (!secret_url) return;
  while (!request.url.empty() && std::isspace(static_cast<unsigned char>(request.url.back()))) request.url.pop_back();
  if ((request.url.rfind("http://", 0) != 0 && request.url.rfind("https://", 0) != 0) ||
      request.url.find_first_of(std::string_view("\r\n \t\0", 5)) != std::string::npos)
    throw std::runtime_error("the URL with its secret is no http or https URL");
}

std::string* place_of_secret(Task& task, const TaskPlaceholder& placeholder) {
  using In = TaskPlaceholder::In;
  if (auto* process = std::get_if<Process>(&*task.work)) {
    if (placeholder.in == In::Stdin) return &process->stdin_text;
    if (placeholder.index >= process->env.size() || !process->env[placeholder.index].second) return nullptr;
    return &*process->env[placeholder.index].second;
  }
  auto& request = std::get<HttpRequest>(*task.work);
  if (placeholder.in == In::Url) return &request.url;
  if (placeholder.in == In::Body) return request.body ? &*request.body : nullptr;
  if (placeholder.in == In::Part)
    return placeholder.index < request.parts.size() ? &request.parts[placeholder.index].text : nullptr;
  return placeholder.index < request.headers.size() ? &request.headers[placeholder.index].second : nullptr;
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
