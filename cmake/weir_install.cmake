# What `cmake --install` puts where, and what find_package(weir) finds: one archive a component, of the objects of its modules.
#
#   client     <weir/client.h> and what it needs, and what all others share: no broker, no RocksDB, no protobuf
#   contract   <weir/avro.h>, <weir/json_schema.h>, <weir/protobuf.h>, and weir_contracts(); what parses schemas of Protobuf needs libprotobuf
#   serde      <weir/serde.h> and <weir/schema_registry.h>
#   embed      <weir/embed.h> and <weir/embed_registry.h>
#   streams    <weir/streams.h>: topologies, applications, the driver that tests them; needs RocksDB
#   tools      the program weir, its manual pages are `weir man`
#
# The archives are made by the target weir_install only (`./run install`), not by every build.

include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

find_package(fmt REQUIRED)
find_package(ZLIB REQUIRED)
find_package(OpenSSL 3.0 REQUIRED)
find_package(PkgConfig REQUIRED)
foreach(library zstd:libzstd lz4:liblz4 snappy:snappy re2:re2 protobuf:protobuf rocksdb:rocksdb)
  string(REPLACE ":" ";" library ${library})
  list(GET library 0 name)
  list(GET library 1 module)
  pkg_check_modules(${name} REQUIRED IMPORTED_TARGET ${module})
endforeach()

set(weir_package ${CMAKE_INSTALL_LIBDIR}/cmake/weir)
add_custom_target(weir_install)

function(weir_component name)
  cmake_parse_arguments(C "" "" "MODULES;HEADERS;LIBS" ${ARGN})
  foreach(module ${C_MODULES})
    list(APPEND objects $<TARGET_OBJECTS:weir_${module}>)
  endforeach()
  set(target weir_component_${name})
  add_library(${target} STATIC EXCLUDE_FROM_ALL ${objects})
  add_dependencies(weir_install ${target})
  set_target_properties(${target} PROPERTIES LINKER_LANGUAGE CXX EXPORT_NAME ${name} OUTPUT_NAME weir-${name})
  target_include_directories(${target} INTERFACE $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
  target_compile_features(${target} INTERFACE cxx_std_20)
  target_link_libraries(${target} INTERFACE ${C_LIBS})
  install(TARGETS ${target} EXPORT weir-${name} ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT ${name})
  install(EXPORT weir-${name} NAMESPACE weir:: DESTINATION ${weir_package} COMPONENT ${name})
  list(TRANSFORM C_HEADERS PREPEND ${CMAKE_SOURCE_DIR}/include/weir/)
  install(FILES ${C_HEADERS} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/weir COMPONENT ${name})
  install(FILES ${CMAKE_BINARY_DIR}/weirConfig.cmake ${CMAKE_BINARY_DIR}/weirConfigVersion.cmake
    ${CMAKE_SOURCE_DIR}/cmake/WeirContracts.cmake DESTINATION ${weir_package} COMPONENT ${name})
endfunction()

configure_package_config_file(${CMAKE_SOURCE_DIR}/cmake/weirConfig.cmake.in ${CMAKE_BINARY_DIR}/weirConfig.cmake
  INSTALL_DESTINATION ${weir_package} PATH_VARS CMAKE_INSTALL_BINDIR)
write_basic_package_version_file(${CMAKE_BINARY_DIR}/weirConfigVersion.cmake COMPATIBILITY SameMinorVersion)

file(GLOB client_headers RELATIVE ${CMAKE_SOURCE_DIR}/include/weir ${CMAKE_SOURCE_DIR}/include/weir/*)
set(contract_headers ${client_headers})
list(FILTER contract_headers INCLUDE REGEX "^(avro|json|protobuf)")
list(FILTER client_headers EXCLUDE REGEX "^(avro|json|protobuf|embed|serde|schema_registry|streams)")

weir_component(client
  MODULES base io json compress config metrics sasl kafka http client
  HEADERS ${client_headers}
  LIBS fmt::fmt ZLIB::ZLIB OpenSSL::SSL OpenSSL::Crypto PkgConfig::zstd PkgConfig::lz4 PkgConfig::snappy PkgConfig::re2 Threads::Threads)
weir_component(contract
  MODULES contract
  HEADERS ${contract_headers}
  LIBS weir_component_client PkgConfig::protobuf)
weir_component(serde
  MODULES serde
  HEADERS readers.h serde.h schema_registry.h
  LIBS weir_component_contract)
weir_component(embed
  MODULES coordinator log broker registry embed
  HEADERS embed.h embed_registry.h
  LIBS weir_component_serde)
weir_component(streams
  MODULES state state_rocksdb streams streams_reset
  HEADERS streams.h
  LIBS weir_component_client PkgConfig::rocksdb)
install(DIRECTORY ${CMAKE_SOURCE_DIR}/include/weir/streams DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/weir COMPONENT streams)
install(TARGETS weir RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT tools)
install(FILES ${CMAKE_SOURCE_DIR}/packaging/systemd/weir.service DESTINATION lib/systemd/system COMPONENT tools)
add_dependencies(weir_install weir)
