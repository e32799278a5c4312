// Reads `secrets` of a file: where each is found. Reads no value of one.
#include <fmt/format.h>

#include <algorithm>

#include "engine/language/keys.h"
#include "engine/reader/file_reader.h"

namespace flowrun {

void FileReader::secrets() {
  const Node* declared = root_.find("secrets");
  if (!declared || !reading_.is(*declared, Node::Kind::Map, "secrets", "a map of names to where they are read")) return;
  for (const Member& member : declared->members) {
    if (member.key.rfind("x-", 0) == 0) continue;
    reading_.check_name(member.key, member.at, "a secret", false);
    reading_.index().secrets.insert(member.key);
    secret(member);
  }
}

/// Adds to the secrets of all files, where a name has one source.
void FileReader::keep(SecretSource source, const Member& member) {
  if (!is_main_ && source.from == SecretSource::From::File && !source.place.starts_with('/'))
    source.place = reading_.folder() + "/" + source.place;
  auto same = std::find_if(secrets_.begin(), secrets_.end(), [&](const auto& one) { return one.name == source.name; });
  if (same == secrets_.end()) {
    secrets_.push_back(std::move(source));
  } else if (same->from != source.from || same->place != source.place || same->command != source.command ||
             same->optional != source.optional) {
    reading_.error("E403", member.at, member.key.size(),
                   fmt::format("secret `{}` is read from another source in another file of this run", member.key),
                   "give one of them another name");
  }
}

void FileReader::secret(const Member& member) {
  const Node& node = member.value;
  if (!node.is_map()) {
    reading_.error("E102", node.at, node.text.size(),
                   fmt::format("secret `{}` must say where it is read, not what it is", member.key),
                   "write { env: VARIABLE }, { file: PATH } or { command: [PROGRAM, ...] }");
    return;
  }
  reading_.only(node, names_within("secrets"), "a secret");
  SecretSource source;
  source.name = member.key;
  source.line = member.at.line;
  const Node* input = node.find("input");
  int sources = input ? 1 : 0;
  for (auto [name, from] : {std::pair{"env", SecretSource::From::Env}, {"file", SecretSource::From::File}})
    if (const Node* key = node.find(name)) {
      ++sources;
      source.from = from;
      source.place = reading_.values().plain_text(*key, name);
      if (key->is_string() && source.place.empty())
        reading_.error("E102", key->at, 1, fmt::format("`{}` is empty", name));
    }
  if (const Node* key = node.find("command");
      key && ++sources && reading_.is(*key, Node::Kind::List, "command", "a list: the program and its arguments")) {
    source.from = SecretSource::From::Command;
    // `${HOME}` is the shell's own; an expression begins with a blank.
    for (const Node& item : key->items)
      source.command.push_back(item.is_string() && item.text.find("${ ") == std::string::npos
                                   ? item.text
                                   : reading_.values().plain_text(item, "command"));
    if (source.command.empty()) reading_.error("E102", key->at, 1, "the program is missing");
  }
  if (const Node* key = node.find("optional"))
    source.optional = reading_.values().plain_boolean(*key, "optional").value_or(false);
  if (sources == 0)
    reading_.error("E110", member.at, member.key.size(),
                   fmt::format("secret `{}` does not say where it is read", member.key),
                   "write { env: VARIABLE }, { file: PATH }, { command: [PROGRAM, ...] } or { input: NAME }");
  if (sources > 1)
    reading_.error("E403", member.at, member.key.size(),
                   fmt::format("secret `{}` is read from two sources", member.key),
                   "keep one of env, file, command, input");
  if (input) return secret_input(member, *input);
  keep(std::move(source), member);
}

/// Reads a secret that the file which runs this one gives by an input.
void FileReader::secret_input(const Member& member, const Node& input) {
  const std::string name = reading_.values().plain_text(input, "input");
  if (name.empty() && !input.is_string()) return;
  auto spec = std::find_if(definition_.inputs.begin(), definition_.inputs.end(),
                           [&](const InputSpec& one) { return one.name == name; });
  if (spec == definition_.inputs.end()) {
    std::vector<std::string> names;
    for (const InputSpec& known : definition_.inputs) names.push_back(known.name);
    std::string near = nearest(name, names);
    reading_.error("E204", input.at, input.text.size(), fmt::format("there is no input `{}`", name),
                   near.empty() ? fmt::format("declare it: input: {{ {}: {{ type: string }} }}", name)
                                : "did you mean `" + near + "`?");
    return;
  }
  if (!spec->required())
    reading_.error("E403", input.at, input.text.size(),
                   fmt::format("input `{}` has a `default` or an `env`: such a value would be in the journal", name),
                   "leave that out; whoever runs this file gives the secret by `with`");
  if (const Member* optional = member.value.member("optional"))
    reading_.error("E104", optional->at, optional->key.size(), "`optional` is said where the secret is read",
                   "in the file that gives it");
  spec->secret = true;
  reading_.index().secret_inputs.insert(name);
  definition_.secret_inputs[member.key] = name;
}

}  // namespace flowrun
