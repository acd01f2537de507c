#include "fdw/check.h"

#include <algorithm>

#include "fdw/check_hints.h"
#include "fdw/scoped_lease.h"
#include "fdw/server.h"
#include "kafka/endpoint.h"
#include "kafka/journal.h"
#include "kafka/range_reader.h"
#include "pg/arguments.h"
#include "pg/datum.h"
#include "pg/fail.h"
#include "pg/utf8.h"
#include "pg/wait.h"

extern "C" {
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"

PG_FUNCTION_INFO_V1(kafka_check);
}

namespace kafka_fdw::fdw {

namespace {

using std::chrono::milliseconds;
using State = kafka::EndpointReport::State;

/// A broker that has told of trouble may still let us in by another one.
constexpr milliseconds patience_in_trouble{1000};
constexpr size_t max_brokers = 100;
/// Of each partition the last offsets are looked at: there are such without a message.
constexpr int64_t offsets_to_look_at = 100;

constexpr const char* no_answer_yet = "no answer in time";  ///< of an address

constexpr std::string_view connect_step = "connect";
constexpr std::string_view login_step = "log in";
constexpr std::string_view metadata_step = "metadata";
constexpr std::string_view topic_step = "topic";
constexpr std::string_view read_step = "read";

std::string text_of(const kafka::Error& error) {
  return error.detail().empty() ? error.what() : std::string(error.what()) + ": " + error.detail();
}

class Check {
 public:
  Check(Oid server, const std::optional<std::string>& topic)
      : server_(server), topic_(topic), end_(pg::Clock::now() + connect_timeout()) {}

  std::vector<CheckedStep> run();

 private:
  void add_untried();
  bool load();
  bool reach_brokers();
  bool log_in();
  bool reach_advertised();
  bool find_topic();
  void read_message();

  bool pass_over(const kafka::Endpoint& endpoint);
  void check_endpoint(const kafka::Endpoint& endpoint, const kafka::EndpointReport& report);
  void check_advertised(const kafka::BrokerInfo& broker, const kafka::EndpointReport& report);
  std::vector<kafka::EndpointReport> probe(const std::vector<kafka::Endpoint>& endpoints, kafka::Greet greet);
  std::string first_message(const std::vector<kafka::Range>& ranges);
  template <class T>
  T await(kafka::Pending<T> pending);
  void wait_for_client();

  milliseconds left() const {
    return std::max(milliseconds(0), std::chrono::duration_cast<milliseconds>(end_ - pg::Clock::now()));
  }
  std::string no_answer() const { return "no answer within " + std::to_string(connect_timeout().count()) + " ms"; }
  kafka::Client& client() const noexcept { return lease_->client(); }

  bool passed(std::string_view name, const std::string& detail) {
    steps_.push_back({std::string(name), true, detail, ""});
    return true;
  }
  bool failed(std::string_view name, const std::string& detail, const std::string& hint) {
    steps_.push_back({std::string(name), false, detail, hint});
    return false;
  }
  void not_tried(std::string_view name, const std::string& detail, const std::string& hint) {
    steps_.push_back({std::string(name), std::nullopt, detail, hint});
  }

  Oid server_;
  std::optional<std::string> topic_;
  pg::Clock::time_point end_;
  std::vector<CheckedStep> steps_;
  Connection connection_;
  /// A broker of the server that takes connections.
  struct Reached {
    kafka::Endpoint endpoint;
    kafka::Greeting greeting;
  };
  std::vector<Reached> reached_;
  std::optional<ScopedLease> lease_;
  std::optional<pg::Clock::time_point> trouble_since_;
  kafka::ClusterInfo cluster_;
  std::vector<int32_t> partitions_;  ///< of the topic, those with a leader
};

/// Each step needs what those before it found.
std::vector<CheckedStep> Check::run() {
  if (load() && reach_brokers() && log_in()) {
    const bool reachable = reach_advertised();
    if (topic_ && find_topic() && reachable) read_message();
  }
  add_untried();
  const kafka::Journal journal(connection_.properties);
  for (CheckedStep& step : steps_) step.detail = journal.redacted(step.detail);
  return std::move(steps_);
}

void Check::add_untried() {
  for (const std::string_view name : {connect_step, login_step, metadata_step, topic_step, read_step}) {
    const auto is_of_step = [&](const CheckedStep& step) { return step.name.starts_with(name); };
    if (std::ranges::any_of(steps_, is_of_step)) continue;
    const bool unnamed = !topic_ && (name == topic_step || name == read_step);
    not_tried(name, "not tried", unnamed ? "Name a topic to have it checked, too: kafka_check('topic')." : "");
  }
}

/// Server, user mapping and brokers.
bool Check::load() {
  const pg::ErrorPtr error = pg::in_subtransaction([this] { connection_ = load_connection(server_, GetUserId(), {}); });
  if (error == nullptr)
    return passed("settings", "brokers " + connection_.brokers + "; " + describe_security(connection_.properties) +
                                  "; librdkafka " + kafka::library_version());
  if (ERRCODE_TO_CATEGORY(error->sqlerrcode) == ERRCODE_OPERATOR_INTERVENTION) throw pg::Error(error);
  const std::string detail = error->detail == nullptr ? "" : std::string(": ") + error->detail;
  return failed("settings", error->message + detail, error->hint == nullptr ? "" : error->hint);
}

/// What plain sockets find; where somebody answers, the others have only half of the time that is left.
std::vector<kafka::EndpointReport> Check::probe(const std::vector<kafka::Endpoint>& endpoints, kafka::Greet greet) {
  const auto option = connection_.properties.find("broker.address.family");
  const std::string name = option == connection_.properties.end() ? "any" : option->second;
  const auto family = name == "v4"   ? kafka::AddressFamily::v4
                      : name == "v6" ? kafka::AddressFamily::v6
                                     : kafka::AddressFamily::any;
  kafka::EndpointProbe probe(endpoints, family, greet, left());
  const auto half_time = pg::Clock::now() + left() / 2;
  for (;;) {
    probe.drain_events();
    auto reports = probe.reports();
    const auto answers = [&](const kafka::EndpointReport& report) {
      return report.state == State::connected &&
             (greet == kafka::Greet::nothing || report.greeting != kafka::Greeting::none);
    };
    const auto waits = [&](const kafka::EndpointReport& report) {
      return report.state != State::unresolved && report.state != State::refused && !answers(report);
    };
    const bool connected = std::ranges::any_of(reports, answers);
    const auto until = connected ? half_time : end_;
    const auto wait = std::chrono::ceil<milliseconds>(until - pg::Clock::now());
    if (std::ranges::none_of(reports, waits) || wait.count() <= 0) return reports;
    pg::wait_readable(probe.event_descriptor(), wait);
  }
}

void Check::check_endpoint(const kafka::Endpoint& endpoint, const kafka::EndpointReport& report) {
  const std::string resolve = "resolve " + endpoint.host, connect = "connect " + endpoint.name();
  const bool first = std::ranges::find(steps_, resolve, &CheckedStep::name) == steps_.end();
  if (report.state == State::resolving || report.state == State::unresolved) {
    if (first)
      failed(resolve, report.state == State::resolving ? no_answer_yet : report.reason,
             "Check the name of the host in the server's \"brokers\", and that this machine can look it up.");
    return not_tried(connect, "not tried", "");
  }
  std::string addresses;
  for (const std::string& address : report.addresses) addresses += (addresses.empty() ? "" : ", ") + address;
  if (first) passed(resolve, addresses);
  if (report.state == State::connected) {
    passed(connect, report.addresses.back() + " takes connections");
    reached_.push_back({endpoint, report.greeting});
    return;
  }
  const bool refused = report.state == State::refused;
  failed(connect, refused ? report.reason : no_answer_yet,
         refused ? "Check that the broker runs, and that it listens on this port."
                 : "Check the address, and that no firewall is between this machine and the broker.");
}

/// Whether a client does so.
bool Check::pass_over(const kafka::Endpoint& endpoint) {
  if (!is_passed_over(connection_.properties, endpoint)) return false;
  failed("connect " + endpoint.name(),
         "clients pass it over: its protocol is " + endpoint.protocol + ", theirs another one",
         hint_for_passed_over(endpoint));
  return true;
}

bool Check::reach_brokers() {
  std::vector<kafka::Endpoint> endpoints = kafka::parse_endpoints(connection_.brokers);
  if (endpoints.empty())
    return failed(connect_step, "the list of brokers is empty", "Name brokers as host:port, separated by commas.");
  if (endpoints.size() > max_brokers) endpoints.resize(max_brokers);
  std::erase_if(endpoints, [this](const kafka::Endpoint& endpoint) { return pass_over(endpoint); });
  const auto reports = probe(endpoints, greeting_of(connection_.properties));
  for (size_t i = 0; i < reports.size(); ++i) check_endpoint(endpoints[i], reports[i]);
  return !reached_.empty();
}

/// The client's answer, but no longer than the check may take, nor when a broker has told why it does not answer.
template <class T>
T Check::await(kafka::Pending<T> pending) {
  trouble_since_.reset();
  for (;;) {
    client().drain_events();
    client().serve_errors();
    if (pending.ready()) return pending.take();
    wait_for_client();
  }
}

void Check::wait_for_client() {
  const std::string& trouble = client().last_trouble();
  const auto now = pg::Clock::now();
  if (trouble.empty()) trouble_since_.reset();
  if (!trouble.empty() && !trouble_since_) trouble_since_ = now;
  const auto until = trouble_since_ ? std::min(end_, *trouble_since_ + patience_in_trouble) : end_;
  const auto wait = std::chrono::ceil<milliseconds>(until - now);
  if (wait.count() <= 0) throw kafka::Error(kafka::ErrorClass::unreachable, trouble.empty() ? no_answer() : trouble);
  pg::wait_readable(client().event_descriptor(), wait);
}

/// With a client of its own: one that is connected already would hide what a new one meets.
bool Check::log_in() {
  Connection connection = connection_;
  std::string brokers;
  for (const auto& [endpoint, greeting] : reached_)
    if (!is_refusal(greeting)) brokers += (brokers.empty() ? "" : ",") + endpoint.name();
  if (brokers.empty()) {
    const auto& [endpoint, greeting] = reached_[0];
    return failed(login_step, endpoint.name() + ' ' + describe_refusal(greeting),
                  hint_for_greeting(connection_.properties, greeting));
  }
  connection.properties.insert_or_assign("bootstrap.servers", brokers);
  connection.pool_key += " kafka_check";
  try {
    lease_.emplace(connection);
    cluster_ = await(client().cluster(connect_timeout()));
  } catch (const kafka::Error& error) {
    using kafka::ErrorClass;
    const std::string text = text_of(error);
    switch (error.error_class()) {
      case ErrorClass::authentication:
        return failed(login_step, text, hint_for_refusal(connection_.properties, error));
      case ErrorClass::unreachable:
      case ErrorClass::timed_out:
        return failed(login_step, text, hint_for_login(connection_.properties, client().last_trouble()));
      case ErrorClass::bad_property:
        return failed(login_step, text, "Check the properties of the server and of the user mapping.");
      default:
        passed(login_step, describe_security(connection_.properties));
        return failed(metadata_step, text, "Ask for the permission to describe the cluster.");
    }
  }
  passed(login_step, describe_security(connection_.properties));
  return passed(metadata_step, "brokers: " + std::to_string(cluster_.brokers.size()) +
                                   ", topics: " + std::to_string(cluster_.topics.size()));
}

void Check::check_advertised(const kafka::BrokerInfo& broker, const kafka::EndpointReport& report) {
  const kafka::Endpoint endpoint{broker.host, std::to_string(broker.port)};
  const std::string step = "reach broker " + std::to_string(broker.id);
  if (report.state == State::connected) {
    passed(step, "at " + endpoint.name());
    return;
  }
  const bool refused = report.state == State::refused || report.state == State::unresolved;
  failed(step, "it says that it is at " + endpoint.name() + ": " + (refused ? report.reason : no_answer_yet),
         "Clients are sent to that address: set the broker's advertised.listeners to one that this machine can reach.");
}

/// Whether any of the brokers is where the cluster says.
bool Check::reach_advertised() {
  if (cluster_.brokers.size() > max_brokers) cluster_.brokers.resize(max_brokers);
  std::vector<kafka::Endpoint> endpoints;
  endpoints.reserve(cluster_.brokers.size());
  for (const kafka::BrokerInfo& broker : cluster_.brokers)
    endpoints.push_back({broker.host, std::to_string(broker.port)});
  const auto reports = probe(endpoints, kafka::Greet::nothing);
  for (size_t i = 0; i < reports.size(); ++i) check_advertised(cluster_.brokers[i], reports[i]);
  return std::ranges::find(reports, State::connected, &kafka::EndpointReport::state) != reports.end();
}

bool Check::find_topic() {
  std::vector<kafka::TopicInfo> found;
  try {
    found = await(client().topics(topic_, connect_timeout()));
  } catch (const kafka::Error& error) {
    if (error.error_class() == kafka::ErrorClass::not_authorized)
      return failed(topic_step, text_of(error), "Ask for the permissions to describe and to read the topic.");
    if (error.error_class() != kafka::ErrorClass::unknown_topic)
      return failed(topic_step, text_of(error), "Check that the brokers of the cluster run and can be reached.");
    std::vector<std::string_view> names;
    for (const kafka::TopicInfo& topic : cluster_.topics) names.push_back(topic.name);
    const std::string_view closest = kafka::closest_name(*topic_, names);
    return failed(topic_step, text_of(error),
                  closest.empty() ? "Check its name, or create it."
                                  : "Perhaps you meant the topic \"" + std::string(closest) + "\".");
  }
  std::string leaderless;
  for (const kafka::TopicInfo& topic : found)
    for (const kafka::PartitionInfo& partition : topic.partitions) {
      if (partition.leader >= 0)
        partitions_.push_back(partition.id);
      else
        leaderless += (leaderless.empty() ? "" : ", ") + std::to_string(partition.id);
    }
  if (leaderless.empty()) return passed(topic_step, "partitions: " + std::to_string(partitions_.size()));
  failed(topic_step, "partitions without a leader: " + leaderless,
         "They cannot be read until a broker that has them runs again.");
  return !partitions_.empty();
}

/// What the first message that comes is; empty where there is none.
std::string Check::first_message(const std::vector<kafka::Range>& ranges) {
  struct Reading {
    Reading(kafka::Client& client, const std::string& topic, const std::vector<kafka::Range>& ranges)
        : reader(client, {topic}, ranges) {}
    kafka::RangeReader reader;
    kafka::MessageBatch batch;
  };
  auto& [reader, batch] = pg::make_owned<Reading>(lease_->context(), client(), *topic_, ranges);
  trouble_since_.reset();
  for (;;) {
    client().drain_events();
    client().serve_errors();
    const auto status = reader.poll(batch, 1, 1);
    if (!batch.empty()) break;
    if (status == kafka::RangeReader::Status::finished) return "";
    wait_for_client();
  }
  const kafka::Message& message = batch.messages()[0];
  return "partition " + std::to_string(message.partition) + ", offset " + std::to_string(message.offset) +
         ", bytes: " + std::to_string(message.bytes());
}

void Check::read_message() {
  try {
    std::vector<kafka::Range> ranges;
    for (const kafka::Watermarks& marks : await(client().watermarks(*topic_, partitions_, connect_timeout())))
      if (marks.low < marks.high)
        ranges.push_back({.topic = 0,
                          .partition = marks.partition,
                          .from = std::max(marks.low, marks.high - offsets_to_look_at),
                          .to = marks.high});
    std::ranges::sort(ranges, {}, &kafka::Range::partition);
    const std::string message = ranges.empty() ? "" : first_message(ranges);
    if (!message.empty())
      passed(read_step, message);
    else
      not_tried(read_step, ranges.empty() ? "the topic is empty" : "the newest offsets of the topic hold no message",
                "Send a message to the topic, and check again.");
  } catch (const kafka::Error& error) {
    const bool permission = error.error_class() == kafka::ErrorClass::not_authorized;
    failed(read_step, text_of(error),
           permission ? "Ask for the permission to read the topic."
                      : "Check that the brokers of the topic's partitions run and can be reached.");
  }
}

void return_steps(FunctionCallInfo fcinfo, const std::vector<CheckedStep>& steps) {
  pg::call([&] {
    InitMaterializedSRF(fcinfo, 0);
    auto* result = reinterpret_cast<ReturnSetInfo*>(fcinfo->resultinfo);
    for (const CheckedStep& step : steps) {
      // Brokers give hosts, topics and reasons: any bytes.
      Datum values[] = {CStringGetTextDatum(pg::readable(step.name.c_str())), BoolGetDatum(step.ok.value_or(false)),
                        CStringGetTextDatum(pg::readable(step.detail.c_str())),
                        CStringGetTextDatum(pg::readable(step.hint.c_str()))};
      bool nulls[] = {false, !step.ok, step.detail.empty(), step.hint.empty()};
      tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
    }
  });
}

}  // namespace

std::vector<CheckedStep> check_server(Oid server, const std::optional<std::string>& topic) {
  return Check(server, topic).run();
}

}  // namespace kafka_fdw::fdw

Datum kafka_check(PG_FUNCTION_ARGS) {
  using namespace kafka_fdw;
  return pg::entry([&] {
    const auto topic = pg::optional_text(fcinfo, 0);
    if (PG_ARGISNULL(1)) pg::fail(ERRCODE_NULL_VALUE_NOT_ALLOWED, "argument \"server\" must not be null");
    const Oid server = fdw::find_server(NameStr(*PG_GETARG_NAME(1)));
    fdw::return_steps(fcinfo, fdw::check_server(server, topic));
    return static_cast<Datum>(0);
  });
}
