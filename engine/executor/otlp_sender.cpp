#include "engine/executor/otlp_sender.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <functional>
#include <optional>

#include "engine/executor/answer.h"
#include "engine/executor/libcurl.h"
#include "engine/executor/named_file.h"
#include "engine/model/diagnostics.h"
#include "engine/model/error.h"
#include "engine/model/json_text.h"
#include "engine/model/value.h"

namespace flowrun {
namespace {

// As the batch processors of the OpenTelemetry SDKs do it, but sooner.
constexpr std::size_t kBatch = 512;
constexpr std::size_t kMostWaiting = 20000;
constexpr std::size_t kMostBytes = 32 << 20;
constexpr std::chrono::milliseconds kDelay{1000};  // how long a span waits for others to go with it
// Between tries; at the end of a run few and short ones.
constexpr std::chrono::milliseconds kFirstPause{500}, kLongestPause{5000}, kLastPause{100};
constexpr int kLastTries = 3;
constexpr std::size_t kMostAnswer = 64 << 10;
constexpr int kLookEvery = 100;  // ms: so late at the most it is seen that nobody waits any more

}  // namespace

/// One request after another, by one handle that keeps its connection.
class OtlpSender::Post {
 public:
  /// Throws Error when it can not send.
  explicit Post(const OtlpTarget& target)
      : ca_(certificates(target)), easy_(libcurl().curl_easy_init()), multi_(libcurl().curl_multi_init()) {
    const auto add = [&](const std::string& line) { headers_ = libcurl().curl_slist_append(headers_, line.c_str()); };
    add("Content-Type: application/json");
    add("User-Agent: flowrun/" FLOWRUN_VERSION);
    add("Expect:");
    for (const auto& [name, value] : target.headers) add(value.empty() ? name + ";" : name + ": " + value);
    set(CURLOPT_HTTPHEADER, headers_);
    set(CURLOPT_URL, target.url.c_str());
    set(CURLOPT_PROTOCOLS_STR, "http,https");
    set(CURLOPT_NOSIGNAL, 1L);
    set(CURLOPT_QUICK_EXIT, 1L);
    set(CURLOPT_POST, 1L);
    set(CURLOPT_TIMEOUT_MS, static_cast<long>(target.timeout.count()));
    set(CURLOPT_ERRORBUFFER, error_);
    set(CURLOPT_WRITEDATA, &answer_);
    set(
        CURLOPT_WRITEFUNCTION, +[](char* bytes, std::size_t size, std::size_t count, std::string* answer) {
          answer->append(bytes, std::min(size * count, kMostAnswer - std::min(kMostAnswer, answer->size())));
          return size * count;
        });
    if (!ca_.empty()) set(CURLOPT_CAINFO, ca_.c_str());
  }
  ~Post() {
    libcurl().curl_easy_cleanup(easy_);
    libcurl().curl_multi_cleanup(multi_);
    libcurl().curl_slist_free_all(headers_);
  }
  Post(const Post&) = delete;
  Post& operator=(const Post&) = delete;

  /// The status of the answer; 0: there is none, as trouble() says. |stop|: asked again and again, ends it.
  long send(const std::string& body, const std::function<bool()>& stop) {
    answer_.clear();
    error_[0] = 0;
    trouble_ = easy_ && multi_ ? "" : "libcurl can not start";
    if (!trouble_.empty()) return 0;
    set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body.size()));
    set(CURLOPT_POSTFIELDS, body.c_str());
    libcurl().curl_multi_add_handle(multi_, easy_);
    int running = 1;
    while (running > 0 && !stop()) {
      if (const CURLMcode code = libcurl().curl_multi_perform(multi_, &running); code != CURLM_OK) {
        trouble_ = fmt::format("libcurl: error {}", static_cast<int>(code));
        break;
      }
      if (running > 0) libcurl().curl_multi_poll(multi_, nullptr, 0, kLookEvery, nullptr);
    }
    CURLcode code = CURLE_ABORTED_BY_CALLBACK;
    int left = 0;
    while (const CURLMsg* message = libcurl().curl_multi_info_read(multi_, &left))
      if (message->msg == CURLMSG_DONE) code = message->data.result;
    libcurl().curl_multi_remove_handle(multi_, easy_);
    if (running > 0) {
      if (trouble_.empty()) trouble_ = "it has not answered in time";
      return 0;
    }
    if (code != CURLE_OK) {
      trouble_ = error_[0] ? error_ : libcurl().curl_easy_strerror(code);
      return 0;
    }
    long status = 0;
    libcurl().curl_easy_getinfo(easy_, CURLINFO_RESPONSE_CODE, &status);
    return status;
  }
  const std::string& answer() const { return answer_; }
  const std::string& trouble() const { return trouble_; }

 private:
  /// The file that the environment names. libcurl would wait for who writes to a pipe.
  static std::string certificates(const OtlpTarget& target) {
    const char* named = std::getenv("SSL_CERT_FILE");
    if (!named || !*named || !target.url.starts_with("https:")) return "";
    if (const std::string what = not_regular(named); !what.empty())
      throw Error(Problem::Impossible, fmt::format("cannot read the file {}: {}", named, what));
    return named;
  }

  template <typename What>
  void set(CURLoption option, What value) {
    set_option(easy_, option, value);
  }

  const std::string ca_;
  CURL* easy_;
  CURLM* multi_;
  curl_slist* headers_ = nullptr;
  std::string answer_, trouble_;
  char error_[CURL_ERROR_SIZE] = {};
};

OtlpSender::OtlpSender(OtlpTarget target) : target_(std::move(target)) {}

OtlpSender::~OtlpSender() { finish(Duration{0}); }

bool OtlpSender::add(std::string span) {
  const std::lock_guard lock(mutex_);
  if (closing_ || over_ || waiting_.size() + in_hand_ >= kMostWaiting || bytes_ + span.size() > kMostBytes) {
    ++report_.lost;
    if (report_.trouble.empty() && !closing_) report_.trouble = "it takes them more slowly than they come";
    return false;
  }
  if (waiting_.empty()) since_ = Clock::now();
  bytes_ += span.size();
  waiting_.push_back(std::move(span));
  if (!thread_.joinable()) {
    thread_ = std::thread([this] { run(); });
  } else if (waiting_.size() == 1 || waiting_.size() == kBatch) {
    changed_.notify_all();
  }
  return true;
}

bool OtlpSender::wait_for_fewer(std::size_t count, Duration most) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, most, [&] {
    return over_ || (waiting_.size() + in_hand_ < count && bytes_ < kMostBytes / 2);
  }) && !over_;
}

OtlpReport OtlpSender::finish(Duration most, const std::function<bool()>& enough) {
  {
    std::unique_lock lock(mutex_);
    closing_ = true;
    changed_.notify_all();
    const auto until = Clock::now() + most;
    while (thread_.joinable() && !over_ && Clock::now() < until && !(enough && enough()))
      changed_.wait_until(lock, std::min(until, Clock::now() + std::chrono::milliseconds(kLookEvery)));
    given_up_ = true;
    changed_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
  const std::lock_guard lock(mutex_);
  report_.lost += waiting_.size();
  waiting_.clear();
  return report_;
}

void OtlpSender::run() {
  try {
    Post post(target_);
    for (auto batch = next_batch(); !batch.empty(); batch = next_batch()) deliver(post, batch);
  } catch (const std::exception& error) {
    note_trouble(error.what());
  }
  const std::lock_guard lock(mutex_);
  report_.lost += std::exchange(in_hand_, 0);
  over_ = true;
  changed_.notify_all();
}

std::vector<std::string> OtlpSender::next_batch() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return closing_ || !waiting_.empty(); });
  changed_.wait_until(lock, since_ + kDelay, [this] { return closing_ || waiting_.size() >= kBatch; });
  std::vector<std::string> batch;
  if (given_up_) return batch;
  while (!waiting_.empty() && batch.size() < kBatch) {
    bytes_ -= waiting_.front().size();
    batch.push_back(std::move(waiting_.front()));
    waiting_.pop_front();
  }
  in_hand_ = batch.size();
  since_ = Clock::now();
  return batch;
}

void OtlpSender::deliver(Post& post, const std::vector<std::string>& batch) {
  std::string body = target_.head;
  for (std::size_t i = 0; i < batch.size(); ++i) body.append(i > 0 ? "," : "").append(batch[i]);
  body += target_.tail;
  const auto stop = [this] {
    const std::lock_guard lock(mutex_);
    return given_up_;
  };
  Delivery delivery = Delivery::TryAgain;
  for (int tries = 1; delivery == Delivery::TryAgain; ++tries) {
    const long status = post.send(body, stop);
    if (status == 0) note_trouble(post.trouble());
    delivery = status == 0 ? Delivery::TryAgain : judge(status, post.answer(), batch.size());
    if (delivery == Delivery::TryAgain && !may_try_again(tries)) delivery = Delivery::Lost;
  }
  const std::lock_guard lock(mutex_);
  (delivery == Delivery::Taken ? report_.sent : report_.lost) += std::exchange(in_hand_, 0);
  changed_.notify_all();
}

OtlpSender::Delivery OtlpSender::judge(long status, const std::string& answer, std::size_t count) {
  if (status < 200 || status > 299) {
    note_trouble(
        fmt::format("it answers with HTTP status {}{}{}", status, answer.empty() ? "" : ": ", shortened(answer, 200)));
    // As the protocol has it: all others are not to be sent again.
    const bool again = status == 429 || status == 502 || status == 503 || status == 504;
    return again ? Delivery::TryAgain : Delivery::Lost;
  }
  const std::optional<Json> json = json_of(answer);
  if (!json || !json->is_object() || !json->contains("partialSuccess")) return Delivery::Taken;
  const Json& part = (*json)["partialSuccess"];
  if (!part.is_object()) return Delivery::Taken;
  const Json refused = part.value("rejectedSpans", Json());
  std::size_t number = refused.is_number_unsigned() ? refused.get<std::size_t>() : 0;
  if (refused.is_string()) {
    const auto& text = refused.get_ref<const std::string&>();
    std::from_chars(text.data(), text.data() + text.size(), number);
  }
  const Json words = part.value("errorMessage", Json());
  const std::lock_guard lock(mutex_);
  report_.refused += std::min(number, count);
  if (report_.words.empty() && words.is_string()) report_.words = shortened(words.get<std::string>(), 200);
  return Delivery::Taken;
}

void OtlpSender::note_trouble(std::string what) {
  const std::lock_guard lock(mutex_);
  if (report_.trouble.empty()) report_.trouble = std::move(what);
}

bool OtlpSender::may_try_again(int tries) {
  std::unique_lock lock(mutex_);
  const bool was_closing = closing_;
  const auto pause = was_closing ? kLastPause : std::min(kLongestPause, kFirstPause * (1 << std::min(tries - 1, 4)));
  changed_.wait_for(lock, pause, [&] { return given_up_ || (closing_ && !was_closing); });
  if (was_closing && tries >= kLastTries) given_up_ = true;  // nor would it take the others
  return !given_up_;
}

}  // namespace flowrun
