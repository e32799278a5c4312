#include "engine/executor/child_output.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace flowrun {
namespace {

constexpr std::size_t kTurn = 1 << 20;  // bytes read of one process before the others have their turn

}  // namespace

ChildPipes::~ChildPipes() {
  for (const auto& ends : {in_, out_, err_})
    for (int i : {0, 1})
      if (ends[i] >= 0) close(ends[i]);
}

std::string ChildPipes::open(bool feeds) {
  if (pipe2(out_, O_CLOEXEC) == 0 && pipe2(err_, O_CLOEXEC) == 0 && (!feeds || pipe2(in_, O_CLOEXEC) == 0)) return "";
  return fmt::format("no pipe for the process: {}", std::strerror(errno));
}

int ChildPipes::take(int& end) {
  if (end >= 0) fcntl(end, F_SETFL, O_NONBLOCK);
  return std::exchange(end, -1);
}

bool ChildOutput::captures() const {
  using Capture = Process::Capture;
  return process().capture != Capture::None && (process().capture != Capture::File || task_.keep_raw);
}

void ChildOutput::watch(int out, EventLoop::HandlerId on_out, int err, EventLoop::HandlerId on_err, std::uint64_t id) {
  out_.descriptor = out;
  err_.descriptor = err;
  loop_.watch(out, EPOLLIN, on_out, id);
  loop_.watch(err, EPOLLIN, on_err, id);
}

void ChildOutput::close_stream(Stream& stream) {
  if (stream.descriptor < 0) return;
  loop_.unwatch(stream.descriptor);
  close(stream.descriptor);
  stream.descriptor = -1;
}

void ChildOutput::on_readable(bool from_stderr) {
  Stream& stream = from_stderr ? err_ : out_;
  if (stream.descriptor >= 0 && !drain(from_stderr, kTurn)) close_stream(stream);
}

bool ChildOutput::drain(bool from_stderr, std::size_t most) {
  const int descriptor = (from_stderr ? err_ : out_).descriptor;
  char buffer[65536];
  while (most > 0) {
    std::size_t asked = std::min(most, sizeof buffer);
    ssize_t got = read(descriptor, buffer, asked);
    if (got > 0) {
      keep(from_stderr, {buffer, static_cast<std::size_t>(got)});
      // A pipe that gave less than was asked for is empty now.
      if (static_cast<std::size_t>(got) < asked) return true;
      most -= static_cast<std::size_t>(got);
    } else if (got < 0 && errno == EINTR) {
      continue;
    } else {
      return got < 0 && errno == EAGAIN;
    }
  }
  return true;
}

void ChildOutput::keep(bool from_stderr, std::string_view bytes) {
  if (from_stderr) return keep_stderr(err_.mask.pass(bytes));
  if (!captures()) return log(out_, out_.mask.pass(bytes));
  const auto most = static_cast<std::size_t>(process().max_output);
  stdout_head_ += bytes.substr(0, most - std::min(stdout_head_.size(), most));
  // What may be the end of a cut output is masked apart from what may be its beginning.
  auto before = static_cast<std::size_t>(
      std::clamp<std::int64_t>(cut_tail_begins(process()) - stdout_bytes_, 0, static_cast<std::int64_t>(bytes.size())));
  stdout_bytes_ += static_cast<std::int64_t>(bytes.size());
  if (before > 0) log(out_, out_.mask.pass(bytes.substr(0, before)));
  if (before < bytes.size()) keep_end(out_.mask.pass(bytes.substr(before)));
}

void ChildOutput::log(Stream& stream, std::string_view bytes) {
  // What is secret is not masked yet when it is said.
  if (!task_.secret_output) stream.log.append(bytes);
}

void ChildOutput::keep_end(std::string_view bytes) {
  log(out_, bytes);
  if (!process().unread) return;
  stdout_tail_ += bytes;
  auto most = static_cast<std::size_t>(process().max_output - cut_tail_begins(process()));
  if (stdout_tail_.size() > 2 * most) stdout_tail_.erase(0, stdout_tail_.size() - most);
}

void ChildOutput::keep_stderr(std::string_view bytes) {
  log(err_, bytes);
  stderr_tail_ += bytes;
  if (stderr_tail_.size() > 2 * kStderrTail) stderr_tail_.erase(0, stderr_tail_.size() - kStderrTail);
}

void ChildOutput::finish() {
  // Exit, not end of output, ends a process: a grandchild may keep the pipes open for ever, and even write for ever, so
  // what is there now is all that counts.
  for (bool from_stderr : {false, true}) {
    Stream& stream = from_stderr ? err_ : out_;
    int there = 0;
    if (stream.descriptor >= 0 && ioctl(stream.descriptor, FIONREAD, &there) == 0 && there > 0)
      drain(from_stderr, static_cast<std::size_t>(there));
    close_stream(stream);
  }
  keep_end(out_.mask.rest());
  keep_stderr(err_.mask.rest());
  out_.log.end();
  err_.log.end();
}

void ChildOutput::move_to(ProcessEnd& end) {
  end.stdout_head = std::move(stdout_head_);
  end.stdout_bytes = stdout_bytes_;
  end.stdout_tail = std::move(stdout_tail_);
  end.stderr_tail = std::move(stderr_tail_);
  end.unlogged = static_cast<std::int64_t>(out_.log.lost() + err_.log.lost());
}

}  // namespace flowrun
