-- What the consumers do. The views contact no broker, and row-level security of the tables below decides who sees what.
-- They are parsed as the policies are.
SET LOCAL search_path = pg_catalog, pg_temp;

CREATE VIEW @extschema@.kafka_stat_partitions WITH (security_invoker = true) AS
WITH ends AS (
    SELECT DISTINCT ON (w.consumer_id, t.topic, p.partition)
           w.consumer_id, t.topic, p.partition::int AS partition, p.end_offset::bigint AS end_offset, w.end_offsets_at
      FROM @extschema@.pipeline_kafka_workers w,
           jsonb_each(w.end_offsets) AS t (topic, partitions),
           jsonb_each_text(t.partitions) AS p (partition, end_offset)
     ORDER BY w.consumer_id, t.topic, p.partition, w.end_offsets_at DESC NULLS LAST
), partitions AS (
    SELECT consumer_id, topic, partition, o.next_offset, o.until_offset, o.last_timestamp, e.end_offset, e.end_offsets_at
      FROM @extschema@.pipeline_kafka_offsets o FULL JOIN ends e USING (consumer_id, topic, partition)
)
SELECT c.id, c.stream, p.topic, p.partition, a.pid AS worker_pid, p.next_offset, p.end_offset,
       p.end_offsets_at AS end_offset_at,
       CASE WHEN p.end_offset < p.next_offset THEN 0
            WHEN p.until_offset < p.end_offset THEN greatest(p.until_offset - p.next_offset, 0)
            ELSE p.end_offset - p.next_offset END AS lag,
       p.last_timestamp
  FROM partitions p
       JOIN @extschema@.pipeline_kafka_consumers c ON c.id = p.consumer_id
       LEFT JOIN @extschema@.pipeline_kafka_workers w
              ON w.consumer_id = c.id
                 AND w.slot = p.partition / coalesce(split_part(c.shard, '/', 2)::int, 1) % nullif(c.parallelism, 0)
       LEFT JOIN pg_stat_activity a ON a.pid = w.pid AND a.backend_type = 'kafka consumer';

CREATE VIEW @extschema@.kafka_stat_consumers WITH (security_invoker = true) AS
WITH workers AS (
    -- A worker that is gone without a word is waited for. Those of a primary cannot be seen from its standby.
    SELECT w.*, seen.alive, CASE WHEN seen.alive OR w.state IN ('error', 'finished', 'stopped') THEN w.state
                                 ELSE 'waiting' END AS state_now
      FROM @extschema@.pipeline_kafka_workers w
           LEFT JOIN pg_stat_activity a ON a.pid = w.pid AND a.backend_type = 'kafka consumer'
           CROSS JOIN LATERAL (
               SELECT a.pid IS NOT NULL
                      OR pg_is_in_recovery() AND w.state NOT IN ('error', 'finished', 'stopped') AS alive) AS seen
)
SELECT c.id, c.stream, c.topic,
       CASE WHEN NOT c.enabled THEN CASE WHEN worst.state_now IN ('error', 'finished') THEN worst.state_now
                                        ELSE 'stopped' END
            WHEN NOT place.here THEN 'stopped'
            WHEN NOT place.owned THEN 'error'
            WHEN worst.state_now IS NULL OR worst.state_now = 'stopped' THEN 'waiting'
            ELSE worst.state_now END AS state,
       CASE WHEN NOT place.here THEN 'It was begun in another database or another cluster, and this is a copy.'
            WHEN NOT place.owned THEN format('Its owner "%s" does not exist.', c.owner)
            ELSE worst.detail END AS detail,
       CASE WHEN NOT place.here THEN 'Call kafka_consume_begin() to have it run here.'
            WHEN NOT place.owned THEN 'Make that role again, or drop the consumer and have another role begin it where it was.'
            ELSE worst.hint END AS hint,
       coalesce(applied.apply, CASE WHEN c.statement IS NOT NULL THEN 'general' END) AS apply,
       coalesce(live.workers, 0) AS workers,
       coalesce(done.messages, 0) AS messages, coalesce(done.rows, 0) AS rows,
       coalesce(done.tombstones, 0) AS tombstones, coalesce(done.rejected, 0) AS rejected,
       partitions.lag,
       CASE WHEN partitions.lag = 0 THEN interval '0' ELSE partitions.behind END AS behind,
       live.rate,
       CASE WHEN partitions.lag = 0 THEN interval '0'
            WHEN live.rate > 0 THEN partitions.lag / live.rate * interval '1 second' END AS eta,
       live.last_commit_at,
       failed.last_error, failed.last_error_at, failed.error_sqlstate, failed.error_topic, failed.error_partition,
       failed.error_offset, applied.apply_reason
  FROM @extschema@.pipeline_kafka_consumers c
       CROSS JOIN LATERAL (
           SELECT c.database_oid = d.oid AND c.system_identifier = s.system_identifier AS here,
                  EXISTS (SELECT FROM pg_roles WHERE rolname = c.owner) AS owned
             FROM pg_database d, pg_control_system() s WHERE d.datname = current_database()) AS place
       LEFT JOIN LATERAL (
           SELECT s.state_now,
                  CASE WHEN s.lost THEN format('Slot %s has no worker process.', s.slot) ELSE s.detail END AS detail,
                  CASE WHEN s.lost THEN 'Where max_worker_processes is too low it waits for one, with kafka_fdw in '
                                        'shared_preload_libraries. Otherwise see the log for why it ended, and call '
                                        'kafka_consume_begin().'
                       ELSE s.hint END AS hint
             FROM (SELECT slot, w.detail, w.hint,
                          c.enabled AND slot < c.parallelism AND w.alive IS NOT TRUE
                            AND coalesce(w.state_now, 'waiting') IN ('waiting', 'stopped') AS lost,
                          CASE WHEN slot < c.parallelism AND c.enabled AND coalesce(w.state_now, 'stopped') = 'stopped'
                               THEN 'waiting' ELSE w.state_now END AS state_now
                     FROM generate_series(0, c.parallelism - 1) AS slot
                          FULL JOIN (SELECT * FROM workers w WHERE w.consumer_id = c.id) AS w USING (slot)) AS s
            WHERE s.slot < c.parallelism OR s.state_now = 'error'
            ORDER BY array_position(ARRAY['error', 'backoff', 'waiting', 'starting', 'connecting', 'running', 'idle',
                                          'finished', 'stopped'], s.state_now), s.slot
            LIMIT 1) AS worst ON true
       LEFT JOIN LATERAL (
           SELECT count(DISTINCT w.pid) FILTER (WHERE w.alive) AS workers, sum(w.rate) FILTER (WHERE w.alive) AS rate,
                  max(w.last_commit_at) AS last_commit_at
             FROM workers w WHERE w.consumer_id = c.id) AS live ON true
       LEFT JOIN LATERAL (
           SELECT sum(o.messages)::bigint AS messages, sum(o.rows)::bigint AS rows,
                  sum(o.tombstones)::bigint AS tombstones, sum(o.rejected)::bigint AS rejected
             FROM @extschema@.pipeline_kafka_offsets o WHERE o.consumer_id = c.id) AS done ON true
       LEFT JOIN LATERAL (
           SELECT sum(p.lag)::bigint AS lag,
                  max(statement_timestamp() - p.last_timestamp) FILTER (WHERE p.lag > 0) AS behind
             FROM @extschema@.kafka_stat_partitions p WHERE p.id = c.id) AS partitions ON true
       LEFT JOIN LATERAL (
           SELECT w.apply, w.apply_reason FROM workers w WHERE w.consumer_id = c.id AND w.apply IS NOT NULL
            ORDER BY w.apply DESC, w.slot LIMIT 1) AS applied ON true
       LEFT JOIN LATERAL (
           SELECT w.* FROM workers w WHERE w.consumer_id = c.id AND w.last_error_at IS NOT NULL
            ORDER BY w.last_error_at DESC LIMIT 1) AS failed ON true;

SET LOCAL search_path = @extschema@, pg_temp;

COMMENT ON VIEW kafka_stat_partitions IS 'Where each partition of each consumer is';
COMMENT ON COLUMN kafka_stat_partitions.next_offset IS 'The next message to take; NULL: nothing is stored yet, it starts at the earliest';
COMMENT ON COLUMN kafka_stat_partitions.lag IS 'Offsets from the next message to take to the end of the log, or to where the consumer ends';
COMMENT ON COLUMN kafka_stat_partitions.end_offset IS 'The end of the log as a worker saw it at end_offset_at';

COMMENT ON VIEW kafka_stat_consumers IS 'What each consumer does, how far it is, and why it stands still';
COMMENT ON COLUMN kafka_stat_consumers.state IS 'The state of the worker that is worst off: error, backoff, waiting, starting, connecting, running, idle; or finished, stopped';
COMMENT ON COLUMN kafka_stat_consumers.apply IS 'fast: rows are inserted in batches; general: by the statement, for the reason in apply_reason; NULL: nothing was applied yet';
COMMENT ON COLUMN kafka_stat_consumers.lag IS 'Messages between the stored offsets and the ends of the logs as the workers saw them last';
COMMENT ON COLUMN kafka_stat_consumers.behind IS 'Age of the last message taken in the partition that is furthest behind';
COMMENT ON COLUMN kafka_stat_consumers.eta IS 'When the lag will be gone at the present rate';

GRANT SELECT ON kafka_stat_partitions, kafka_stat_consumers TO PUBLIC;
