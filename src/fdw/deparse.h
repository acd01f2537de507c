#pragma once

#include <span>
#include <string>

#include "fdw/scan.h"
#include "pg/compat.h"

/// What EXPLAIN shows of a scan, as text.
namespace kafka_fdw::fdw {

/// The condition as the query could have said it; empty where there is none.
std::string deparse_condition(const Scan& scan, const ForeignScanState* node, ExplainState* es);

/// As ORDER BY would say it; empty where there is none.
std::string deparse_order(const Scan& scan, const ForeignScanState* node);

/// partition:[from,to) …; empty where there are more than a reader wants to see.
std::string deparse_ranges(std::span<const kafka::Range> ranges);

}  // namespace kafka_fdw::fdw
