#pragma once

#include <memory>
#include <span>
#include <vector>

#include "decode/value.h"

namespace kafka_fdw::decode {

/// What a message is about.
enum class Envelope : uint8_t {
  none,     ///< a row
  upsert,   ///< the row of that key as it is now; a null value: it is deleted
  debezium  ///< a change of a row, as Debezium's connectors write it
};

/// The format of a topic's messages with COPY's options for the delimited ones.
struct Format {
  enum class Kind : uint8_t { json, text, csv, raw };
  Kind kind = Kind::json;
  Envelope envelope = Envelope::none;  ///< debezium: of json only
  bool strict = false;                 ///< missing or extra fields are errors
  char delimiter = '\t';               ///< text, csv
  char quote = '"';                    ///< csv
  char escape = '"';                   ///< csv
  std::string null = "\\N";            ///< text, csv: what stands for NULL
  bool verify_utf8 = true;  ///< text: the message is UTF-8, so what \nnn and \xhh escapes make must be UTF-8 again
};

/// Turns one message into one row. Made once per scan, used for every message; keeps its buffers.
class Decoder {
 public:
  virtual ~Decoder() = default;
  Decoder(const Decoder&) = delete;
  Decoder& operator=(const Decoder&) = delete;

  /// Fills row[i] for column i of the list given to make_decoder; row.size() is the number of columns.
  /// For `text`, `csv` and `raw` the message is in the server's encoding and verified by the caller; for `json` it is
  /// UTF-8 and verified here, its views are UTF-8, and so must Column::path be. Throws Error, after which
  /// row holds what could be decoded all the same: of a delimited message the fields before the fault, of one that is
  /// not what `strict` wants all that are there. A null message (tombstone) is the caller's business; an empty one is
  /// not special.
  virtual void decode(std::string_view message, std::span<Value> row) = 0;

 protected:
  Decoder() = default;
};

/// Of messages' values. The columns of raw all get the whole message.
std::unique_ptr<Decoder> make_decoder(const Format& format, std::vector<Column> columns);

/// The format of messages' keys.
struct KeyFormat {
  enum class Kind : uint8_t {
    raw,   ///< bytes
    text,  ///< the text of a value
    json   ///< any JSON value
  };
  Kind kind = Kind::raw;
  bool unwrap = false;  ///< json: without the schema that Kafka Connect may put around it
};

/// Of messages' keys: `raw` and `text` give the whole key to every column.
std::unique_ptr<Decoder> make_key_decoder(const KeyFormat& format, std::vector<Column> columns);

/// Whether the bytes are valid UTF-8 (U+0000 included).
bool is_utf8(std::string_view bytes) noexcept;

}  // namespace kafka_fdw::decode
