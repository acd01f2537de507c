#include "kafka/properties.h"

#include <gmock/gmock.h>
#include <librdkafka/rdkafka.h>

#include <algorithm>

#include "kafka/client.h"
#include "kafka/identity.h"

namespace kafka_fdw::kafka {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

/// The error that check_property throws, or one with an empty message.
Error refusal(std::string_view name, std::string_view value) {
  try {
    check_property(name, value);
  } catch (const Error& error) {
    EXPECT_STREQ(error.sqlstate(), "22023");
    return error;
  }
  return {ErrorClass::other, ""};
}

std::vector<std::string> names_in_librdkafka() {
  std::vector<std::string> names;
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  rd_kafka_topic_conf_t* topic_conf = rd_kafka_topic_conf_new();
  for (bool topic : {false, true}) {
    size_t count = 0;
    const char** dump = topic ? rd_kafka_topic_conf_dump(topic_conf, &count) : rd_kafka_conf_dump(conf, &count);
    for (size_t i = 0; i < count; i += 2) names.emplace_back(dump[i]);
    rd_kafka_conf_dump_free(dump, count);
  }
  rd_kafka_topic_conf_destroy(topic_conf);
  rd_kafka_conf_destroy(conf);
  return names;
}

TEST(Properties, EveryPropertyOfThisLibrdkafkaIsClassified) {
  for (const std::string& name : names_in_librdkafka()) EXPECT_NE(find_property(name), nullptr) << name;
}

TEST(Properties, WhatLoadsCodeRunsCommandsOrHoldsPointersIsNeverSet) {
  for (const char* name :
       {"plugin.library.paths", "interceptors", "ssl.engine.location", "ssl.engine.id", "ssl.providers",
        "sasl.kerberos.kinit.cmd", "test.mock.num.brokers", "ut_handle_ProduceResponse", "offset.store.path",
        "offset.store.method", "enabled_events", "internal.termination.signal", "opaque", "error_cb", "some_future_cb",
        "ssl_ca", "default_topic_conf"}) {
    const Property* property = find_property(name);
    ASSERT_NE(property, nullptr) << name;
    EXPECT_EQ(property->property_class, PropertyClass::never) << name;
    EXPECT_THAT(refusal(name, "/tmp/x").what(), HasSubstr("cannot be set"));
    EXPECT_THROW(Client({{"bootstrap.servers", "127.0.0.1:9"}, {name, "1"}}), Error) << name;
  }
}

TEST(Properties, FilesIdentityAndVerificationAreForSuperusers) {
  for (const Property& property : all_properties()) {
    if (property.name.ends_with(".location") && property.property_class != PropertyClass::never) {
      EXPECT_EQ(property.property_class, PropertyClass::superuser) << property.name;
    }
    if (property.name.find("password") != std::string_view::npos || property.name.ends_with("secret")) {
      EXPECT_EQ(property.property_class, PropertyClass::secret) << property.name;
    }
  }
  EXPECT_EQ(find_property("enable.ssl.certificate.verification")->property_class, PropertyClass::superuser);
  EXPECT_EQ(find_property("ssl.endpoint.identification.algorithm")->property_class, PropertyClass::superuser);
  EXPECT_EQ(find_property("debug")->property_class, PropertyClass::superuser);
}

TEST(Properties, AMechanismThatActsAsTheServerProcessIsForSuperusers) {
  for (const char* name : {"sasl.mechanism", "sasl.mechanisms"}) {
    const Property& property = *find_property(name);
    EXPECT_EQ(required_class(property, "PLAIN"), PropertyClass::server);
    EXPECT_EQ(required_class(property, "scram-sha-512"), PropertyClass::server);
    EXPECT_EQ(required_class(property, "GSSAPI"), PropertyClass::superuser);
    EXPECT_EQ(required_class(property, "OAUTHBEARER"), PropertyClass::superuser);
  }
  EXPECT_EQ(required_class(*find_property("client.id"), "GSSAPI"), PropertyClass::server);
}

TEST(Properties, AnUnknownNameIsRefusedWithTheClosestOne) {
  Error error = refusal("fetch.max.byte", "1");
  EXPECT_THAT(error.what(), HasSubstr("unknown property \"fetch.max.byte\""));
  EXPECT_THAT(error.hint(), HasSubstr("\"fetch.max.bytes\""));
  EXPECT_EQ(refusal("wholly_different_thing", "1").hint(), "");
  EXPECT_THAT(refusal("plugin.library.path", "x").hint(), Not(HasSubstr("plugin")));
}

TEST(Properties, ValuesAreCheckedByLibrdkafka) {
  EXPECT_NO_THROW(check_property("acks", "-1"));
  EXPECT_NO_THROW(check_property("isolation.level", "read_uncommitted"));
  EXPECT_THAT(refusal("isolation.level", "serializable").detail(), HasSubstr("serializable"));
  EXPECT_THAT(refusal("reconnect.backoff.ms", "soon").detail(), HasSubstr("reconnect.backoff.ms"));
  EXPECT_THAT(refusal("client.id", std::string_view("a\0b", 3)).detail(), HasSubstr("zero byte"));
}

TEST(Properties, ATablesSizesAreCapped) {
  EXPECT_NO_THROW(check_property("queued.max.messages.kbytes", "1048576"));
  EXPECT_THAT(refusal("queued.max.messages.kbytes", "1048577").what(), HasSubstr("at most 1048576"));
  EXPECT_THAT(refusal("fetch.max.bytes", "99999999999999999999").what(), HasSubstr("at most"));
  EXPECT_NO_THROW(check_property("linger.ms", "0.5"));
  for (const char* value : {"0x1fffff", " 2097151", "+2097151", "2097151 ", "2e6", "", ".5"})
    EXPECT_THAT(refusal("queued.max.messages.kbytes", value).detail(), HasSubstr("decimal digits")) << value;
}

TEST(Properties, ASecretsValueIsNotInTheError) {
  for (const Property& property : all_properties()) {
    if (property.property_class != PropertyClass::secret) continue;
    Error error = refusal(property.name, std::string_view("hunter2\0", 8));
    EXPECT_THAT(std::string(error.what()) + error.detail() + error.hint(), Not(HasSubstr("hunter2"))) << property.name;
  }
}

TEST(Properties, TheClosestNameMustBeClose) {
  std::vector<std::string_view> names = {"topic", "format", "start"};
  EXPECT_EQ(closest_name("topc", names), "topic");
  EXPECT_EQ(closest_name("fromat", names), "format");
  EXPECT_EQ(closest_name("xyzzy", names), "");
  EXPECT_EQ(closest_name("", names), "");
}

TEST(Properties, FetchPropertiesStayWithinTheBuffer) {
  for (size_t megabytes : {8, 64, 512}) {
    Properties properties = fetch_properties(megabytes << 20, Reading::many);
    size_t queue = std::stoul(properties.at("queued.max.messages.kbytes")) << 10;
    size_t response = std::stoul(properties.at("fetch.max.bytes"));
    EXPECT_LE(queue + 2 * response, megabytes << 19);
    for (const auto& [name, value] : properties) EXPECT_NO_THROW(check_property(name, value)) << name;
    properties["bootstrap.servers"] = "127.0.0.1:9";
    EXPECT_NO_THROW(Client{properties});
  }
}

TEST(Properties, WhatIsFixedCannotBeGivenToAClient) {
  for (const char* name : {"enable.auto.commit", "auto.offset.reset", "check.crcs", "log.queue", "no.such.property"}) {
    EXPECT_THROW(Client({{"bootstrap.servers", "127.0.0.1:9"}, {name, "false"}}), Error) << name;
  }
}

TEST(Properties, AValueIsReadAsLibrdkafkaReadsIt) {
  for (const char* value : {"sasl_ssl", "SASL_SSL", "Sasl_Ssl", " sasl_ssl"}) {
    EXPECT_EQ(canonical_value("security.protocol", value), "sasl_ssl") << value;
  }
  EXPECT_EQ(canonical_value("client.id", "Me"), "Me");
  EXPECT_THROW(canonical_value("security.protocol", "carrier pigeon"), Error);
  EXPECT_THROW(canonical_value("plugin.library.paths", "x"), Error);
}

TEST(Properties, SaslWithoutAMechanismIsRefused) {
  for (const char* protocol : {"SASL_PLAINTEXT", "Sasl_ssl", " sasl_plaintext"}) {
    try {
      Client client({{"bootstrap.servers", "127.0.0.1:9"}, {"security.protocol", protocol}});
      ADD_FAILURE() << protocol;
    } catch (const Error& error) {
      EXPECT_THAT(error.what(), HasSubstr("sasl.mechanism"));
    }
  }
}

std::string secret_of(const Properties& properties) {
  const Identity identity = identity_of(properties);
  return identity.of_process ? "the process" : std::string(identity.secret);
}

TEST(Properties, TheIdentityIsWhatTheConnectionProvesItWith) {
  const std::string process = "the process";
  EXPECT_EQ(secret_of({}), "");
  EXPECT_EQ(secret_of({{"security.protocol", "ssl"}, {"ssl.key.pem", "x"}}), "");
  EXPECT_EQ(secret_of({{"security.protocol", " Sasl_ssl"}, {"sasl.mechanism", "plain"}}), "sasl.password");
  EXPECT_EQ(secret_of({{"security.protocol", "sasl_ssl"}, {"sasl.mechanisms", "SCRAM-SHA-512"}}), "sasl.password");
  EXPECT_EQ(secret_of({{"security.protocol", "SASL_SSL"}, {"sasl.mechanism", "GSSAPI"}}), process);
  EXPECT_EQ(secret_of({{"security.protocol", "sasl_ssl"}}), process);
  EXPECT_EQ(secret_of({{"security.protocol", "ssl"}, {"ssl.key.location", "k"}, {"ssl.key.pem", "x"}}), process);
  EXPECT_EQ(secret_of({{"security.protocol", "ssl"}, {"ssl.keystore.location", "k"}}), process);
  EXPECT_EQ(secret_of({{"security.protocol", "sasl_ssl"}, {"sasl.mechanism", "PLAIN"}, {"ssl.key.location", "k"}}),
            process);

  Properties token = {{"security.protocol", "sasl_ssl"}, {"sasl.mechanism", "OAUTHBEARER"}};
  EXPECT_EQ(secret_of(token), process);
  token["sasl.oauthbearer.metadata.authentication.type"] = "azure_imds";
  EXPECT_EQ(secret_of(token), process);
  token.erase("sasl.oauthbearer.metadata.authentication.type");
  if (!refusal("sasl.oauthbearer.method", "oidc").detail().empty())
    GTEST_SKIP() << "this librdkafka is built without OIDC";
  token["sasl.oauthbearer.method"] = "OIDC";
  EXPECT_EQ(secret_of(token), "sasl.oauthbearer.client.secret");
}

}  // namespace
}  // namespace kafka_fdw::kafka
