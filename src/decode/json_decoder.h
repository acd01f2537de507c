#pragma once

#include <memory>
#include <vector>

#include "decode/decoder.h"

namespace kafka_fdw::decode {

std::unique_ptr<Decoder> make_json_decoder(const Format& format, std::vector<Column> columns);

}  // namespace kafka_fdw::decode
