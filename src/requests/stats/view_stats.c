/* 315: what a topic or a group did in the last minute, hour and day. Names and keys are
 * BrokerStatsManager's; of the others nothing is counted, which is said as RocketMQ says it.
 * Source: apache/rocketmq AdminBrokerProcessor#ViewBrokerStatsData, BrokerStatsData. */
#include "base/json.h"
#include "broker/broker.h"
#include "broker/runtime/series.h"
#include "remoting/request.h"
#include "wire/headers.h"

enum figure { FIGURE_COUNT, FIGURE_BYTES };

struct subject {
  struct bl_series *series;
  struct bl_totals now;
  enum figure figure;
};

static bool find_topic(struct bl_broker *broker, struct bl_slice key, int64_t now_ms,
                       struct subject *out) {
  struct bl_topic *topic = bl_topics_find(&broker->topics, key);
  if (topic == NULL) return false;
  out->now = (struct bl_totals){topic->put_count, topic->put_count, topic->put_bytes};
  bl_series_note(&broker->series, &topic->series, &out->now, now_ms);
  out->series = topic->series;
  return out->series != NULL;
}

static bool find_group(struct bl_broker *broker, struct bl_slice key, int64_t now_ms,
                       struct subject *out) {
  struct bl_slice group = key;
  struct bl_slice topic = bl_slice_cut(&group, '@');
  struct bl_offset_row *row = bl_offsets_find(&broker->offsets, topic, group);
  if (row == NULL) return false;
  out->now = row->got;
  bl_series_note(&broker->series, &row->series, &out->now, now_ms);
  out->series = row->series;
  return out->series != NULL;
}

static bool find(struct bl_broker *broker, const struct bl_stats_data_header *h, int64_t now_ms,
                 struct subject *out) {
  bool bytes =
      bl_slice_is(h->stats_name, "TOPIC_PUT_SIZE") || bl_slice_is(h->stats_name, "GROUP_GET_SIZE");
  out->figure = bytes ? FIGURE_BYTES : FIGURE_COUNT;
  if (bl_slice_is(h->stats_name, "TOPIC_PUT_NUMS") || bl_slice_is(h->stats_name, "TOPIC_PUT_SIZE"))
    return find_topic(broker, h->stats_key, now_ms, out);
  if (bl_slice_is(h->stats_name, "GROUP_GET_NUMS") || bl_slice_is(h->stats_name, "GROUP_GET_SIZE"))
    return find_group(broker, h->stats_key, now_ms, out);
  return false;
}

static void put_window(struct bl_json_writer *w, const char *name, const struct subject *subject,
                       enum bl_window window, int64_t now_ms) {
  struct bl_window_figures figures =
      bl_series_window(subject->series, window, &subject->now, now_ms);
  int64_t sum = subject->figure == FIGURE_BYTES ? figures.sum.bytes : figures.sum.count;
  bl_json_key(w, name);
  bl_json_open_object(w);
  bl_json_key(w, "avgpt");
  bl_json_put_double(w, figures.sum.calls > 0 ? (double)sum / (double)figures.sum.calls : 0);
  bl_json_member_i64(w, "sum", sum);
  bl_json_key(w, "tps");
  bl_json_put_double(w, (double)sum * 1000.0 / (double)figures.span_ms);
  bl_json_close_object(w);
}

static enum bl_outcome handle(struct bl_call *call) {
  struct bl_broker *broker = call->server;
  const struct bl_stats_data_header *header = call->header;
  int64_t now_ms = bl_clock_mono_ms(broker->clock);
  struct subject subject;
  if (!find(broker, header, now_ms, &subject)) {
    return bl_call_fail(call, BL_ERR_SYSTEM, "The stats <%.*s> <%.*s> not exist",
                        BL_FMT(header->stats_name), BL_FMT(header->stats_key));
  }
  struct bl_json_writer w = bl_json_writer_of(call->body, false);
  bl_json_open_object(&w);
  put_window(&w, "statsDay", &subject, BL_WINDOW_DAY, now_ms);
  put_window(&w, "statsHour", &subject, BL_WINDOW_HOUR, now_ms);
  put_window(&w, "statsMinute", &subject, BL_WINDOW_MINUTE, now_ms);
  bl_json_close_object(&w);
  return bl_call_ok_body(call);
}

const struct bl_request bl_request_view_stats = {
    .code = 315,
    .name = "VIEW_BROKER_STATS_DATA",
    .roles = BL_ROLE_BROKER,
    .header = &bl_stats_data_table,
    .handle = handle,
};
