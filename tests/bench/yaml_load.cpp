// libfyaml reading FILE into its tree, and nothing else.
//
//   bench_yaml_load FILE
#include <libfyaml.h>

int main(int argc, char** argv) {
  fy_document* document = argc == 2 ? fy_document_build_from_file(nullptr, argv[1]) : nullptr;
  const bool good = document && fy_node_is_mapping(fy_document_root(document));
  fy_document_destroy(document);
  return good ? 0 : 1;
}
