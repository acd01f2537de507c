#include "kafka/client.h"

#include <atomic>
#include <map>
#include <new>
#include <utility>

#include "kafka/client_config.h"
#include "kafka/event.h"
#include "kafka/helper_thread.h"
#include "kafka/journal.h"
#include "kafka/pool.h"
#include "kafka/queries.h"
#include "kafka/rdkafka_types.h"

namespace kafka_fdw::kafka {
namespace {

std::atomic<size_t> clients_alive = 0;

struct DestroyClient {
  void operator()(rd_kafka_t* handle) const noexcept {
    rd_kafka_destroy_flags(handle, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
    clients_alive.fetch_sub(1);
  }
};
using ClientHandle = std::unique_ptr<rd_kafka_t, DestroyClient>;

ClientHandle make_handle(const Properties& properties, const Journal& journal, ErrorListener& listener) {
  ConfHandle conf = make_consumer_conf(properties, listener);
  char reason[512];
  rd_kafka_t* handle = rd_kafka_new(RD_KAFKA_CONSUMER, conf.get(), reason, sizeof(reason));
  if (handle == nullptr)
    throw Error(ErrorClass::bad_property, "could not make a Kafka client", journal.redacted(reason));
  (void)conf.release();  // the handle owns it now
  clients_alive.fetch_add(1);
  return ClientHandle(handle);
}

/// Failing at SCRAM with the right password is a bug of librdkafka before 2.6.1 with newer brokers (CVE-2024-56128).
std::string hint_for_authentication(const Properties& properties) {
  for (const char* name : {"sasl.mechanism", "sasl.mechanisms"}) {
    auto mechanism = properties.find(name);
    bool scram = mechanism != properties.end() && mechanism->second.starts_with("SCRAM");
    if (scram && rd_kafka_version() < 0x020601ff) {
      return std::string("librdkafka ") + rd_kafka_version_str() +
             " cannot use SCRAM with Kafka 3.7.2, 3.8.1 and later: use librdkafka 2.6.1 or later, or the mechanism "
             "PLAIN.";
    }
  }
  return "Check the user mapping's \"sasl.username\" and \"sasl.password\", and the server's \"sasl.mechanism\".";
}

}  // namespace

/// Members are destroyed from the last to the first: the helper's call ends, then what librdkafka gave goes, then its
/// handle.
struct Client::Impl : ErrorListener {
  explicit Impl(const Properties& given)
      : properties(given), journal(std::make_shared<Journal>(given)), handle(make_handle(given, *journal, *this)) {
    // No own log queue: lines come with the other events.
    rd_kafka_set_log_queue(handle.get(), nullptr);
    main_queue.reset(rd_kafka_queue_get_main(handle.get()));
    event->watch(main_queue.get());
    // What came into the queue before it was watched gave no signal.
    event->signal();
  }
  ~Impl() override { Event::unwatch(main_queue.get()); }

  Properties properties;
  std::shared_ptr<Event> event = std::make_shared<Event>();
  std::shared_ptr<Journal> journal;
  std::optional<Error> failure;  ///< of a partition; thrown by the next throw_failure()
  ClientHandle handle;
  QueueHandle main_queue;
  std::map<std::string, TopicHandle, std::less<>> topics;
  HelperThread helper;

  /// Runs query(handle, stop) on the helper thread.
  template <class Query>
  auto ask(std::string what, Query query) {
    using Answer = decltype(query(handle.get(), std::stop_token()));
    auto answer = std::make_shared<QueryAnswer<Answer>>(journal, std::move(what));
    helper.run([answer, event = event, handle = handle.get(), query = std::move(query)](const std::stop_token& stop) {
      answer->fill([&] { return query(handle, stop); });
      event->signal();
    });
    return Pending<Answer>(answer);
  }

  void serve(rd_kafka_event_t* event);
  void on_error(rd_kafka_resp_err_t error, const char* reason) noexcept override;
};

void Client::Impl::serve(rd_kafka_event_t* event) {
  if (rd_kafka_event_type(event) != RD_KAFKA_EVENT_ERROR) return;
  rd_kafka_resp_err_t error = rd_kafka_event_error(event);
  const char* text = rd_kafka_event_error_string(event);
  std::string reason = journal->redacted(text != nullptr ? text : rd_kafka_err2str(error));
  if (rd_kafka_event_error_is_fatal(event) || error == RD_KAFKA_RESP_ERR__FATAL) {
    throw Error(ErrorClass::fatal, "the Kafka client failed: " + reason);
  }
  if (permanent_class(error) == ErrorClass::authentication) {
    throw Error(ErrorClass::authentication, "Kafka refused the authentication: " + reason, "",
                hint_for_authentication(properties));
  }
  bool says_less = error == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN && !journal->trouble().empty();
  if (!says_less) journal->note_trouble(reason);
}

void Client::Impl::on_error(rd_kafka_resp_err_t error, const char* reason) noexcept {
  try {
    std::string text = journal->redacted(reason);
    auto error_class = permanent_class(error);
    if (!error_class) return journal->note_trouble(text);
    if (error_class == ErrorClass::unknown_topic) text.insert(0, "a Kafka topic or partition does not exist: ");
    failure.emplace(*error_class, text);
    event->signal();
  } catch (const std::bad_alloc&) {
    // librdkafka tells it again a second later.
  }
}

const char* library_version() noexcept { return rd_kafka_version_str(); }

Client::Client(const Properties& properties) : impl_(std::make_unique<Impl>(properties)) {}

Client::~Client() = default;

int Client::event_descriptor() const noexcept { return impl_->event->descriptor(); }

void Client::drain_events() noexcept { impl_->event->drain(); }

void Client::serve_errors() {
  while (EventHandle event{rd_kafka_queue_poll(impl_->main_queue.get(), 0)}) impl_->serve(event.get());
}

const std::string& Client::last_trouble() const noexcept { return impl_->journal->trouble(); }

Pending<std::vector<TopicInfo>> Client::topics(std::optional<std::string> name, std::chrono::milliseconds timeout) {
  std::string what = "could not read the metadata of " + (name ? "topic \"" + *name + "\"" : "the topics") +
                     " within " + std::to_string(timeout.count()) + " ms";
  return impl_->ask(std::move(what), [name = std::move(name), deadline = Deadline(timeout)](
                                         rd_kafka_t* handle, const std::stop_token& stop) {
    return query_topics(handle, name, deadline, stop);
  });
}

Pending<ClusterInfo> Client::cluster(std::chrono::milliseconds timeout) {
  return impl_->ask("could not read the metadata of the cluster within " + std::to_string(timeout.count()) + " ms",
                    [deadline = Deadline(timeout)](rd_kafka_t* handle, const std::stop_token& stop) {
                      return query_cluster(handle, deadline, stop);
                    });
}

Pending<std::vector<Watermarks>> Client::watermarks(std::string topic, std::vector<int32_t> partitions,
                                                    std::chrono::milliseconds timeout) {
  std::string what =
      "could not read the watermarks of topic \"" + topic + "\" within " + std::to_string(timeout.count()) + " ms";
  return impl_->ask(std::move(what), [topic = std::move(topic), partitions = std::move(partitions),
                                      deadline = Deadline(timeout)](rd_kafka_t* handle, const std::stop_token& stop) {
    return query_watermarks(handle, topic, partitions, deadline, stop);
  });
}

Pending<std::vector<int64_t>> Client::offsets_for_times(std::string topic, std::vector<TimePoint> points,
                                                        std::chrono::milliseconds timeout) {
  std::string what =
      "could not look up times in topic \"" + topic + "\" within " + std::to_string(timeout.count()) + " ms";
  return impl_->ask(std::move(what), [topic = std::move(topic), points = std::move(points),
                                      deadline = Deadline(timeout)](rd_kafka_t* handle, const std::stop_token& stop) {
    return query_offsets_for_times(handle, topic, points, deadline, stop);
  });
}

Pending<std::vector<std::string>> Client::topic_ids(std::vector<std::string> topics,
                                                    std::chrono::milliseconds timeout) {
  return impl_->ask(
      "", [topics = std::move(topics), deadline = Deadline(timeout)](rd_kafka_t* handle, const std::stop_token& stop) {
        return query_topic_ids(handle, topics, deadline, stop);
      });
}

Pending<std::vector<std::optional<int64_t>>> Client::committed_offsets(std::string group, std::string topic,
                                                                       std::vector<int32_t> partitions,
                                                                       std::chrono::milliseconds timeout) {
  std::string what = "could not read the offsets of consumer group \"" + group + "\" within " +
                     std::to_string(timeout.count()) + " ms";
  return impl_->ask(std::move(what), [properties = impl_->properties, group = std::move(group),
                                      topic = std::move(topic), partitions = std::move(partitions),
                                      deadline = Deadline(timeout)](rd_kafka_t*, const std::stop_token& stop) {
    return query_committed_offsets(properties, group, topic, partitions, deadline, stop);
  });
}

rd_kafka_s* Client::handle() const noexcept { return impl_->handle.get(); }

rd_kafka_topic_s* Client::topic(const std::string& name) {
  TopicHandle& handle = impl_->topics[name];
  if (!handle) handle.reset(rd_kafka_topic_new(impl_->handle.get(), name.c_str(), nullptr));
  if (!handle) throw Error(ErrorClass::unknown_topic, "invalid topic name \"" + name + "\"");
  return handle.get();
}

void Client::throw_failure() {
  if (auto failure = std::exchange(impl_->failure, std::nullopt)) throw Error(*failure);
}

void Client::watch(rd_kafka_queue_s* queue) noexcept { impl_->event->watch(queue); }

void Client::unwatch(rd_kafka_queue_s* queue) noexcept { Event::unwatch(queue); }

std::string Client::redacted(std::string_view text) const { return impl_->journal->redacted(text); }

void Client::note_success() noexcept { impl_->journal->note_success(); }

void Client::note_trouble(const std::string& trouble) { impl_->journal->note_trouble(trouble); }

void Client::wake_brokers() noexcept {
  // From 2.2 on fetch.queue.backoff.ms does it. Before, a broker thread that found the queue full sleeps for up to 1 s,
  // and the only call that wakes all of them without a request is this one; the credentials stay as they are, or are
  // not used.
  if (rd_kafka_version() >= 0x020200ff) return;
  auto credential = [this](const char* name) {
    auto found = impl_->properties.find(name);
    return found == impl_->properties.end() ? "" : found->second.c_str();
  };
  rd_kafka_error_t* error =
      rd_kafka_sasl_set_credentials(impl_->handle.get(), credential("sasl.username"), credential("sasl.password"));
  if (error != nullptr) rd_kafka_error_destroy(error);
}

size_t live_clients() noexcept { return clients_alive.load(); }

}  // namespace kafka_fdw::kafka
