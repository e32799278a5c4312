// libfyaml reading FILE into its tree, and nothing else.
//
//   bench_yaml_load FILE
#include <libfyaml.h>

int main(int argc, char** argv) {
  fy_parse_cfg how{};
  // Its own look for a key that comes twice compares each key with each.
  how.flags = static_cast<fy_parse_cfg_flags>(FYPCF_DEFAULT_DOC | FYPCF_ALLOW_DUPLICATE_KEYS);
  fy_document* document = argc == 2 ? fy_document_build_from_file(&how, argv[1]) : nullptr;
  const bool good = document && fy_node_is_mapping(fy_document_root(document));
  fy_document_destroy(document);
  return good ? 0 : 1;
}
