#include "ingest/envelope.h"

#include <algorithm>

#include "ingest/primary_key.h"
#include "ingest/source_columns.h"

extern "C" {
#include "utils/lsyscache.h"
}

namespace kafka_fdw::ingest {

namespace {

std::string joined(const std::vector<std::string>& parts, const char* between) {
  std::string result;
  for (const std::string& part : parts) result += (result.empty() ? "" : between) + part;
  return result;
}

/// Writes the statement piece by piece.
class EnvelopeStatement {
 public:
  explicit EnvelopeStatement(const Consumer& consumer)
      : consumer_(consumer),
        stream_(pg::qualified_name(consumer.stream)),
        key_(require_primary_key(consumer.stream)),
        deleted_(pg::quoted(envelope_column::deleted)) {
    const bool partitioned = pg::call([&] { return get_rel_relkind(consumer.stream); }) == RELKIND_PARTITIONED_TABLE;
    // A primary key says nothing of what inherits.
    rows_ = (partitioned ? "" : "ONLY ") + stream_ + " AS t";
    const std::vector<Attribute> source = attributes_of(consumer.source);
    for (const Attribute& attribute : matched_columns(consumer, source)) add_column(attribute);
    const std::vector<Attribute> stream = attributes_of(consumer.stream);
    for (const KeyColumn& column : key_) {
      key_names_.push_back(pg::quoted(column.name));
      if (std::ranges::find(names_, key_names_.back()) == names_.end())
        add_column(*find_attribute(stream, column.name));
    }
    add_place(source, "kafka_partition", envelope_column::partition);
    add_place(source, "kafka_offset", envelope_column::offset);
  }

  std::string text() const {
    return "WITH events AS MATERIALIZED (" + events() + "), last AS MATERIALIZED (" + last() +
           "), locked AS MATERIALIZED (" + locked() + "), deleted AS (" + deletion() + "), written AS (" + insertion() +
           ") SELECT FROM deleted UNION ALL SELECT FROM written";
  }

 private:
  void add_column(const Attribute& attribute) {
    names_.push_back(pg::quoted(attribute.name));
    overrides_ = overrides_ || attribute.identity_always;
    const bool key = std::ranges::find(key_, attribute.name, &KeyColumn::name) != key_.end();
    if (!key && !attribute.identity_always) updated_.push_back(names_.back());
  }

  void add_place(const std::vector<Attribute>& source, const std::string& shown, const std::string& name) {
    const bool has = find_attribute(source, shown) != nullptr;
    place_.push_back(has ? pg::quoted(shown) + " AS " + pg::quoted(name) : pg::quoted(name));
    place_names_.push_back(pg::quoted(name));
  }

  /// What each message says, in no order.
  std::string events() const {
    return "SELECT * FROM " + pg::qualified_name(consumer_.source) + " WHERE " + deleted_ + " IS NOT NULL";
  }

  /// An event that says of a row that it had another key before deletes the row of that key, and then is about its own.
  std::string changes() const {
    const std::string all = joined(names_, ", ") + ", " + joined(place_, ", ");
    if (consumer_.envelope != Envelope::debezium)
      return "SELECT " + all + ", " + deleted_ + ", 1 AS \"kafka step\" FROM events";
    std::vector<std::string> before = names_;
    std::vector<std::string> conditions;
    std::vector<std::string> same;
    for (size_t i = 0; i < key_.size(); ++i) {
      const std::string was = pg::quoted(envelope_column::before(i + 1));
      *std::ranges::find(before, key_names_[i]) = was;
      conditions.push_back(was + " IS NOT NULL");
      same.push_back(key_[i].equal(was, key_names_[i]));
    }
    return "SELECT " + all + ", " + deleted_ + ", 1 AS \"kafka step\" FROM events UNION ALL SELECT " +
           joined(before, ", ") + ", " + joined(place_, ", ") + ", true, 0 FROM events WHERE NOT " + deleted_ +
           " AND " + joined(conditions, " AND ") + " AND NOT (" + joined(same, " AND ") + ")";
  }

  /// Of each key. Where partitions say different things of one, there is no order between them.
  std::string last() const {
    const std::string key = joined(key_names_, ", ");
    return "SELECT DISTINCT ON (" + key + ") * FROM (" + changes() + ") AS changes ORDER BY " + key + ", " +
           joined(place_names_, " DESC, ") + " DESC, \"kafka step\" DESC";
  }

  std::string same_row() const {
    std::vector<std::string> conditions;
    for (size_t i = 0; i < key_.size(); ++i)
      conditions.push_back(key_[i].equal("t." + key_names_[i], "last." + key_names_[i]));
    return joined(conditions, " AND ");
  }

  std::string ordered_key() const {
    std::vector<std::string> names;
    for (const std::string& name : key_names_) names.push_back("last." + name);
    return joined(names, ", ");
  }

  std::string locked() const {
    return "SELECT FROM " + rows_ + " JOIN last ON " + same_row() + " ORDER BY " + ordered_key() + " FOR UPDATE OF t";
  }

  /// Behind all of the query of that name.
  static std::string behind(const char* query) {
    return std::string("(SELECT pg_catalog.count(*) FROM ") + query + ") OPERATOR(pg_catalog.>=) 0";
  }

  std::string deletion() const {
    return "DELETE FROM " + rows_ + " USING last WHERE last." + deleted_ + " AND " + same_row() + " AND " +
           behind("locked") + " RETURNING 1";
  }

  std::string insertion() const {
    std::string assignments;
    for (const std::string& name : updated_)
      assignments.append(assignments.empty() ? "" : ", ").append(name).append(" = excluded.").append(name);
    return "INSERT INTO " + stream_ + " (" + joined(names_, ", ") + ")" +
           (overrides_ ? " OVERRIDING SYSTEM VALUE" : "") + " SELECT " + joined(names_, ", ") +
           " FROM last WHERE NOT last." + deleted_ + " AND " + behind("deleted") + " ORDER BY " + ordered_key() +
           " ON CONFLICT (" + joined(key_names_, ", ") + ") DO " +
           (assignments.empty() ? "NOTHING" : "UPDATE SET " + assignments) + " RETURNING 1";
  }

  const Consumer& consumer_;
  const std::string stream_;
  const std::vector<KeyColumn> key_;
  const std::string deleted_;
  std::string rows_;  ///< of the stream, as t
  std::vector<std::string> names_;
  std::vector<std::string> key_names_;
  std::vector<std::string> updated_;
  std::vector<std::string> place_;  ///< of a message: partition and offset, as they are selected
  std::vector<std::string> place_names_;
  bool overrides_ = false;
};

}  // namespace

std::string envelope_statement(const Consumer& consumer) { return EnvelopeStatement(consumer).text(); }

}  // namespace kafka_fdw::ingest
