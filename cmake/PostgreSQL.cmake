# Defines the target PostgreSQL::Server, PG_PKGLIBDIR and PG_SHAREDIR. All paths come from pg_config and nowhere else.
if(NOT PG_CONFIG)
  message(FATAL_ERROR "no pg_config found: run make deps, or set PG_CONFIG")
endif()

function(pg_config_value variable option)
  execute_process(
    COMMAND ${PG_CONFIG} ${option}
    OUTPUT_VARIABLE value
    OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
  set(${variable} ${value} PARENT_SCOPE)
endfunction()

pg_config_value(PG_INCLUDEDIR_SERVER --includedir-server)
pg_config_value(PG_PKGLIBDIR --pkglibdir)
pg_config_value(PG_SHAREDIR --sharedir)
if(NOT EXISTS ${PG_INCLUDEDIR_SERVER}/postgres.h)
  message(FATAL_ERROR "${PG_INCLUDEDIR_SERVER} has no postgres.h: install the server headers of this PostgreSQL")
endif()

add_library(PostgreSQL::Server INTERFACE IMPORTED)
target_include_directories(PostgreSQL::Server SYSTEM INTERFACE ${PG_INCLUDEDIR_SERVER})
