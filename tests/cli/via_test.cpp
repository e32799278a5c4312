// `via` for real: doors of our own that lose the environment as theirs do, sshd on this machine, and Slurm with one
// node; the last two are skipped where they are not installed.
#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <thread>

#include "engine/model/value.h"
#include "tests/support/catch.h"
#include "tests/support/program.h"
#include "tests/support/temp_dir.h"

namespace flowrun::test::via_test {
namespace {

using Words = std::vector<std::string>;

struct Desk {
  TempDir dir;
  std::string journal = dir.path("j.db");
  HowToRun how;

  Desk() {
    how.cwd = dir.path("");
    how.env = {{"PATH", dir.path("") + ":" + std::getenv("PATH")}};
    // Each as the real one does it: these words are its own, a shell reads the rest, or it is a program and its words.
    program("ssh", "shift; exec env -i PATH=\"$PATH\" FAR=ssh sh -c \"$*\"");
    program("docker", "shift 2; exec env -i PATH=\"$PATH\" FAR=docker \"$@\"");
    program("srun", "shift; FAR=srun exec \"$@\"");
  }
  void program(const std::string& name, const std::string& script) {
    chmod(dir.write(name, "#!/bin/sh\n" + script + "\n").c_str(), 0755);
  }
  std::string write(const std::string& text) const { return dir.write("w.yaml", "flowrun: 1\n" + text); }
  Ran call(const Words& words) const { return flowrun(journal, words, how); }
};

const char* kWorkflow = R"(
input: { door: [] }
steps:
  script:
    shell: printf '%s|' "${FAR:-}" "$A" "$FLOWRUN_STEP" "$@"; cat; echo "to stderr" >&2
    env: { A: "it's $HOME *" }
    stdin: "in\nput"
    via: [ "${ $input.door }" ]
  program:
    exec: [sh, -c, 'printf "%s," "$FAR" "$1" "$B"; exit 7', sh, 'a "b" $c']
    env: { B: "${ {x: [1, \"two\"]} }" }
    success_codes: [7]
    via: [ "${ $input.door }" ]
output: { script: "${ $steps.script }", program: "${ $steps.program }" }
)";

/// That nobody listens at now.
int free_port() {
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  bind(socket, reinterpret_cast<sockaddr*>(&address), size);
  getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size);
  close(socket);
  return ntohs(address.sin_port);
}

bool soon(const std::function<bool()>& so) {
  for (int i = 0; i < 600; ++i) {
    if (so()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  return false;
}

bool installed(const char* program) {
  return run({"/bin/sh", "-c", fmt::format("PATH=$PATH:/usr/sbin; command -v {}", program)}).code == 0;
}

}  // namespace

TEST_CASE("words, variables, input, output and the exit code go through a door, whatever it loses", "[via]") {
  const auto [name, door] = GENERATE(table<const char*, const char*>(
      {{"ssh", R"(["ssh","build7"])"}, {"docker", R"(["docker","exec","c1"])"}, {"srun", R"(["srun","-n1"])"}}));
  Desk desk;
  const Ran ran = desk.call({"run", desk.write(kWorkflow), "-i", std::string("door=") + door});
  INFO(ran.err);
  REQUIRE(ran.code == 0);
  const Json output = Json::parse(ran.out);
  CHECK(output["script"] == fmt::format("{}|it's $HOME *|script|in\nput", name));
  CHECK(output["program"] == fmt::format("{},a \"b\" $c,{{\"x\":[1,\"two\"]}},", name));
  CHECK(desk.call({"logs"}).out.find("to stderr") != std::string::npos);
  const Ran start = desk.call({"journal", "show", "--jq", "select(.kind == \"start\").data.input.via | join(\" \")"});
  INFO(start.out);
  CHECK(start.out.find(name) == 0);
}

TEST_CASE("FLOWRUN_VIA is for steps that do not say otherwise, and a run keeps it", "[via]") {
  Desk desk;
  const std::string file = desk.write(R"(
defaults: { exec: { via: [docker, exec, c2] } }
steps:
  a: { shell: 'echo "${FAR:-}"' }
  b: { shell: 'echo "${FAR:-}"', via: none }
  c: { exec: [sh, -c, 'echo "$FAR"'] }
  d: { shell: 'echo "${FAR:-}"; [ -e ready ]', needs: [a, b, c] }
output: { a: "${ $steps.a }", b: "${ $steps.b }", c: "${ $steps.c }", d: "${ $steps.d }" }
)");
  HowToRun with = desk.how;
  with.env["FLOWRUN_VIA"] = "srun '-n 1'";
  CHECK(flowrun(desk.journal, {"run", file, "--id", "r"}, with).code == 1);
  desk.dir.write("ready", "");
  const Ran ran = desk.call({"retry", "r"});
  INFO(ran.err);
  CHECK(ran.code == 0);
  CHECK(Json::parse(ran.out) == Json{{"a", "srun"}, {"b", ""}, {"c", "docker"}, {"d", "srun"}});
  CHECK(desk.call({"journal", "verify", "--all"}).code == 0);
  // With nothing in it, it says nothing.
  with.env["FLOWRUN_VIA"] = " ";
  CHECK(flowrun(desk.journal, {"run", file, "--jq", ".output.a"}, with).out == "\n");
}

TEST_CASE("a fork has the door of its origin, takes over what ran behind another, and no step inherits it", "[via]") {
  Desk desk;
  const std::string file = desk.write(R"(
steps:
  a: { shell: 'echo a >> ran; echo "${FAR:-} ${FLOWRUN_VIA:-}"' }
  b: { shell: 'echo b >> ran; echo "${FAR:-}"', needs: [a, items] }
  # What each item is told stands behind its own variables, whatever their names.
  items: { for_each: [x], needs: a, do: { shell: 'echo items >> ran', env: { Z: "],\"via\":[" } } }
output: ${ [$steps.a, $steps.b] }
)");
  HowToRun with = desk.how;
  with.env["FLOWRUN_VIA"] = "srun -n1";
  const Ran first = flowrun(desk.journal, {"run", file, "--id", "r"}, with);
  INFO(first.err);
  CHECK(first.out == "[\"srun \",\"srun\"]\n");
  CHECK(desk.call({"fork", "r", "--from", "b"}).out == "[\"srun \",\"srun\"]\n");
  with.env["FLOWRUN_VIA"] = "docker exec c1";
  CHECK(flowrun(desk.journal, {"fork", "r", "--from", "b"}, with).out == "[\"srun \",\"docker\"]\n");
  CHECK(desk.dir.read("ran") == "a\nitems\nb\nb\nb\n");
  CHECK(desk.call({"show", "r"}).out.find("  via srun -n1") != std::string::npos);
}

TEST_CASE("a door whose words come out empty is an error, and does not mean here", "[via]") {
  Desk desk;
  const std::string file =
      desk.write("input: { door: [] }\nsteps: { a: { shell: echo > ran, via: [\"${ $input.door }\"] } }\n");
  const Ran ran = desk.call({"run", file});
  CHECK(ran.code == 1);
  CHECK(ran.err.find("via has no program") != std::string::npos);
  CHECK_FALSE(std::filesystem::exists(desk.dir.path("ran")));
}

TEST_CASE("a secret does not stand in a command line, and comes through where it may", "[via]") {
  Desk desk;
  desk.program("docker", "ps -o args= -p $$ > args; shift 4; exec \"$@\"");
  desk.how.env["KEY"] = "s3cr3t-and-long";
  const std::string text = R"(
secrets: { key: { env: KEY } }
steps:
  a: { shell: '[ ${#TOKEN} = 15 ] && echo good', env: { TOKEN: "${ $secrets.key }" }, via: [ %s ] }
output: ${ $steps.a }
)";
  const auto with = [&](const std::string& door) {
    std::string whole = text;
    return desk.write(whole.replace(whole.find("%s"), 2, door));
  };
  const Ran refused = desk.call({"run", with("docker, exec, c1, it")});
  INFO(refused.err);
  CHECK(refused.code == 1);
  CHECK(refused.err.find("the variable TOKEN has a secret in it") != std::string::npos);
  CHECK_FALSE(std::filesystem::exists(desk.dir.path("args")));
  const Ran named = desk.call({"run", with("docker, exec, -e, TOKEN, c1")});
  INFO(named.err);
  CHECK(named.code == 0);
  CHECK(named.out == "good\n");
  CHECK(desk.dir.read("args").find("s3cr3t") == std::string::npos);
}

TEST_CASE("a door that is not there, or has no list, is told", "[via]") {
  Desk desk;
  const Ran gone = desk.call({"run", desk.write("steps: { a: { exec: [\"true\"], via: [no-such-door] } }\n")});
  CHECK(gone.code == 1);
  CHECK(gone.err.find("program no-such-door not found") != std::string::npos);
  const Ran text = desk.call({"validate", desk.write("steps: { a: { exec: [\"true\"], via: ssh build7 } }\n")});
  CHECK(text.code == 3);
  CHECK(text.out.find("write [ssh, build7]") != std::string::npos);
  const Ran guess = desk.call({"validate", desk.write("steps: { a: { exec: [\"true\"], wrapper: [nice] } }\n")});
  CHECK(guess.out.find("use `via`") != std::string::npos);
  const Ran here = desk.call({"validate", desk.write("steps: { a: { http: \"https://a.example\", via: [nice] } }\n")});
  CHECK(here.code == 3);
}

TEST_CASE("what is stopped stops its door", "[via]") {
  Desk desk;
  desk.program("srun", "shift; trap 'echo door was told > told; exit 143' TERM; echo > began; \"$@\" & wait");
  const std::string file = desk.write("steps: { a: { shell: sleep 60, via: [srun, -n1], timeout: 300ms } }\n");
  const Ran ran = desk.call({"run", file});
  CHECK(ran.code == 1);
  CHECK(ran.err.find("timeout") != std::string::npos);
  CHECK(desk.dir.read("told") == "door was told\n");
}

TEST_CASE("steps run behind a real sshd", "[via]") {
  if (!installed("sshd") || !installed("ssh") || geteuid() != 0) {
    WARN("skipped: sshd and ssh are not installed, or this is not root");
    return;
  }
  TempDir dir;
  const int port = free_port();
  const Ran keys =
      run({"/bin/sh", "-c",
           fmt::format("cd '{}' && ssh-keygen -q -t ed25519 -N '' -f host && ssh-keygen -q -t ed25519 -N '' "
                       "-f key && mkdir -p /run/sshd",
                       dir.path(""))});
  INFO(keys.err);
  REQUIRE(keys.code == 0);
  dir.write("sshd_config", fmt::format("ListenAddress 127.0.0.1\nPort {1}\nHostKey {0}/host\nAuthorizedKeysFile "
                                       "{0}/key.pub\nPidFile none\nStrictModes no\nUsePAM no\n",
                                       dir.path(""), port));
  Background server({"/usr/sbin/sshd", "-D", "-e", "-f", dir.path("sshd_config")});
  REQUIRE(soon([&] { return server.err().find("listening") != std::string::npos; }));
  const Json door = {"ssh",      "-q",
                     "-i",       dir.path("key"),
                     "-p",       std::to_string(port),
                     "-o",       "BatchMode=yes",
                     "-o",       "StrictHostKeyChecking=no",
                     "-o",       "UserKnownHostsFile=/dev/null",
                     "127.0.0.1"};
  Desk desk;
  std::filesystem::remove(desk.dir.path("ssh"));
  const Ran ran = desk.call({"run", desk.write(kWorkflow), "-i", "door=" + door.dump()});
  INFO(ran.err << server.err());
  REQUIRE(ran.code == 0);
  CHECK(Json::parse(ran.out) ==
        Json{{"script", "|it's $HOME *|script|in\nput"}, {"program", ",a \"b\" $c,{\"x\":[1,\"two\"]},"}});
}

TEST_CASE("steps run behind a real Slurm", "[via]") {
  if (!installed("slurmctld") || !installed("slurmd") || !installed("srun") || geteuid() != 0) {
    WARN("skipped: slurmctld, slurmd and slurm-client are not installed, or this is not root");
    return;
  }
  TempDir dir;
  for (const char* folder : {"state", "spool"}) std::filesystem::create_directory(dir.path(folder));
  char host[256] = "";
  gethostname(host, sizeof host - 1);
  const std::string name = std::string(host).substr(0, std::string(host).find('.'));
  dir.write("slurm.conf", fmt::format(R"(ClusterName=test
SlurmctldHost={0}(127.0.0.1)
SlurmctldPort={2}
SlurmdPort={3}
AuthType=auth/none
CredType=cred/none
SlurmUser={4}
StateSaveLocation={1}/state
SlurmdSpoolDir={1}/spool
SlurmctldPidFile={1}/slurmctld.pid
SlurmdPidFile={1}/slurmd.pid
ProctrackType=proctrack/pgid
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
ReturnToService=2
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
NodeName={0} NodeAddr=127.0.0.1 CPUs=1 State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
)",
                                      name, dir.path(""), free_port(), free_port(), "root"));
  HowToRun how;
  how.env = {{"SLURM_CONF", dir.path("slurm.conf")}, {"PATH", std::string(std::getenv("PATH")) + ":/usr/sbin"}};
  Background controller({"/usr/sbin/slurmctld", "-D"}, how);
  Background node({"/usr/sbin/slurmd", "-D"}, how);
  REQUIRE(soon([&] { return run({"/usr/bin/env", "sinfo", "-h", "-o", "%t"}, how).out.find("idle") == 0; }));
  Desk desk;
  std::filesystem::remove(desk.dir.path("srun"));
  desk.how.env["SLURM_CONF"] = dir.path("slurm.conf");
  const Ran ran = desk.call({"run", desk.write(kWorkflow), "-i", R"(door=["srun","-Q","-n1"])"});
  INFO(ran.err << controller.err() << node.err());
  REQUIRE(ran.code == 0);
  CHECK(Json::parse(ran.out) ==
        Json{{"script", "|it's $HOME *|script|in\nput"}, {"program", ",a \"b\" $c,{\"x\":[1,\"two\"]},"}});
  // What is stopped is stopped over there.
  const Ran stopped =
      desk.call({"run", desk.write("steps: { a: { shell: 'echo $$ > far; exec sleep 50', via: [srun, -Q, "
                                   "-n1], timeout: 1s } }\n")});
  CHECK(stopped.code == 1);
  const int far = std::atoi(desk.dir.read("far").c_str());
  CHECK(far > 0);
  CHECK(soon([&] { return kill(far, 0) != 0; }));
}

}  // namespace flowrun::test::via_test
