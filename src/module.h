#pragma once

/// The extension's settings (GUCs kafka_fdw.*), defined in module.cpp.
namespace kafka_fdw {

struct Settings {
  int connect_timeout_ms;
  int read_timeout_ms;
  int fetch_buffer_kb;
  int restart_interval_ms;
  bool autostart;
  int max_workers;  ///< -1: no limit
  int metadata_ttl_ms;
  bool fast_apply;
  bool notify;
};

extern Settings settings;

}  // namespace kafka_fdw
