#pragma once

#include "fdw/import_sample.h"
#include "fdw/import_table.h"

namespace kafka_fdw::fdw {

/// The columns of a table whose topic has such messages: the metadata, then what the values hold by the format.
/// Tells by NOTICEs and WARNINGs what the user should know.
std::vector<ColumnDefinition> columns_of_sample(const TopicSample& sample, const std::string& topic,
                                                const ImportSettings& settings);

}  // namespace kafka_fdw::fdw
