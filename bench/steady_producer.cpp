// Sends the same message, but for its id, at a steady rate to partition 0 of a topic, and prints when each was given to
// librdkafka: lines of the first id, the number of messages and the time in nanoseconds of CLOCK_MONOTONIC. Fails where
// one was not acknowledged.
//
// steady_producer BOOTSTRAP TOPIC RATE SECONDS PREFIX SUFFIX         (a message: PREFIX id SUFFIX)

#include <librdkafka/rdkafka.h>
#include <time.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

namespace {

constexpr long second = 1'000'000'000;
constexpr long tick = 1'000'000;

long failed = 0;

[[noreturn]] void fail(const std::string& reason) {
  std::fprintf(stderr, "steady_producer: %s\n", reason.c_str());
  std::exit(1);
}

void note_delivery(rd_kafka_t*, const rd_kafka_message_t* message, void*) {
  if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) ++failed;
}

rd_kafka_t* make_producer(const char* bootstrap) {
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  rd_kafka_conf_set_dr_msg_cb(conf, note_delivery);
  std::array<char, 512> reason{};
  for (const auto& [name, value] : {std::pair("bootstrap.servers", bootstrap), std::pair("linger.ms", "1"),
                                    std::pair("queue.buffering.max.messages", "1000000")})
    if (rd_kafka_conf_set(conf, name, value, reason.data(), reason.size()) != RD_KAFKA_CONF_OK) fail(reason.data());
  rd_kafka_t* producer = rd_kafka_new(RD_KAFKA_PRODUCER, conf, reason.data(), reason.size());
  if (producer == nullptr) fail(reason.data());
  return producer;
}

/// So that the first message does not wait for the connection.
void connect(rd_kafka_t* producer, rd_kafka_topic_t* topic) {
  const rd_kafka_metadata_t* metadata = nullptr;
  if (rd_kafka_metadata(producer, 0, topic, &metadata, 10000) != RD_KAFKA_RESP_ERR_NO_ERROR) fail("no metadata");
  rd_kafka_metadata_destroy(metadata);
}

long now() {
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * second + time.tv_nsec;
}

void sleep_until(long when) {
  const timespec time{when / second, when % second};
  clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, nullptr);
}

struct Sent {
  long first;
  long count;
  long time;
};

/// Each millisecond what is due by then; a producer that was late catches up.
std::vector<Sent> send(rd_kafka_t* producer, rd_kafka_topic_t* topic, double rate, double seconds,
                       const std::string& prefix, const std::string& suffix) {
  std::vector<Sent> sent;
  const long begin = now(), total = static_cast<long>(rate * seconds);
  std::string message;
  for (long id = 0, due = begin; id < total; due += tick) {
    sleep_until(due);
    const long time = now(), behind = static_cast<long>(static_cast<double>(time - begin) / second * rate) + 1;
    const long first = id;
    for (; id < behind && id < total; ++id) {
      message.assign(prefix).append(std::to_string(id)).append(suffix);
      while (rd_kafka_produce(topic, 0, RD_KAFKA_MSG_F_COPY, message.data(), message.size(), nullptr, 0, nullptr) != 0)
        rd_kafka_poll(producer, 1);
    }
    if (id > first) sent.push_back({first, id - first, time});
    rd_kafka_poll(producer, 0);
  }
  return sent;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 7) fail("usage: steady_producer BOOTSTRAP TOPIC RATE SECONDS PREFIX SUFFIX");
  rd_kafka_t* producer = make_producer(argv[1]);
  rd_kafka_topic_t* topic = rd_kafka_topic_new(producer, argv[2], nullptr);
  connect(producer, topic);
  const auto sent = send(producer, topic, std::atof(argv[3]), std::atof(argv[4]), argv[5], argv[6]);
  if (rd_kafka_flush(producer, 60000) != RD_KAFKA_RESP_ERR_NO_ERROR || failed > 0) fail("not all were acknowledged");
  for (const Sent& part : sent) std::printf("%ld %ld %ld\n", part.first, part.count, part.time);
  rd_kafka_topic_destroy(topic);
  rd_kafka_destroy(producer);
  return 0;
}
