// Reads a topic from its beginning to its end with librdkafka alone, message by message out of large batches, and
// prints how many there were and the seconds that it took, the connection to the broker not counted.
//
// raw_reader BOOTSTRAP TOPIC [property=value]...

#include <librdkafka/rdkafka.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>

namespace {

[[noreturn]] void fail(const std::string& reason) {
  std::fprintf(stderr, "raw_reader: %s\n", reason.c_str());
  std::exit(1);
}

void set(rd_kafka_conf_t* conf, const std::string& name, const std::string& value) {
  std::array<char, 512> reason{};
  if (rd_kafka_conf_set(conf, name.c_str(), value.c_str(), reason.data(), reason.size()) != RD_KAFKA_CONF_OK)
    fail(reason.data());
}

rd_kafka_t* make_consumer(const char* bootstrap, int count, char** properties) {
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  set(conf, "bootstrap.servers", bootstrap);
  set(conf, "enable.partition.eof", "true");
  set(conf, "fetch.wait.max.ms", "10");
  set(conf, "queued.min.messages", "1000000");
  for (int i = 0; i < count; ++i) {
    const std::string property = properties[i];
    const size_t equals = property.find('=');
    if (equals == std::string::npos) fail("no value in " + property);
    set(conf, property.substr(0, equals), property.substr(equals + 1));
  }
  std::array<char, 512> reason{};
  rd_kafka_t* consumer = rd_kafka_new(RD_KAFKA_CONSUMER, conf, reason.data(), reason.size());
  if (consumer == nullptr) fail(reason.data());
  return consumer;
}

int count_partitions(rd_kafka_t* consumer, rd_kafka_topic_t* topic) {
  const rd_kafka_metadata_t* metadata = nullptr;
  if (rd_kafka_metadata(consumer, 0, topic, &metadata, 10000) != RD_KAFKA_RESP_ERR_NO_ERROR) fail("no metadata");
  const int count = metadata->topics[0].partition_cnt;
  rd_kafka_metadata_destroy(metadata);
  return count;
}

/// Returns how many messages there were until every partition told its end.
long read_all(rd_kafka_queue_t* queue, int partitions) {
  static std::array<rd_kafka_message_t*, 1000> batch;
  long messages = 0;
  while (partitions > 0) {
    const ssize_t count = rd_kafka_consume_batch_queue(queue, 5, batch.data(), batch.size());
    for (ssize_t i = 0; i < count; ++i) {
      if (batch[i]->err == RD_KAFKA_RESP_ERR_NO_ERROR) ++messages;
      if (batch[i]->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) --partitions;
      rd_kafka_message_destroy(batch[i]);
    }
  }
  return messages;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) fail("usage: raw_reader BOOTSTRAP TOPIC [property=value]...");
  rd_kafka_t* consumer = make_consumer(argv[1], argc - 3, argv + 3);
  rd_kafka_topic_t* topic = rd_kafka_topic_new(consumer, argv[2], nullptr);
  const int partitions = count_partitions(consumer, topic);
  rd_kafka_queue_t* queue = rd_kafka_queue_new(consumer);
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < partitions; ++i) rd_kafka_consume_start_queue(topic, i, RD_KAFKA_OFFSET_BEGINNING, queue);
  const long messages = read_all(queue, partitions);
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
  std::printf("%ld %.6f\n", messages, seconds.count());
  for (int i = 0; i < partitions; ++i) rd_kafka_consume_stop(topic, i);
  rd_kafka_queue_destroy(queue);
  rd_kafka_topic_destroy(topic);
  rd_kafka_destroy(consumer);
  return 0;
}
