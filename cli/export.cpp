// flowrun export, import: a run goes to another journal, on another machine if need be.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>

#include "cli/draft.h"
#include "cli/drive.h"
#include "cli/render.h"
#include "cli/runs.h"
#include "cli/source.h"
#include "engine/executor/named_file.h"
#include "engine/run/detached_start.h"
#include "engine/run/export.h"

namespace flowrun::cli {
namespace {

constexpr std::size_t kNamedFiles = 5;  // of files in one message
constexpr mode_t kOnlyOwner = 0600;     // values may be private

struct ExportOptions {
  std::string run, file;
  bool force = false;
};

std::string number_of(std::int64_t count, const char* one, const char* many) {
  return fmt::format("{} {}", count, count == 1 ? one : many);
}

std::string size_of(const RunRecord& run, std::size_t files) {
  return fmt::format("run {}, {}, {}", run.id, number_of(run.last_seq, "entry", "entries"),
                     number_of(static_cast<std::int64_t>(files), "file", "files"));
}

/// A file without a name that others know, for what can only be written from its beginning to its end.
class Unnamed {
 public:
  Unnamed() : path_((std::filesystem::temp_directory_path() / "flowrun-export-XXXXXX").string()) {
    descriptor_ = mkostemp(path_.data(), O_CLOEXEC);
    if (descriptor_ < 0) can_not_be_written(path_, errno);
  }
  ~Unnamed() {
    unlink(path_.c_str());
    close(descriptor_);
  }
  Unnamed(const Unnamed&) = delete;
  Unnamed& operator=(const Unnamed&) = delete;

  const std::string& path() const { return path_; }
  /// Copies it to |out|. False: errno says why not.
  bool copy(int out) const {
    std::string buffer(1 << 20, 0);
    for (;;) {
      const ssize_t got = ::read(descriptor_, buffer.data(), buffer.size());
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) return got == 0;
      if (!write_all(out, std::string_view(buffer).substr(0, static_cast<std::size_t>(got)))) return false;
    }
  }

 private:
  std::string path_;
  int descriptor_ = -1;
};

Exported write_archive(const Journal& journal, const std::string& run, const ExportOptions& options) {
  if (options.file == "-" || is_written_through(options.file)) {
    const Unnamed draft;
    Exported exported = export_run(journal, run, draft.path(), &stop_asked);
    if (options.file == "-") {
      if (!draft.copy(STDOUT_FILENO)) throw OutputLost("standard output");
      return exported;
    }
    const int out = open(options.file.c_str(), O_WRONLY | O_CLOEXEC);
    if (out < 0) can_not_be_written(options.file, errno);
    const int why = draft.copy(out) ? 0 : errno;
    close(out);
    if (why != 0) can_not_be_written(options.file, why);
    return exported;
  }
  if (std::error_code error; !options.force && std::filesystem::exists(options.file, error))
    throw Error(Problem::Usage, fmt::format("{} is there already; --force writes over it", options.file));
  Draft draft(options.file, kOnlyOwner);
  Exported exported = export_run(journal, run, draft.path(), &stop_asked);
  draft.finish();
  return exported;
}

int run_export(const Context& context, const ExportOptions& options) {
  if (options.file == "-" && isatty(STDOUT_FILENO) == 1)
    throw Error(Problem::Usage, "an archive is nothing for a terminal; -o FILE writes it to a file");
  const Journal journal(journal_path(context.journal), Journal::Mode::ReadOnly);
  hear_signals();
  const Exported exported = write_archive(journal, options.run.empty() ? "@last" : options.run, options);
  if (context.quiet) return 0;
  const RunRecord& run = exported.run;
  const std::string file = options.file == "-" ? "standard output" : options.file;
  std::fprintf(stderr, "wrote %s: %s\n", file.c_str(), size_of(run, exported.files).c_str());
  if (!exported.origin.empty())
    std::fprintf(stderr, "note: run %s, whose results it takes over, goes along\n", exported.origin.c_str());
  if (const auto& left_out = exported.left_out; !left_out.empty()) {
    std::string names;
    for (std::size_t i = 0; i < left_out.size() && i < kNamedFiles; ++i) names += " " + left_out[i];
    std::fprintf(stderr, "note: what is no file stays here:%s%s\n", names.c_str(),
                 left_out.size() > kNamedFiles ? " ..." : "");
  }
  if (run.driver_pid != 0)
    std::fprintf(stderr, "note: a process drives run %s; what it does from here on is not in it\n", run.id.c_str());
  if (!has_ended(run.state))
    std::fprintf(stderr,
                 "note: run %s has not ended: if it goes on here and where it is imported, what is left of it "
                 "happens twice\n",
                 run.id.c_str());
  return 0;
}

struct ImportOptions {
  std::string file;  ///< or the run
  std::string on;
};

Imported import_file(Journal& journal, const std::string& file) {
  const bool piped = file == "-";
  if (piped && isatty(STDIN_FILENO) == 1)
    throw Error(Problem::Usage, "an archive does not come from a terminal; name its FILE");
  int input = STDIN_FILENO;
  if (!piped)
    if (const std::string why = open_regular(file, input); !why.empty())
      throw Error(Problem::Usage, fmt::format("{} can not be read: {}", file, why));
  return import_run(journal, input, piped ? "standard input" : file, &stop_asked);
}

int run_import(const Context& context, const ImportOptions& options) {
  hear_signals();
  std::unique_ptr<RunSource> source;
  if (!options.on.empty()) source = std::make_unique<RunSource>(context, options.on, options.file);
  Journal journal(journal_path(context.journal), Journal::Mode::Create);
  const Imported imported =
      source ? import_detached(journal, *source->copy(), &stop_asked) : import_file(journal, options.file);
  const RunRecord& run = imported.run;
  print_result(run.id + "\n");
  if (context.quiet) return 0;
  std::fprintf(stderr, "imported %s\n", size_of(run, imported.files).c_str());
  if (!imported.origin.empty())
    std::fprintf(stderr, "note: run %s, whose results it takes over, %s\n", imported.origin.c_str(),
                 imported.has_origin ? "was here already" : "came along");
  if (!has_ended(run.state))
    std::fprintf(stderr,
                 "note: it has not ended: if it goes on here and where it comes from, what is left of it happens "
                 "twice\n");
  std::fprintf(stderr, "%s %s\n", has_ended(run.state) ? "look at it:  " : "go on with it:",
               typed_command({has_ended(run.state) ? "show" : "resume", run.id}, journal.path()).c_str());
  return 0;
}

}  // namespace

void add_export(Command& app, Context& context) {
  auto options = std::make_shared<ExportOptions>();
  Command* command = app.add_subcommand("export", "Write a run to a file, for another journal to take in");
  command->add_option("RUN", options->run, "The run; the newest when left out");
  command->add_option("-o,--output", options->file, "Where to; - is standard output")->type_name("FILE|-")->required();
  command->add_flag("--force", options->force, "Write over a file that is there");
  command->callback(
      [&context, options] { context.chosen = [&context, options] { return run_export(context, *options); }; });
}

void add_import(Command& app, Context& context) {
  auto options = std::make_shared<ImportOptions>();
  Command* command = app.add_subcommand("import", "Take a run that was exported into the journal");
  command->add_option("FILE", options->file, "What export wrote; - is standard input; with --on the run")->required();
  add_server_option(*command, options->on);
  command->callback(
      [&context, options] { context.chosen = [&context, options] { return run_import(context, *options); }; });
}

}  // namespace flowrun::cli
