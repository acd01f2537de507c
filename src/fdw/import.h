#pragma once

#include "pg/boundary.h"

extern "C" {
#include "nodes/parsenodes.h"

List* kafkaImportForeignSchema(ImportForeignSchemaStmt* statement, Oid server);
}
