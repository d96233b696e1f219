# C++ types from the schemas of events:
#
#   weir_contracts(shop_contracts FILES contracts/order.avsc contracts/tree.avdl contracts/plane.proto contracts/airport.json)
#   target_link_libraries(billing PRIVATE shop_contracts)
#
# makes a static library of the generated sources, with the folder of their headers to include from: shop/order.h of
# order.avsc in namespace shop. A file may use types of those of its language before it. Sources are generated again when a schema changes, and
# written only where their text does.
#
# WEIR_CONTRACTS_COMMAND is the command that is followed by the folder to write to and the files (`weir contract generate --out`);
# WEIR_CONTRACTS_LIBRARY what the generated sources are linked with.

set(WEIR_CONTRACTS_COMMAND weir contract generate --out CACHE STRING "the generator of weir_contracts")
set(WEIR_CONTRACTS_LIBRARY weir::contract CACHE STRING "what generated sources are linked with")

# The folder that headers of a schema file go to, as the generator does it: the namespace of its last type (Avro), its package
# (Protobuf), what its root calls weir.namespace (JSON Schema).
function(_weir_contracts_folder file out)
  file(READ ${file} text)
  set(namespace contracts)
  if(file MATCHES "\\.avsc$")
    string(JSON kind ERROR_VARIABLE fault TYPE "${text}")
    if(kind STREQUAL "ARRAY")
      string(JSON length LENGTH "${text}")
      math(EXPR last "${length} - 1")
      string(JSON text GET "${text}" ${last})
    endif()
    string(JSON name ERROR_VARIABLE fault GET "${text}" name)
    string(JSON given ERROR_VARIABLE fault GET "${text}" namespace)
    if(name MATCHES "^(.+)\\.[^.]+$")
      set(namespace ${CMAKE_MATCH_1})
    elseif(given AND NOT given MATCHES "NOTFOUND$")
      set(namespace ${given})
    endif()
  elseif(file MATCHES "\\.json$")
    string(JSON given ERROR_VARIABLE fault GET "${text}" weir.namespace)
    if(given AND NOT given MATCHES "NOTFOUND$")
      set(namespace ${given})
    endif()
  elseif(file MATCHES "\\.proto$")
    if(text MATCHES "(^|[\r\n;])[ \t]*package[ \t]+([A-Za-z0-9_.]+)[ \t]*;")
      set(namespace ${CMAKE_MATCH_2})
    endif()
  elseif(text MATCHES "@namespace\\(\"([^\"]+)\"\\)[ \t\r\n]*protocol")
    set(namespace ${CMAKE_MATCH_1})
  endif()
  string(REPLACE "." "/" namespace ${namespace})
  set(${out} ${namespace} PARENT_SCOPE)
endfunction()

# Files that come with a .proto file: of what it imports and the generator has built in, what has no type of its own in C++.
function(_weir_contracts_built_in file out)
  set(found)
  if(file MATCHES "\\.proto$")
    file(READ ${file} text)
    string(REGEX MATCHALL "\"(google/protobuf/(any|api|empty|field_mask|source_context|struct|type)|google/type/[a-z_]+|confluent/type/decimal)[.]proto\"" found "${text}")
    list(TRANSFORM found REPLACE "^\"(.*)[.]proto\"$" "weir/known/\\1")
    if(found MATCHES "google/protobuf/(api|type)")
      list(APPEND found weir/known/google/protobuf/any weir/known/google/protobuf/source_context weir/known/google/protobuf/type)
    endif()
  endif()
  set(${out} ${found} PARENT_SCOPE)
endfunction()

function(weir_contracts target)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "FILES")
  if(NOT arg_FILES OR arg_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "weir_contracts(${target}): want FILES with schemas, and nothing else (${arg_UNPARSED_ARGUMENTS})")
  endif()
  set(folder ${CMAKE_CURRENT_BINARY_DIR}/${target}_generated)
  foreach(list schemas headers sources built_in)  # the caller may have variables of these names
    set(${list})
  endforeach()
  foreach(file IN LISTS arg_FILES)
    get_filename_component(path ${file} ABSOLUTE BASE_DIR ${CMAKE_CURRENT_SOURCE_DIR})
    if(NOT path MATCHES "\\.(avsc|avdl|proto|json)$")
      message(FATAL_ERROR "weir_contracts(${target}): ${file}: want a schema, .avsc or .avdl (Avro), .proto (Protobuf) or .json (JSON Schema)")
    endif()
    if(NOT EXISTS ${path})
      message(FATAL_ERROR "weir_contracts(${target}): ${file}: there is no such file")
    endif()
    _weir_contracts_folder(${path} namespace)
    get_filename_component(stem ${path} NAME_WE)
    list(APPEND schemas ${path})
    list(APPEND headers ${folder}/${namespace}/${stem}.h)
    list(APPEND sources ${folder}/${namespace}/${stem}.cc)
    _weir_contracts_built_in(${path} more)
    list(APPEND built_in ${more})
  endforeach()
  list(REMOVE_DUPLICATES built_in)
  foreach(stem IN LISTS built_in)
    list(APPEND headers ${folder}/${stem}.h)
    list(APPEND sources ${folder}/${stem}.cc)
  endforeach()
  # Another namespace has other files: they are named anew.
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${schemas})
  list(GET WEIR_CONTRACTS_COMMAND 0 program)
  if(NOT IS_ABSOLUTE ${program})
    set(program $<TARGET_NAME_IF_EXISTS:${program}>)
  endif()
  add_custom_command(
    OUTPUT ${headers} ${sources}
    COMMAND ${WEIR_CONTRACTS_COMMAND} ${folder} ${schemas}
    DEPENDS ${schemas} ${program}
    COMMENT "Generating types of ${target}"
    VERBATIM)
  add_library(${target} STATIC ${sources} ${headers})
  target_include_directories(${target} PUBLIC ${folder})
  target_compile_features(${target} PUBLIC cxx_std_20)
  target_link_libraries(${target} PUBLIC ${WEIR_CONTRACTS_LIBRARY})
endfunction()
