#include "engine/run/memo_work.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <set>
#include <stdexcept>
#include <utility>

#include "engine/memo/path_pattern.h"
#include "engine/model/error.h"
#include "engine/model/fault.h"
#include "engine/model/hash.h"
#include "engine/model/json_text.h"
#include "engine/model/task_text.h"
#include "engine/run/fork_input.h"

namespace flowrun {
namespace {

// flowrun-workflow(5), "Results of earlier runs", tells these.
constexpr std::size_t kMostRead = 10'000;         // files of `reads`
constexpr std::int64_t kMostWritten = 4LL << 30;  // bytes of `writes`, all together
constexpr std::size_t kLongestResult = 64 << 20;  // bytes
constexpr std::size_t kLongestInput = 4096;       // of it more is not kept, so that a difference is not told
constexpr std::size_t kMostFilesTold = 3;         // files in one difference

std::string in_folder(const std::string& folder, const std::string& name) {
  return name.starts_with('/') ? name : folder + "/" + name;
}

/// What counts of |task| beside its input, and is no text of the step.
std::string around(const Task& task) {
  Json more = Json::array({task.keep_raw});
  if (const auto* process = std::get_if<Process>(&*task.work)) {
    more.push_back(process->via);
  } else {
    const auto& request = std::get<HttpRequest>(*task.work);
    for (const std::string* text : {&request.origin_url, &request.ca, &request.cert, &request.key, &request.proxy})
      more.push_back(*text);
  }
  return more.dump(-1, ' ', false, Json::error_handler_t::replace);
}

/// Takes out of |sums| the files that the step writes, however they are written.
void drop_written(Json& sums, const MemoRequest& request) {
  const auto whole = [&](const std::string& name) {
    return std::filesystem::path(in_folder(request.folder, name)).lexically_normal();
  };
  std::set<std::filesystem::path> written;
  for (const std::string& name : request.writes) written.insert(whole(name));
  for (auto one = sums.begin(); one != sums.end();) one = written.count(whole(one.key())) > 0 ? sums.erase(one) : ++one;
}

std::string key_of(const KeptResult& kept, const std::string& input, const MemoRequest& request) {
  std::string text;
  for (const std::string* part : {&kept.definition, &kept.folder, &input, &kept.secrets, &kept.reads})
    text += fmt::format("{}:{}", part->size(), *part);
  for (const std::string& name : request.writes) text += fmt::format("{}:{}", name.size(), name);
  return hash_name(text);
}

std::string secret_difference(const std::string& was, const std::string& is) {
  const Json before = Json::parse(was, nullptr, false), now = Json::parse(is, nullptr, false);
  for (const auto& [name, mark] : now.items())
    if (!before.is_object() || !before.contains(name) || before[name] != mark) return "secret " + name + " is another";
  return "it uses other secrets";
}

std::string file_difference(const std::string& was, const std::string& is) {
  const Json before = Json::parse(was, nullptr, false), now = Json::parse(is, nullptr, false);
  if (!before.is_object() || !now.is_object()) return "the files that it reads are others";
  std::string text;
  std::size_t others = 0;
  const auto tell = [&](const std::string& name, const char* what) {
    if (++others <= kMostFilesTold) text += fmt::format("{}`{}` {}", text.empty() ? "" : ", ", name, what);
  };
  for (const auto& [name, sum] : now.items()) {
    const bool known = before.contains(name);
    if (known && before[name] == sum) continue;
    tell(name, sum.is_null() ? "is gone" : !known || before[name].is_null() ? "is new" : "has changed");
  }
  for (const auto& [name, sum] : before.items())
    if (!now.contains(name)) tell(name, "is gone");
  if (others > kMostFilesTold) text += fmt::format(" and {} more", others - kMostFilesTold);
  return text;
}

std::string age_text(Duration age) {
  constexpr Duration kDay{24 * 3600 * 1000};
  return age >= 2 * kDay ? fmt::format("{} days", age / kDay) : to_display(age);
}

/// What `writes` has against the file |name|, which is to be |path|; empty: nothing.
std::string bad_file(const std::string& name, const std::string& path, std::int64_t& size) {
  struct stat status {};
  if (lstat(path.c_str(), &status) != 0)
    return errno == ENOENT || errno == ENOTDIR ? fmt::format("`{}`, which `writes` names, is not there", name)
                                               : fmt::format("`{}` of `writes`: {}", name, std::strerror(errno));
  size += status.st_size;
  if (S_ISREG(status.st_mode)) return "";
  return fmt::format("`{}`, which `writes` names, is {}, no regular file", name,
                     S_ISDIR(status.st_mode)   ? "a folder"
                     : S_ISLNK(status.st_mode) ? "a link"
                                               : "something else");
}

/// Says in |result| what it had missed.
void note(Result& result, const MemoAsked& asked) {
  result.memo = MemoNote{};
  result.memo->miss = asked.miss;
  if (result.ok()) result.memo->unkept = asked.unkept;
}

/// Why |kept|, whose result is |result|, does not stand for |task| in |run|; empty: it does.
std::string refusal(const KeptResult& kept, const Result& result, const MemoRequest& request, const Task& task,
                    const std::string& run, Instant now) {
  constexpr Duration kSkew = std::chrono::minutes(1);  // of clocks
  if (kept.at > now + kSkew) return "the result was kept at a later time than now";
  if (kept.run == run) return "only this run has a result of it";
  const Duration age = std::max(Duration{0}, now - kept.at);
  if (age > request.at_most || request.at_most == Duration{0})
    return fmt::format("the result of run {} is {} old, and `memo` takes {}", kept.run, age_text(age),
                       age_text(request.at_most));
  const auto* process = std::get_if<Process>(&*task.work);
  if (result.cut > 0 && process && !process->unread)
    return fmt::format("its output in run {} was cut, and now it is read", kept.run);
  const auto same = [](const KeptFile& file, const std::string& name) { return file.name == name; };
  if (!std::equal(kept.writes.begin(), kept.writes.end(), request.writes.begin(), request.writes.end(), same))
    return "the store is damaged";
  return "";
}

}  // namespace

MemoStore* MemoWork::store() {
  if (store_ || !trouble_.empty()) return store_.get();
  try {
    store_ = std::make_unique<MemoStore>(setting_.journal);
  } catch (const std::exception& error) {
    trouble_ = error.what();
  }
  return store_.get();
}

void MemoWork::add_secrets(MemoAsked& asked, const Task& task) {
  std::set<std::string> names;
  for (const TaskPlaceholder& placeholder : placeholders_of(task)) names.insert(placeholder.placeholder.secret);
  Json marks = Json::object();
  if (!names.empty() && !setting_.here) throw std::runtime_error("its secrets are known to the workers alone");
  if (!names.empty() && !marks_) marks_ = setting_.marks(store_->salt());
  for (const std::string& name : names) {
    if (const auto step = path_of_secret(name))
      throw std::runtime_error(fmt::format("it uses the secret output of {}, which is another in each run", *step));
    const auto mark =
        std::find_if(marks_->begin(), marks_->end(), [&](const SecretMark& one) { return one.name == name; });
    if (mark == marks_->end() || mark->fingerprint.empty())
      throw std::runtime_error(fmt::format("secret {} is too short to be told from another", name));
    marks[name] = mark->fingerprint;
  }
  asked.kept.secrets = marks.dump();
}

std::string MemoWork::sums_of(const MemoAsked& asked, const IsGivenUp& given_up) {
  const MemoRequest& request = asked.request;
  NamedFiles found = files_named(request.folder, request.reads, kMostRead);
  if (!found.trouble.empty()) throw std::runtime_error("`reads`: " + found.trouble);
  if (!found.unmatched.empty())
    throw std::runtime_error(fmt::format("`{}` of `reads` is the name of no file", found.unmatched.front()));
  for (const std::string& file : asked.sent) found.files[file] = true;
  Json sums = Json::object();
  for (const auto& [name, there] : found.files) {
    if (given_up) throw GivenUp();
    sums[name] = there ? Json(store_->sum_of(in_folder(request.folder, name), given_up)) : Json();
  }
  return sums.dump(-1, ' ', false, Json::error_handler_t::replace);
}

void MemoWork::add_files(MemoAsked& asked, const Task& task, const IsGivenUp& given_up) {
  if (const auto* request = std::get_if<HttpRequest>(&*task.work)) {
    if (!request->body_file.empty()) asked.sent.push_back(request->body_file);
    for (const FormPart& part : request->parts)
      if (!part.file.empty()) asked.sent.push_back(part.file);
  }
  const bool files = !asked.sent.empty() || !asked.request.reads.empty() || !asked.request.writes.empty();
  if (files && !setting_.here) throw std::runtime_error("its files are with the workers");
  asked.kept.reads = sums_of(asked, given_up);
}

MemoAsked MemoWork::ask(const Task& task, const IsGivenUp& given_up) {
  MemoAsked asked;
  asked.request = **task.memo;
  asked.kept.workflow = setting_.workflow;
  asked.kept.step = task.path;
  asked.kept.run = setting_.run;
  asked.kept.at_most = asked.request.at_most;
  asked.kept.definition = asked.request.definition + around(task);
  asked.kept.folder = asked.request.folder;
  if (!store()) {
    asked.miss = asked.unkept = trouble_;
    return asked;
  }
  try {
    add_secrets(asked, task);
    add_files(asked, task, given_up);
    const std::string input = comparable_input(to_json_text(task));
    asked.kept.input = input.size() <= kLongestInput
                           ? input
                           : fmt::format(R"({{"size":{},"xxh3":"{}"}})", input.size(), hex16(hash64(input)));
    asked.kept.key = key_of(asked.kept, input, asked.request);
  } catch (const std::exception& error) {
    asked.miss = asked.unkept = error.what();
  }
  return asked;
}

std::optional<Result> MemoWork::look(const Task& task, bool anew, Instant now, MemoAsked& asked,
                                     const IsGivenUp& given_up) {
  if (given_up) return std::nullopt;
  asked = ask(task, given_up);
  if (!asked.miss.empty()) return std::nullopt;
  // The attempt before may have been a result that was taken and refused.
  asked.miss = !setting_.takes    ? "--no-memo"
               : anew             ? "it was asked to run again"
               : task.attempt > 1 ? "it is tried again"
                                  : "";
  return asked.miss.empty() ? take(asked, task, now, given_up) : std::nullopt;
}

std::optional<Result> MemoWork::take(MemoAsked& asked, const Task& task, Instant now, const IsGivenUp& given_up) {
  try {
    const auto kept = store_->find(asked.kept.key);
    if (!kept) return asked.miss = difference(asked), std::nullopt;
    Result result = std::get<TaskEnded>(ended_from_text(kept->result).fact).result;
    asked.miss = refusal(*kept, result, asked.request, task, setting_.run, now);
    if (!asked.miss.empty()) return std::nullopt;
    for (const KeptFile& file : kept->writes) {
      if (given_up) throw GivenUp();
      store_->put_back(file, in_folder(asked.request.folder, file.name), given_up);
      fault_point("memo_put_back");
    }
    result.memo = MemoNote{kept->run, kept->seq, kept->at, result.took, {}, {}};
    result.took = Duration{0};
    result.began = {};
    result.unlogged = 0;
    result.retry_after.reset();  // the server said it then
    return result;
  } catch (const std::exception& error) {
    asked.miss = error.what();
    return std::nullopt;
  }
}

std::string MemoWork::difference(const MemoAsked& asked) {
  const auto newest = store_->newest(asked.kept.workflow, asked.kept.step);
  if (!newest) return "no earlier run has a result of it";
  const KeptResult &was = *newest, &is = asked.kept;
  const std::string since = fmt::format("since run {}", was.run);
  if (was.definition != is.definition) return "its definition has changed " + since;
  if (was.folder != is.folder) return fmt::format("it runs in {}; in run {} it was {}", is.folder, was.run, was.folder);
  if (was.input != is.input) {
    const std::string what = input_difference(was.input, is.input);
    return fmt::format("its input has changed {}{}{}", since, what.empty() ? "" : ": ", what);
  }
  if (was.secrets != is.secrets) return fmt::format("{} {}", secret_difference(was.secrets, is.secrets), since);
  if (was.reads != is.reads) return fmt::format("{} {}", file_difference(was.reads, is.reads), since);
  return "it writes other files " + since;
}

std::shared_ptr<MemoStore::Keeping> MemoWork::keeping(const IsGivenUp& given_up) {
  std::shared_ptr<MemoStore::Keeping> keeping = keeping_.lock();
  if (!keeping) keeping_ = keeping = std::make_shared<MemoStore::Keeping>(*store_, given_up);
  return keeping;
}

std::int64_t MemoWork::check_written(Result& result, const MemoAsked& asked) const {
  std::int64_t size = 0;
  for (const std::string& name : setting_.here ? asked.request.writes : std::vector<std::string>{}) {
    std::string bad = bad_file(name, in_folder(asked.request.folder, name), size);
    if (bad.empty()) continue;
    // As of any failed attempt: what it had captured.
    if (result.value.json().is_object() && result.value.json().contains("value"))
      result.value = Value(result.value.json().at("value"));
    result.failure = Failure{"writes", std::move(bad)};
    break;
  }
  return size;
}

void MemoWork::leave(Result& result, MemoAsked& asked) const {
  check_written(result, asked);
  if (asked.unkept.empty()) asked.unkept = GivenUp().what();
  note(result, asked);
}

void MemoWork::take_in(Result& result, MemoAsked& asked, const IsGivenUp& given_up) {
  const std::vector<std::string>& writes = asked.request.writes;
  const std::int64_t size = check_written(result, asked);
  if (asked.unkept.empty()) {
    if (result.value.text().size() > kLongestResult)
      asked.unkept = fmt::format("its result has more than {} bytes", kLongestResult);
    else if (size > kMostWritten)
      asked.unkept = fmt::format("its files have more than {} bytes", kMostWritten);
  }
  if (!store()) asked.unkept = trouble_;
  if (result.ok() && asked.unkept.empty()) {
    try {
      // What it writes itself may have changed.
      Json before = Json::parse(asked.kept.reads), now = Json::parse(sums_of(asked, given_up));
      for (Json* sums : {&before, &now}) drop_written(*sums, asked.request);
      if (before != now)
        asked.unkept = file_difference(before.dump(), now.dump()) + " while it ran";
      else if (!writes.empty())
        asked.keeping = keeping(given_up);
      if (asked.unkept.empty())
        for (const std::string& name : writes) {
          asked.kept.writes.push_back(store_->take_in(name, in_folder(asked.request.folder, name), given_up));
          fault_point("memo_taken_in");
        }
    } catch (const std::exception& error) {
      asked.unkept = error.what();
    }
  }
  note(result, asked);
}

void MemoWork::keep(const std::vector<KeptResult>& results) {
  if (!store()) return;
  try {
    fault_point("memo_keep");
    store_->keep(results);
    fault_point("memo_kept");
  } catch (const std::exception& error) {
    trouble_ = error.what();
    store_.reset();
  }
}

}  // namespace flowrun
