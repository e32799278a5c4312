// yaml-cpp reading FILE into its tree, and nothing else.
//
//   bench_yaml_load FILE
#include <yaml-cpp/yaml.h>

int main(int argc, char** argv) { return argc == 2 && YAML::LoadFile(argv[1]).IsMap() ? 0 : 1; }
